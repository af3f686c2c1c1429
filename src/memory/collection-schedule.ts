/**
 * Decides when a process collects its garbage and gives memory back.
 *
 * By the time a process is in sync, it has read thousands of objects, and most of the memory that this took is garbage. V8 keeps the garbage
 * until the process allocates as much again, which may take days. V8 also keeps pages that are almost empty. After a burst of changes too, V8
 * keeps garbage and such pages. The process therefore collects once after its start, and again whenever its heap has grown much (`growth`).
 * At rest, the process allocates so little that such a growth takes hours. A quarter of an hour after the last collection, a smaller growth
 * (`slowGrowth`) is therefore enough, so that the memory stays flat. The process collects only while it is calm, because a collection pauses
 * it. A busy process allocates, so V8 collects its garbage anyway.
 *
 * The process also gives pages outside V8's heap back to the kernel (`keeper.ts` lists them). This hardly pauses the process. It therefore gives
 * pages back after each collection, and also every 30 s while it is calm. The repetition is necessary, because a process that works for a few
 * seconds maps 25 MB of these pages again.
 */

/** The measurements of a process at a check. */
export interface MemoryReading {
  /** On a monotonic clock. */
  readonly atMs: number;
  /** CPU time that the process has used since its start. */
  readonly cpuMs: number;
  /** Memory that V8's heap takes, with garbage and almost empty pages. */
  readonly heapOctets: number;
  /** Number of processes that run or wait to run, per processor. The average of the last minute. */
  readonly loadPerProcessor: number;
}

/** State of the schedule after a check. */
export interface CollectionSchedule {
  readonly checked: MemoryReading;
  /** The measurements right after the last collection; `undefined` before the first one. */
  readonly collected: Pick<MemoryReading, 'atMs' | 'heapOctets'> | undefined;
  /** When the process last gave pages back; `undefined` before the first time, and after a collection. */
  readonly returnedAtMs: number | undefined;
}

export const checkEveryMs = 5000;
/** A process is calm when it has used at most this part of a processor since the last check. */
const calmShare = 0.1;
/** The heap has grown much when it exceeds `factor` times its size after the last collection by more than `octets`. */
const growth = { factor: 1.15, octets: 2e6 } as const;
/** Least time between two collections. A collection of 20 MB takes 0.1 s of CPU. */
const pauseMs = 60_000;
/** When the last collection was at least `afterMs` ago, a growth of `octets` is enough: about two of V8's pages of 256 KiB. */
const slowGrowth = { afterMs: 15 * 60_000, octets: 0.5e6 } as const;

/** CPU time of a collection, for each octet of the heap. Measured with heaps of 9 to 20 MB: 4 to 5 ms for a megabyte. */
const msPerOctet = 5e-6;

/** Least time between two returns of pages. Measured: a return takes 0.9 ms of CPU, and the page faults after it take another 0.9 ms. */
const returnEveryMs = 30_000;

/** How long a collection would pause the process. On a busy machine, the process gets only its share of the processors. */
function expectedPauseMs({ heapOctets, loadPerProcessor }: MemoryReading): number {
  return heapOctets * msPerOctet * Math.max(1, loadPerProcessor);
}

/** Whether to collect now: never while a collection would pause the process for longer than `longestPauseMs`. Call it every `checkEveryMs`. */
export function isCollectionDue(
  { checked, collected }: CollectionSchedule,
  reading: MemoryReading,
  longestPauseMs: number,
): boolean {
  const { atMs, heapOctets } = reading;
  if (expectedPauseMs(reading) > longestPauseMs) return false;
  if (!isCalm(checked, reading)) return false;
  if (!collected) return true;
  const sinceMs = atMs - collected.atMs;
  if (sinceMs >= slowGrowth.afterMs) return heapOctets >= collected.heapOctets + slowGrowth.octets;
  const hasGrown = heapOctets > collected.heapOctets * growth.factor + growth.octets;
  return hasGrown && sinceMs >= pauseMs;
}

/** Whether to give pages back now. Call it every `checkEveryMs`. If a collection is due, collect first. */
export function isReturnDue(
  { checked, returnedAtMs }: CollectionSchedule,
  reading: MemoryReading,
  returnsWhileBusy = false,
): boolean {
  if (!returnsWhileBusy && !isCalm(checked, reading)) return false;
  return returnedAtMs === undefined || reading.atMs - returnedAtMs >= returnEveryMs;
}

function isCalm(checked: MemoryReading, { atMs, cpuMs }: MemoryReading): boolean {
  return cpuMs - checked.cpuMs <= calmShare * (atMs - checked.atMs);
}
