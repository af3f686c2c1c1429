import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { PoolConfig } from '../config/index.ts';
import type { Allocator } from './allocator/allocator.ts';

/** What gauges are read from when they are asked for. */
export interface GaugeSource {
  readonly allocator: Allocator;
  readonly pools: () => readonly PoolConfig[];
  /** Services whose status waits to be written. */
  readonly queued: () => number;
}

/** The controller's metrics; families that MetalLB has keep their names under our prefix. */
export class ControllerMetrics {
  readonly configLoaded: Gauge;
  readonly configUpdates: Counter;
  readonly configErrors: Counter;
  readonly writes: Counter<'object' | 'result'>;
  readonly refusals: Counter<'cause'>;
  readonly allocationSeconds: Histogram;
  readonly #leading: Gauge;
  readonly #configStale: readonly Gauge[];
  #source: GaugeSource | undefined;

  constructor(registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
    const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
      new Counter<L>({ name, help, labelNames, registers });
    this.configLoaded = gauge(
      'bellman_k8s_client_config_loaded_bool',
      '1 while a configuration is in force.',
    );
    const stale =
      '1 while the text of the ConfigMap is rejected and the last accepted configuration is in force.';
    this.#configStale = ['bellman_k8s_client_config_stale_bool', 'bellman_config_stale'].map((name) =>
      gauge(name, stale),
    );
    this.configUpdates = counter('bellman_k8s_client_updates_total', 'Configurations accepted.');
    this.configErrors = counter('bellman_k8s_client_update_errors_total', 'Configurations rejected.');
    this.#leading = gauge('bellman_controller_leader_bool', '1 while this replica may write.');
    this.writes = counter(
      'bellman_controller_writes_total',
      'Writes to the API server, by kind of object and result.',
      'object',
      'result',
    );
    this.refusals = counter('bellman_allocator_refusals_total', 'Allocations refused, by cause.', 'cause');
    this.allocationSeconds = new Histogram({
      name: 'bellman_controller_allocation_seconds',
      help: 'Time from the first sight of a Service without an address until its status is written.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    });
    this.#collected(registry);
  }

  configStale(stale: boolean): void {
    for (const gauge of this.#configStale) gauge.set(Number(stale));
  }

  /** This replica decides from now on; gauges are read from `source`. */
  termBegun(source: GaugeSource): void {
    this.#leading.set(1);
    this.#source = source;
  }

  /** Another replica knows better now: what this one said last is not said any longer. */
  termOver(): void {
    this.#leading.set(0);
    this.configLoaded.set(0);
    this.configStale(false);
    this.#source = undefined;
  }

  #collected(registry: Registry): void {
    const collected = (
      name: string,
      help: string,
      labelNames: string[],
      values: (source: GaugeSource) => Iterable<readonly [Record<string, string>, number]>,
    ) => {
      const gauge: Gauge = new Gauge({
        name,
        help,
        labelNames,
        registers: [registry],
        collect: () => {
          gauge.reset();
          if (this.#source) for (const [labels, value] of values(this.#source)) gauge.set(labels, value);
        },
      });
    };
    const usage = (name: string, help: string, value: (size: number, free: number) => number) =>
      collected(name, help, ['pool', 'family'], ({ allocator }) =>
        allocator
          .usage()
          .map(({ pool, family, size, free }) => [
            { pool, family: `ipv${family}` },
            value(Number(size), Number(free)),
          ]),
      );
    usage('bellman_allocator_addresses_total', 'Usable addresses of the pool.', (size) => size);
    usage('bellman_allocator_addresses_in_use_total', 'Addresses in use.', (size, free) => size - free);
    usage('bellman_allocator_addresses_free_total', 'Addresses free.', (_, free) => free);
    collected(
      'bellman_controller_queue_depth',
      'Services whose status waits to be written or is being written.',
      [],
      ({ queued }) => [[{}, queued()]],
    );
    collected(
      'bellman_allocator_namespace_limit',
      'Limit of the pool for the addresses of one namespace.',
      ['pool'],
      ({ pools }) =>
        pools().flatMap(({ name, limitPerNamespace }) =>
          limitPerNamespace === undefined ? [] : [[{ pool: name }, limitPerNamespace] as const],
        ),
    );
    collected(
      'bellman_allocator_namespace_addresses_in_use_total',
      'Addresses that a namespace holds of a pool with a limit per namespace.',
      ['pool', 'namespace'],
      heldPerNamespace,
    );
  }
}

function* heldPerNamespace({ pools, allocator }: GaugeSource): Iterable<[Record<string, string>, number]> {
  const limited = new Set(
    pools()
      .filter(({ limitPerNamespace }) => limitPerNamespace !== undefined)
      .map(({ name }) => name),
  );
  if (limited.size === 0) return;
  for (const { pool, namespace, held } of allocator.heldByNamespace())
    if (limited.has(pool)) yield [{ pool, namespace }, held];
}
