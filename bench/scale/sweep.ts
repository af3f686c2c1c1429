import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadMicroseconds } from '../support/thread-clock.ts';
import { exponent, mean, median, type Point } from './fit.ts';

/** Work whose cost is measured. */
export interface Work {
  /** Does `units` units of work. A measured cost is the cost of one unit. */
  readonly run: () => void;
  readonly units: number;
}

/** One path through the code of the product, and how its cost may depend on a size. */
export interface Sweep {
  readonly part: 'speaker' | 'controller' | 'layer 2' | 'membership' | 'machine';
  /** One unit of work, for example `one Service event`. */
  readonly work: string;
  /** The size, for example `Services`. */
  readonly by: string;
  /**
   * `event`: the cost of one unit must not grow with the size. `whole`: one unit handles everything, so its cost may be proportional to
   * the size.
   */
  readonly kind: 'event' | 'whole';
  /**
   * Set on work about everything that mostly searches tables: about how many tables it searches for each item. The bench also measures
   * `memorySweep` with as many tables, for comparison.
   */
  readonly tables?: number;
  readonly sizes: readonly number[];
  /** The sizes of the quick run. */
  readonly quickSizes: readonly number[];
  readonly prepare: (size: number) => Work;
}

export interface SweepResult {
  readonly points: readonly Point[];
  readonly exponent: number;
}

/** How thoroughly a cost is measured. */
export interface Effort {
  /**
   * The work runs for this long before the first sample. V8 compiles code that runs often. Without this time, code would run slower at the sizes
   * whose preparation has run it less.
   */
  readonly warmUpMicroseconds: number;
  /** A sample consists of as many runs as last this long, but of at least one run. */
  readonly sampleMicroseconds: number;
  readonly fewestSamples: number;
  readonly mostSamples: Readonly<Record<Sweep['kind'], number>>;
  /** Sampling ends when the samples have lasted this long together, but not before the fewest samples are taken. */
  readonly enoughMicroseconds: number;
  /** Whether each run begins with empty processor caches. With warm caches, only small tables fit into them, which makes small sizes too cheap. */
  readonly isCold: boolean;
}

/** With cold caches, a sample is one run, because it takes much longer to empty the caches than to handle an event. */
export const fullEffort: Effort = {
  warmUpMicroseconds: 300_000,
  sampleMicroseconds: 0,
  fewestSamples: 9,
  mostSamples: { event: 40, whole: 200 },
  enoughMicroseconds: 1_000_000,
  isCold: true,
};

export const quickEffort: Effort = {
  warmUpMicroseconds: 8000,
  sampleMicroseconds: 8000,
  fewestSamples: 3,
  mostSamples: { event: 3, whole: 3 },
  enoughMicroseconds: 0,
  isCold: false,
};

/**
 * A sweep skips the larger sizes when one unit costs more than this at some size. Its exponent then comes from the sizes that it has measured. At a
 * size, the sampling ends when all samples together cost more than this.
 */
const tooLongMicroseconds = 20_000_000;

/** Measures the work at each size. All times are CPU times of the main thread, because a busy machine stretches wall times. */
export function measureSweep(sweep: Sweep, sizes: readonly number[], effort: Effort): SweepResult {
  const points: Point[] = [];
  for (const size of sizes) {
    const microseconds = costOf(sweep.prepare(size), effort, sweep.kind);
    points.push({ size, microseconds });
    if (microseconds > tooLongMicroseconds) break;
  }
  return { points, exponent: exponent(points) };
}

/**
 * The typical cost in several samples. V8's collections of garbage belong to the cost of long work. At small sizes, one run in many has such a
 * collection, and a median would leave it out. An event is so short that one collection would outweigh all its samples in a mean.
 */
const typicalOf: Readonly<Record<Sweep['kind'], (samples: readonly number[]) => number>> = {
  event: median,
  whole: mean,
};

/** Typical CPU time of one unit. A warm-up that already takes too long counts as the only sample. */
function costOf({ run, units }: Work, effort: Effort, kind: Sweep['kind']): number {
  const { warmUpMicroseconds, sampleMicroseconds, fewestSamples, mostSamples, enoughMicroseconds, isCold } =
    effort;
  globalThis.gc?.();
  const warmUp = runFor(warmUpMicroseconds, run);
  if (warmUp.microseconds > tooLongMicroseconds) return warmUp.microseconds / warmUp.runs / units;
  const samples: number[] = [];
  let spent = 0;
  while (samples.length < mostSamples[kind] && spent < tooLongMicroseconds) {
    if (samples.length >= fewestSamples && spent > enoughMicroseconds) break;
    const { microseconds, runs } = runFor(sampleMicroseconds, run, isCold ? emptyCaches : undefined);
    spent += microseconds;
    samples.push(microseconds / runs / units);
  }
  return typicalOf[kind](samples);
}

/** Repeats the run until all runs together have taken long enough. `before` is called before each run, and its time does not count. */
function runFor(
  leastMicroseconds: number,
  run: () => void,
  before?: () => void,
): { readonly microseconds: number; readonly runs: number } {
  let microseconds = 0;
  let runs = 0;
  do {
    before?.();
    const start = threadMicroseconds();
    run();
    microseconds += threadMicroseconds() - start;
    runs++;
  } while (microseconds < leastMicroseconds);
  return { microseconds, runs };
}

const lineOctets = 64;
let evictor: Uint8Array | undefined;

/** Displaces everything else from the caches of the processor. */
function emptyCaches(): void {
  evictor ??= new Uint8Array(largestCache());
  for (let i = 0; i < evictor.length; i += lineOctets) evictor[i] = (evictor[i] ?? 0) + 1;
}

/** Size of the largest cache that Linux knows, in octets (Documentation/ABI/testing/sysfs-devices-system-cpu). */
function largestCache(): number {
  const folder = '/sys/devices/system/cpu/cpu0/cache';
  const sizes = readdirSync(folder)
    .filter((name) => name.startsWith('index'))
    .map((name) => Number.parseInt(readFileSync(join(folder, name, 'size'), 'utf8'), 10) * 1024);
  return Math.max(...sizes);
}
