/** Clients of a lab that send requests at an interval, and count the answers. */
import { join } from 'node:path';
import type { NetworkNamespace } from './netns.ts';

export interface ProbeResult {
  readonly asked: number;
  readonly answered: number;
  readonly longestGapMs: number;
}

/** The probe waits for the requests that are in transit when it is stopped, so they count too. */
export interface HttpProbeResult extends ProbeResult {
  /** When the latest of the answered requests was sent, in milliseconds since 1970; 0 without an answer. */
  readonly lastAnsweredSentAtMs: number;
  /** Counts of failed requests by cause: `timeout`, `aborted` for half an answer, or the code of the error, such as `ECONNREFUSED`. */
  readonly failures: Readonly<Record<string, number>>;
  /** When each failed request was sent, in milliseconds since 1970, in the order of the failures. */
  readonly failedAtMs: readonly number[];
}

export interface Probe<T> {
  /** Resolves once the probe sends requests. Rejects when the probe ends before that. */
  readonly ready: Promise<void>;
  stop(): Promise<T>;
}

/** Sends HTTP requests to an address from a host, each on a new connection, until stopped. */
export function probeHttp(host: NetworkNamespace, address: string, intervalMs = 10): Probe<HttpProbeResult> {
  const url = `http://${address.includes(':') ? `[${address}]` : address}/`;
  return startProbe(host, 'prober.ts', [String(intervalMs), url]);
}

export interface DatagramOptions {
  /** Whether each datagram comes from a port of its own, so that kube-proxy chooses an endpoint for it. */
  readonly newFlows?: boolean;
}

/** Sends datagrams from a host to one address after another, until stopped. */
export function probeDatagrams(
  host: NetworkNamespace,
  addresses: readonly string[],
  intervalMs: number,
  { newFlows = false }: DatagramOptions = {},
): Probe<readonly (ProbeResult & { readonly address: string })[]> {
  const flags = newFlows ? ['--new-flows'] : [];
  return startProbe(host, 'datagram-prober.ts', [...flags, String(intervalMs), ...addresses]);
}

function startProbe<T>(host: NetworkNamespace, script: string, args: readonly string[]): Probe<T> {
  const child = host.spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      if (output.includes('ready\n')) resolve();
    });
    void ended.then(() => reject(new Error(`${script} ended early`)));
  });
  // A test that does not wait for `ready` does not handle its rejection. If the probe ends early, such a test fails when it stops the probe.
  ready.catch(() => {});
  return {
    ready,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      return JSON.parse(output.slice(output.search(/[[{]/))) as T;
    },
  };
}
