import type { Registry } from 'prom-client';
import { registerCollected } from './collected-metric.ts';

/** The configuration that a process uses. */
export interface ConfigInForce {
  readonly hash: string;
  /** Grows with each accepted configuration. 0 when no generation is recorded. */
  readonly generation: number;
}

/** Registers the metrics that say which configuration the process uses. They have no samples while the process uses none. */
export function registerConfigMetrics(registry: Registry, inForce: () => ConfigInForce | undefined): void {
  registerCollected(registry, {
    name: 'bellman_config_generation',
    help: 'Generation of the accepted configuration that this process uses. It grows with each accepted configuration. Missing while the process uses none.',
    type: 'gauge',
    labelNames: [],
    samples: () => {
      const config = inForce();
      return config ? [[{}, config.generation]] : [];
    },
  });
  registerCollected(registry, {
    name: 'bellman_config_info',
    help: 'Always 1. The label identifies the accepted configuration that this process uses. Missing while the process uses none.',
    type: 'gauge',
    labelNames: ['hash'],
    samples: () => {
      const config = inForce();
      return config ? [[{ hash: config.hash }, 1]] : [];
    },
  });
}
