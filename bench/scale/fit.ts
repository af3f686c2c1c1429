/** A measured cost: CPU time in microseconds at a size. */
export interface Point {
  readonly size: number;
  readonly microseconds: number;
}

/** The middle value, or the mean of the two middle values. NaN without values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** NaN without values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

/**
 * The exponent b of the power law `cost = a · size^b` that fits the points best: the slope of the least-squares line through the logarithms.
 * 0 means that the cost does not depend on the size, 1 means that it is proportional. NaN with fewer than two sizes.
 */
export function exponent(points: readonly Point[]): number {
  const logs = points.map(({ size, microseconds }) => [Math.log(size), Math.log(microseconds)] as const);
  const [meanX, meanY] = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))];
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return covariance / variance;
}
