/**
 * Keeps the memory of a process small. `collection-schedule.ts` decides when to collect garbage, and when to give pages back. A collection
 * (`garbage-collector.ts`) frees garbage, and the pages of V8's heap that held the garbage. After a plain major collection, V8 would keep these
 * pages. The pages that the process gives back to the kernel are of two other kinds:
 *
 * - Free pages of the C heap. The start allocates megabytes there, for compiled code, compilers and OpenSSL.
 * - Pages of the Node binary. The start maps tens of megabytes of the binary, and later work needs few of these pages. The kernel keeps the
 *   pages in its page cache, so a page that is needed again costs about a microsecond. When memory is short, the kernel can drop the pages of the
 *   binary that the process has not used again.
 */
import { readFile, readlink } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import {
  type CollectionSchedule,
  checkEveryMs,
  isCollectionDue,
  isReturnDue,
  type MemoryReading,
} from './collection-schedule.ts';
import { garbageCollector } from './garbage-collector.ts';
import { type AddressRange, programPages } from './program-pages.ts';

export interface MemoryKeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The process does not collect while a collection would pause it for longer than this. */
  readonly longestPauseMs: number;
  /**
   * Also gives pages back while the process is busy. A page that is needed again may have to be read from the disk, so a process with deadlines
   * gives pages back only while it is calm.
   */
  readonly returnsWhileBusy?: boolean;
  /** Ends the checks. */
  readonly signal?: AbortSignal;
}

/**
 * Call it once. The first collection comes at the first check that finds the process calm. With 10,000 Services, each collection pauses the
 * process for some 0.2 s.
 */
export function keepMemorySmall({
  clock,
  logger,
  longestPauseMs,
  returnsWhileBusy,
  signal,
}: MemoryKeeperOptions): void {
  const collect = garbageCollector();
  let schedule: CollectionSchedule = {
    checked: readMemory(clock),
    collected: undefined,
    returnedAtMs: undefined,
  };
  const check = (): void => {
    if (signal?.aborted) return;
    const reading = readMemory(clock);
    let { collected, returnedAtMs } = schedule;
    if (isCollectionDue(schedule, reading, longestPauseMs)) {
      collect();
      collected = readMemory(clock);
      returnedAtMs = undefined;
    }
    if (isReturnDue({ ...schedule, returnedAtMs }, reading, returnsWhileBusy)) {
      givePagesBack().catch((error: Error) =>
        logger.debug({ reason: error.message }, 'memory not given back'),
      );
      returnedAtMs = reading.atMs;
    }
    schedule = { checked: reading, collected, returnedAtMs };
    clock.after(checkEveryMs, check);
  };
  clock.after(checkEveryMs, check);
}

function readMemory(clock: Clock): MemoryReading {
  const { user, system } = process.cpuUsage();
  return {
    atMs: clock.now(),
    cpuMs: (user + system) / 1000,
    heapOctets: process.memoryUsage().heapTotal,
    loadPerProcessor: (loadavg()[0] ?? 0) / availableParallelism(),
  };
}

async function givePagesBack(): Promise<void> {
  const { dropPages, trimHeap } = await import('../linux/memory.ts');
  trimHeap();
  for (const { start, end } of await programMappings()) dropPages(start, end);
}

let knownMappings: Promise<readonly AddressRange[]> | undefined;

/** Reads the list of mappings only once, because the kernel maps the program only at the start, and nothing writes to its mappings later. */
function programMappings(): Promise<readonly AddressRange[]> {
  knownMappings ??= readProgramMappings().catch((error: unknown) => {
    knownMappings = undefined;
    throw error;
  });
  return knownMappings;
}

async function readProgramMappings(): Promise<readonly AddressRange[]> {
  const program = await readlink('/proc/self/exe');
  return programPages(await readFile('/proc/self/smaps', 'utf8'), program);
}
