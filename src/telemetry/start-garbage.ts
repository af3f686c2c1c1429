import type { Clock } from '../clock.ts';

/**
 * A process has read thousands of objects when it is in sync, and most of what it has read is garbage. V8 keeps such memory until the
 * process allocates as much again, which may take days. This delay lets the first routes and writes go out before the collection.
 */
const delayMs = 5000;

/**
 * Collects the garbage of the start once, and gives the memory back. Call it when the process is in sync. The collection pauses the process:
 * with 10,000 Services by some 0.2 s, and by 0.9 s on a machine with a load of 15. That is less than the interval of keepalives for the
 * shortest hold time. Failure detection and answers in layer 2 do not run in the processes that call this. It needs the flag `--expose-gc`,
 * which `dist/bellman` sets, and otherwise does nothing.
 */
export function collectStartGarbage(clock: Clock): void {
  // A plain major collection frees objects, but V8 keeps their pages.
  clock.after(
    delayMs,
    () => void globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
  );
}
