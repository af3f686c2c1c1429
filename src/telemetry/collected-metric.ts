import type { Gauge, Registry } from 'prom-client';

export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

export interface CollectedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labelNames: readonly string[];
  /** Called whenever the registry is read. */
  readonly samples: () => Iterable<Sample>;
}

/**
 * Registers a metric whose samples are made for each reading of the registry, and are not kept. prom-client's own classes keep each series
 * with a text that identifies it: about 1 KB for each series, which is too much for a metric with a series for each address.
 */
export function registerCollected(
  registry: Registry,
  { name, help, type, labelNames, samples }: CollectedMetric,
): void {
  const get = async () => ({
    ...{ name, help, type, aggregator: 'sum' },
    values: Array.from(samples(), ([labels, value]) => ({ labels, value })),
  });
  // This object has only what a registry asks of a metric.
  const metric: object = { name, help, type, labelNames, get, reset: () => undefined };
  registry.registerMetric(metric as Gauge);
}
