import { fileURLToPath } from 'node:url';
import type { NetworkNamespace } from '../../lab/netns.ts';

export interface Asker {
  readonly host: NetworkNamespace;
  /** An address for which the kernel of the speaker's node answers. */
  readonly kernel: string;
  /** An address of a Service, for which the speaker answers. */
  readonly service: string;
  /** Limit for the median of the speaker's round trips, and also for their p99. */
  readonly limitMs: number;
}

/**
 * Runs the client of `bench/neighbour.ts` with these flags, and repeats an action until the client ends. The client prints its figures. Returns
 * whether they are within the limits.
 */
export async function askDuring(
  { host, kernel, service, limitMs }: Asker,
  flags: readonly string[],
  action: () => Promise<void>,
): Promise<boolean> {
  const script = fileURLToPath(new URL('../neighbour.ts', import.meta.url));
  const limit = String(limitMs * 1000);
  const asker = host.spawn(
    process.execPath,
    [
      ...[script, '--asker', '--kernel', kernel, '--service', service],
      ...['--median-limit', limit, '--p99-limit', limit, ...flags],
    ],
    { stdio: 'inherit' },
  );
  let exit: number | null | undefined;
  asker.once('exit', (code) => {
    exit = code;
  });
  // The loop also waits for the end of the last action, because the next measurement must not begin beside it.
  while (exit === undefined) await action();
  return exit === 0;
}

/** Flags for a client that sends 1,000 requests a second and does not wait for answers. */
export function paced(seconds: number): readonly string[] {
  return ['--requests', String(seconds * 1000), '--pace', '1000', '--seconds', '0'];
}
