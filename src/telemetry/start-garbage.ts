import type { Clock } from '../clock.ts';

/**
 * When a process is in sync, it has read thousands of objects, and most of the memory that this took is garbage. V8 keeps the garbage until
 * the process allocates as much again, which may take days. The first delay lets the first routes go out before the collection. The second one
 * leaves time for the first writes, which may be thousands too.
 */
const delaysMs = [5000, 60_000] as const;

/**
 * Collects the garbage of the start, and gives the memory back. Call it when the process is in sync. Each collection pauses the process:
 * with 10,000 Services for some 0.2 s, and for 0.9 s on a machine with a load of 15. That is less than the interval of keepalives for the
 * shortest hold time. Failure detection and answers in layer 2 do not run in the processes that call this. The function needs the flag
 * `--expose-gc`, which `dist/bellman` sets. Without the flag it does nothing.
 */
export function collectStartGarbage(clock: Clock): void {
  // A plain major collection frees objects, but V8 keeps their pages.
  for (const delayMs of delaysMs)
    clock.after(
      delayMs,
      () => void globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
    );
}
