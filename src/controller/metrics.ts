import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Allocator } from './allocator/allocator.ts';

/** The controller's metrics; families that MetalLB has keep their names under our prefix. */
export class ControllerMetrics {
  readonly configLoaded: Gauge;
  readonly configStale: Gauge;
  readonly leading: Gauge;
  readonly writes: Counter<'object' | 'result'>;
  readonly refusals: Counter<'cause'>;
  readonly allocationSeconds: Histogram;

  constructor(registry: Registry, allocator: Allocator) {
    const registers = [registry];
    this.configLoaded = new Gauge({
      name: 'bellman_k8s_client_config_loaded_bool',
      help: '1 when a configuration is in force.',
      registers,
    });
    this.configStale = new Gauge({
      name: 'bellman_k8s_client_config_stale_bool',
      help: '1 when the ConfigMap was edited into something that was not accepted; the last accepted configuration is in force.',
      registers,
    });
    this.leading = new Gauge({
      name: 'bellman_controller_leader_bool',
      help: '1 while this replica holds the Lease.',
      registers,
    });
    this.writes = new Counter({
      name: 'bellman_controller_writes_total',
      help: 'Writes to the API server by kind of object and result.',
      labelNames: ['object', 'result'],
      registers,
    });
    this.refusals = new Counter({
      name: 'bellman_allocator_refusals_total',
      help: 'Allocations refused, by cause.',
      labelNames: ['cause'],
      registers,
    });
    this.allocationSeconds = new Histogram({
      name: 'bellman_controller_allocation_seconds',
      help: 'From a Service seen to lack an address until its status is written.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    });
    const perPool = (name: string, help: string, value: (size: number, free: number) => number) =>
      new Gauge({
        name,
        help,
        labelNames: ['pool', 'family'],
        registers,
        collect() {
          this.reset();
          for (const { pool, family, size, free } of allocator.usage())
            this.set({ pool, family: `ipv${family}` }, value(Number(size), Number(free)));
        },
      });
    perPool('bellman_allocator_addresses_total', 'Usable addresses of the pool.', (size) => size);
    perPool('bellman_allocator_addresses_in_use_total', 'Addresses in use.', (size, free) => size - free);
    perPool('bellman_allocator_addresses_free_total', 'Addresses free.', (_, free) => free);
  }
}
