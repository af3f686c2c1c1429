import assert from 'node:assert/strict';
import { FrameReader } from '../../src/bgp/codec/index.ts';
import { checkDecode } from './bgp-check.ts';
import { type Input, nextInput } from './bgp-inputs.ts';
import { Random } from './random.ts';

export interface FuzzReport {
  readonly inputs: number;
  readonly octets: number;
  /** How many were refused, had faults, or were sound; all three are needed for the run to mean something. */
  readonly verdicts: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

/** Far more than the longest message takes on a busy machine, far less than a quadratic decoder. */
const longestMs = 2000;
/** Messages that are cut from one stream together. */
const streamLength = 16;

/**
 * Decodes so many inputs made from the seed and holds each answer to `checkDecode`, and cuts them from streams in pieces. Throws with the
 * input that it happened on. `progress` is told the number of inputs done, now and then.
 */
export function fuzzBgp(
  seed: number,
  count: number,
  progress: (done: number) => void = () => undefined,
): FuzzReport {
  const random = new Random(seed);
  const verdicts: Record<string, number> = {};
  let octets = 0;
  let slowestMs = 0;
  let stream: Uint8Array[] = [];
  for (let done = 0; done < count; done++) {
    const input = nextInput(random);
    octets += input.bytes.length;
    const start = performance.now();
    const verdict = checked(input, `seed ${seed}, input ${done}`);
    slowestMs = Math.max(slowestMs, performance.now() - start);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    stream.push(input.bytes);
    if (stream.length === streamLength) {
      checkStream(stream, random);
      stream = [];
    }
    if (done % 100_000 === 0) progress(done);
  }
  assert.ok(slowestMs < longestMs, `seed ${seed}: an input took ${Math.round(slowestMs)} ms`);
  return { inputs: count, octets, verdicts, slowestMs };
}

function checked({ bytes, options }: Input, where: string): string {
  try {
    return checkDecode(bytes, options);
  } catch (error) {
    throw new Error(`${where}: ${Buffer.from(bytes).toString('hex')} with ${JSON.stringify(options)}`, {
      cause: error,
    });
  }
}

/** Cut in pieces, a stream holds the messages that it holds as a whole, up to the first header that is wrong. */
function checkStream(messages: readonly Uint8Array[], random: Random): void {
  const stream = Buffer.concat(messages);
  const whole = framesOf([stream]);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < stream.length; ) {
    const size = 1 + random.below(random.oneIn(2) ? 8 : 200);
    pieces.push(stream.subarray(at, at + size));
    at += size;
  }
  assert.deepEqual(framesOf(pieces), whole);
}

function framesOf(pieces: readonly Uint8Array[]): string[] {
  const reader = new FrameReader();
  const frames: string[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let frame = reader.next(4096); frame; frame = reader.next(4096)) {
      if (!frame.ok) return [...frames, `(${frame.error.code},${frame.error.subcode})`];
      frames.push(Buffer.from(frame.value).toString('latin1'));
    }
  }
  return frames;
}
