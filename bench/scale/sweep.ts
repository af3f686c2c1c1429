import { exponent, median, type Point } from './fit.ts';

/** Work whose cost is measured. */
export interface Work {
  /** Does `units` units of work. A measured cost is the cost of one unit. */
  readonly run: () => void;
  readonly units: number;
}

/** One path through the code of the product, and how its cost may depend on a size. */
export interface Sweep {
  readonly part: 'speaker' | 'controller' | 'layer 2' | 'membership';
  /** One unit of work, for example `one Service event`. */
  readonly work: string;
  /** The size, for example `Services`. */
  readonly by: string;
  /**
   * `event`: the cost of one unit must not grow with the size. `whole`: one unit handles everything, so its cost may be proportional to
   * the size.
   */
  readonly kind: 'event' | 'whole';
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
  /** One sample lasts at least this long, so that the CPU clock is exact enough. */
  readonly sampleMicroseconds: number;
  readonly fewestSamples: number;
  readonly mostSamples: number;
  /** Sampling ends when the samples have lasted this long together, but not before the fewest samples are taken. */
  readonly enoughMicroseconds: number;
  /** Whether each run begins with empty processor caches. With warm caches, only small tables fit into them, which makes small sizes too cheap. */
  readonly isCold: boolean;
}

export const fullEffort: Effort = {
  sampleMicroseconds: 20_000,
  fewestSamples: 7,
  mostSamples: 40,
  enoughMicroseconds: 200_000,
  isCold: true,
};

export const quickEffort: Effort = {
  sampleMicroseconds: 8000,
  fewestSamples: 3,
  mostSamples: 3,
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
    const microseconds = costOf(sweep.prepare(size), effort);
    points.push({ size, microseconds });
    if (microseconds > tooLongMicroseconds) break;
  }
  return { points, exponent: exponent(points) };
}

/** CPU time of one unit: the median of several samples. The first sample is a warm-up, and counts only if no other sample is taken. */
function costOf({ run, units }: Work, effort: Effort): number {
  const { fewestSamples, mostSamples, enoughMicroseconds } = effort;
  globalThis.gc?.();
  let spent = 0;
  const sample = () => {
    const { microseconds, runs } = runFor(run, effort);
    spent += microseconds;
    return microseconds / runs / units;
  };
  const samples = [sample()];
  while (samples.length <= mostSamples && spent < tooLongMicroseconds) {
    if (samples.length > fewestSamples && spent > enoughMicroseconds) break;
    samples.push(sample());
  }
  return median(samples.length > 1 ? samples.slice(1) : samples);
}

/** Repeats the run until all runs together have taken long enough, because the CPU clock may advance in steps of milliseconds. */
function runFor(
  run: () => void,
  { sampleMicroseconds, isCold }: Effort,
): { readonly microseconds: number; readonly runs: number } {
  let microseconds = 0;
  let runs = 0;
  while (microseconds < sampleMicroseconds) {
    if (isCold) emptyCaches();
    const before = process.threadCpuUsage();
    run();
    const { user, system } = process.threadCpuUsage(before);
    microseconds += user + system;
    runs++;
  }
  return { microseconds, runs };
}

/** Larger than the caches of one core. A cache that the cores share may be larger: it then keeps a part of its content. */
const cacheOctets = 32 * 2 ** 20;
const lineOctets = 64;
let evictor: Uint8Array | undefined;

/** Displaces everything else from caches of at most `cacheOctets`. */
function emptyCaches(): void {
  evictor ??= new Uint8Array(cacheOctets);
  for (let i = 0; i < cacheOctets; i += lineOctets) evictor[i] = (evictor[i] ?? 0) + 1;
}
