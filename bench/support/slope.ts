/** A value that was measured at a time. */
export interface Sample {
  readonly at: number;
  readonly value: number;
}

/** A straight line through samples. */
export interface Slope {
  readonly mean: number;
  /** Change of the value in one unit of time. */
  readonly slope: number;
  /**
   * Standard error of the slope, if the deviations from the line are independent. Infinite for fewer than three samples, or if all samples have the
   * same time.
   */
  readonly standardError: number;
}

/** The line with the least sum of squared deviations from the samples. */
export function slopeOf(samples: readonly Sample[]): Slope {
  const count = samples.length;
  const sum = (of: (sample: Sample) => number) => samples.reduce((total, sample) => total + of(sample), 0);
  const meanAt = sum(({ at }) => at) / count;
  const mean = sum(({ value }) => value) / count;
  const spread = sum(({ at }) => (at - meanAt) ** 2);
  const slope = spread === 0 ? 0 : sum(({ at, value }) => (at - meanAt) * (value - mean)) / spread;
  const deviations = sum(({ at, value }) => (value - mean - slope * (at - meanAt)) ** 2);
  const standardError =
    count < 3 || spread === 0 ? Number.POSITIVE_INFINITY : Math.sqrt(deviations / (count - 2) / spread);
  return { mean, slope, standardError };
}
