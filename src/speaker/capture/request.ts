/** Reads the query of `/capture`. Pure. */
import { type IpAddress, parseIp } from '../../address/index.ts';
import { fail, ok, type Result } from '../../result.ts';

/** The subjects and the limits of a capture. */
export interface CaptureRequest {
  readonly addresses: readonly IpAddress[];
  /** Names of peers. */
  readonly peers: readonly string[];
  readonly seconds: number;
  /** Largest number of frames. */
  readonly frames: number;
}

/** A capture takes memory until it ends, and until then the kernel applies its filter to every frame. */
const limits = { subjects: 16, seconds: 120, frames: 10_000 } as const;
const defaults = { seconds: 10, frames: 1000 } as const;

/** Fails with a sentence that names the parameter and what it may be. */
export function readCaptureRequest(query: URLSearchParams): Result<CaptureRequest, string> {
  const addresses: IpAddress[] = [];
  for (const text of query.getAll('address')) {
    const address = parseIp(text);
    if (!address) return fail(`address=${JSON.stringify(text.slice(0, 64))} is not an IP address`);
    addresses.push(address);
  }
  const peers = query.getAll('peer');
  const subjects = addresses.length + peers.length;
  if (subjects === 0) return fail('give address=IP or peer=NAME, each as often as needed');
  if (subjects > limits.subjects)
    return fail(`at most ${limits.subjects} addresses and peers, not ${subjects}`);
  const seconds = numberOf(query, 'seconds', defaults.seconds, limits.seconds);
  if (!seconds.ok) return seconds;
  const frames = numberOf(query, 'frames', defaults.frames, limits.frames);
  if (!frames.ok) return frames;
  return ok({ addresses, peers, seconds: seconds.value, frames: frames.value });
}

function numberOf(
  query: URLSearchParams,
  name: string,
  byDefault: number,
  max: number,
): Result<number, string> {
  const text = query.get(name);
  if (text === null) return ok(byDefault);
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= max ? ok(value) : fail(`${name} must be a number from 1 to ${max}`);
}
