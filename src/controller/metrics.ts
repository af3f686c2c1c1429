import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { formatIp } from '../address/index.ts';
import type { PoolConfig } from '../config/index.ts';
import { registerCollected, type Sample } from '../telemetry/collected-metric.ts';
import type { Allocator } from './allocator/allocator.ts';
import { type DeathDecision, deathStates } from './death-judge/death-judge.ts';

/** The state from which the gauges take their values when Prometheus collects them. */
export interface GaugeSource {
  readonly allocator: Allocator;
  readonly pools: () => readonly PoolConfig[];
  /** Number of Services whose status is being written or waits to be written, also those that wait for a retry. */
  readonly queued: () => number;
  readonly deaths: () => readonly Pick<DeathDecision, 'state'>[];
}

/** A gauge whose samples are computed on collection. */
interface CollectedGauge {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly samples: (source: GaugeSource) => Iterable<Sample>;
  readonly takenInSlices?: boolean;
}

const collectedGauges: readonly CollectedGauge[] = [
  usageGauge('bellman_allocator_addresses_total', 'Usable addresses of the pool.', (size) => size),
  usageGauge('bellman_allocator_addresses_in_use_total', 'Addresses in use.', (size, free) => size - free),
  usageGauge('bellman_allocator_addresses_free', 'Addresses free.', (_, free) => free),
  {
    name: 'bellman_controller_queue_depth',
    help: 'Services whose status waits to be written or is being written.',
    labelNames: [],
    samples: ({ queued }) => [[{}, queued()]],
  },
  {
    name: 'bellman_controller_services_waiting',
    help: 'Services that lack an address they need or ask for, by cause.',
    labelNames: ['cause'],
    samples: ({ allocator }) => {
      const counts = new Map<string, number>();
      for (const { cause } of allocator.refusals()) counts.set(cause, (counts.get(cause) ?? 0) + 1);
      return [...counts].map(([cause, count]) => [{ cause }, count]);
    },
  },
  {
    name: 'bellman_controller_dead_nodes',
    help: 'Nodes that a majority of the speakers reports as dead, by what the controller does about it.',
    labelNames: ['state'],
    samples: ({ deaths }) => {
      // The controller marks a dead node in the same turn in which it finds the node dead, so a collection never meets the state `dead`.
      const states = deathStates.filter((state) => state !== 'dead');
      const counts = new Map<DeathDecision['state'], number>(states.map((state) => [state, 0]));
      for (const { state } of deaths()) counts.set(state, (counts.get(state) ?? 0) + 1);
      return [...counts].map(([state, count]) => [{ state }, count]);
    },
  },
  {
    name: 'bellman_allocator_namespace_limit',
    help: 'Largest number of addresses of the pool that one namespace may hold.',
    labelNames: ['pool'],
    samples: ({ pools }) =>
      pools().flatMap(({ name, limitPerNamespace }) =>
        limitPerNamespace === undefined ? [] : [[{ pool: name }, limitPerNamespace] as const],
      ),
  },
  {
    name: 'bellman_allocator_namespace_addresses_in_use',
    help: 'Addresses of the pool that the namespace holds, for pools with a limit per namespace.',
    labelNames: ['pool', 'namespace'],
    samples: heldPerNamespace,
  },
  {
    name: 'bellman_allocator_address_assigned',
    help: 'Always 1. The labels name an address, the Service that holds it, and its pool.',
    labelNames: ['service', 'ip', 'pool'],
    samples: assignedAddresses,
    takenInSlices: true,
  },
];

/** The controller's metrics. A metric that MetalLB also has keeps MetalLB's name, but with Bellman's prefix. */
export class ControllerMetrics {
  readonly configLoaded: Gauge;
  readonly configUpdates: Counter;
  readonly configErrors: Counter;
  readonly writes: Counter<'object' | 'result'>;
  readonly refusals: Counter<'cause'>;
  readonly allocationSeconds: Histogram;
  readonly nodeDeaths: Counter<'result'>;
  readonly podsMarked: Counter;
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
      '1 while the text of the ConfigMap is rejected or missing. The last accepted configuration, if there is one, stays in force.';
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
    this.nodeDeaths = counter(
      'bellman_controller_node_deaths_total',
      'Nodes that were found dead and marked, and marked nodes that returned.',
      'result',
    );
    this.podsMarked = counter('bellman_controller_pods_marked_total', 'Pods of dead nodes set to not ready.');
    this.allocationSeconds = new Histogram({
      name: 'bellman_controller_allocation_seconds',
      help: 'Time from when the status of a Service is first seen to lack an assigned address until the status is written.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    });
    for (const each of collectedGauges) this.#register(registry, each);
  }

  configStale(isStale: boolean): void {
    for (const gauge of this.#configStale) gauge.set(Number(isStale));
  }

  /** Marks this replica as the leader. Gauges are read from `source` until the term is over. */
  termBegun(source: GaugeSource): void {
    this.#leading.set(1);
    this.#source = source;
  }

  /** Marks this replica as not leading. The collected gauges report nothing from now on, because they would be out of date. */
  termOver(): void {
    this.#leading.set(0);
    this.configLoaded.set(0);
    this.configStale(false);
    this.#source = undefined;
  }

  #register(registry: Registry, { samples, ...metric }: CollectedGauge): void {
    registerCollected(registry, {
      ...metric,
      type: 'gauge',
      samples: () => (this.#source ? samples(this.#source) : []),
    });
  }
}

function usageGauge(
  name: string,
  help: string,
  value: (size: number, free: number) => number,
): CollectedGauge {
  return {
    name,
    help,
    labelNames: ['pool', 'family'],
    samples: ({ allocator }) =>
      allocator
        .usage()
        .map(({ pool, family, size, free }) => [
          { pool, family: `ipv${family}` },
          value(Number(size), Number(free)),
        ]),
  };
}

function* heldPerNamespace({ pools, allocator }: GaugeSource): Iterable<Sample> {
  const limited = new Set(
    pools()
      .filter(({ limitPerNamespace }) => limitPerNamespace !== undefined)
      .map(({ name }) => name),
  );
  if (limited.size === 0) return;
  for (const { pool, namespace, held } of allocator.heldByNamespace())
    if (limited.has(pool)) yield [{ pool, namespace }, held];
}

/** The samples are taken in slices. Each Service is visited once, even if a decision about it is made between two slices. */
function* assignedAddresses({ allocator }: GaugeSource): Iterable<Sample> {
  for (const service of allocator.services())
    for (const { address, pool } of allocator.holdingOf(service))
      yield [{ service, ip: formatIp(address), pool }, 1];
}
