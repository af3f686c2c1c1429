import type { Gauge, Registry } from 'prom-client';

export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

export interface CollectedMetricOptions {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labelNames: readonly string[];
  /** Called whenever the registry is read. */
  readonly samples: () => Iterable<Sample>;
  /**
   * Whether the samples may be taken over several turns of the event loop. They then do not all show the same moment. Even if the data
   * changes meanwhile, `samples` must not give two samples with the same labels, because Prometheus refuses them.
   */
  readonly takenInSlices?: boolean;
}

/**
 * A metric whose samples are made for each reading of the registry, and are not kept. prom-client's own classes keep each series with a text that
 * identifies it: about 1 KB for each series, which is too much for a metric with a series for each address.
 */
export class CollectedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
  readonly samples: () => Iterable<Sample>;
  readonly takenInSlices: boolean;

  constructor({ name, help, type, labelNames, samples, takenInSlices = false }: CollectedMetricOptions) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.labelNames = labelNames;
    this.samples = samples;
    this.takenInSlices = takenInSlices;
  }

  /** The metric as prom-client's JSON. A registry calls this. */
  async get(): Promise<object> {
    const { name, help, type } = this;
    return {
      ...{ name, help, type, aggregator: 'sum' },
      values: Array.from(this.samples(), ([labels, value]) => ({ labels, value })),
    };
  }

  /** A registry calls this when it resets all its metrics. There is nothing to reset. */
  reset(): void {}
}

export function registerCollected(registry: Registry, options: CollectedMetricOptions): void {
  // The class has what a registry asks of a metric.
  registry.registerMetric(new CollectedMetric(options) as object as Gauge);
}
