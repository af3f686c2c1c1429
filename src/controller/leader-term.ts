/**
 * One term of leadership: watches → gate → allocator → Services.
 *
 * A term lists all objects after the replica has acquired the Lease, so it knows the last writes of the previous leader. The term decides
 * nothing before all first lists are complete: both ConfigMaps, the namespaces and the Services.
 */
import type { Clock } from '../clock.ts';
import type { AcceptedConfig } from '../cluster/accepted-config.ts';
import { acceptedConfigMapName, configMapName } from '../cluster/names.ts';
import { type Labels, protocolText } from '../config/index.ts';
import type { Api, RawObject } from '../kubernetes/api.ts';
import { decodeConfigMap, decodeNamespace, decodeService } from '../kubernetes/decode.ts';
import type { EventRecorder } from '../kubernetes/event-recorder.ts';
import { watch } from '../kubernetes/watch.ts';
import { paths } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Guard } from '../telemetry/guard.ts';
import type { Turns } from '../turns.ts';
import { Allocator } from './allocator/allocator.ts';
import { ClusterLint } from './config/cluster-lint.ts';
import { ConfigReconciler } from './config/config-reconciler.ts';
import { DeadNodes } from './dead-nodes/dead-nodes.ts';
import { MembershipSecretKeeper } from './membership-secret.ts';
import type { ControllerMetrics } from './metrics.ts';
import { ServiceReconciler } from './services/service-reconciler.ts';

export interface LeaderTermOptions {
  /** Refuses to write once the term is over. */
  readonly client: Api;
  readonly namespace: string;
  readonly loadBalancerClass: string | undefined;
  /** Whether the controller writes conditions into the status of Services (`--service-conditions`). */
  readonly showsConditions: boolean;
  /** Whether another program assigns addresses. The controller then assigns none and changes no Service. */
  readonly adoptOnly: boolean;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly guard: Guard;
  readonly recorder: FlightRecorder;
  readonly signal: AbortSignal;
}

export class LeaderTerm {
  readonly #options: LeaderTermOptions;
  readonly #allocator = new Allocator();
  readonly #services: ServiceReconciler;
  readonly #config: ConfigReconciler;
  readonly #clusterLint: ClusterLint;
  readonly #deadNodes: DeadNodes;
  readonly #namespaces = new Map<string, Labels>();
  /** Kinds of objects whose first list is not complete. */
  readonly #unsynced = new Set<string>();

  constructor(options: LeaderTermOptions) {
    this.#options = options;
    this.#services = new ServiceReconciler({
      ...options,
      allocator: this.#allocator,
      onAddressesChanged: () => this.#config.addressesChanged(),
    });
    this.#deadNodes = new DeadNodes({ ...options, configMapUid: () => this.#config.uid });
    this.#clusterLint = new ClusterLint({
      ...options,
      loadBalancers: () => this.#services.loadBalancerLabels(),
      namespaces: this.#namespaces,
      onWarnings: (text) => this.#config.setClusterWarnings(text),
    });
    this.#config = new ConfigReconciler({
      ...options,
      services: this.#services,
      onConfig: (config) => {
        if (options.signal.aborted) return;
        this.#clusterLint.setConfig(config);
        if (!options.adoptOnly) this.#deadNodes.setConfig(config);
      },
    });
  }

  get configInForce(): AcceptedConfig | undefined {
    return this.#config.accepted;
  }

  /** The term's part of `/status`. */
  status(): object {
    const poolsByName = new Map(this.#config.pools.map((pool) => [pool.name, pool]));
    return {
      waitingFor: [...this.#unsynced],
      config: this.#config.state(),
      pools: this.#allocator.usage().map(({ pool, family, size, free }) => {
        const config = poolsByName.get(pool);
        return {
          pool,
          protocol: config && protocolText(config),
          draining: config?.draining,
          family: `ipv${family}`,
          size: Number(size),
          used: Number(size - free),
          free: Number(free),
        };
      }),
      services: this.#services.status(),
      waiting: this.#allocator.waiting(),
      deadNodes: this.#deadNodes.status(),
      longWork: this.#options.turns.status(),
    };
  }

  /** Serves until the signal aborts and the work under way is done. */
  async serve(): Promise<void> {
    const { metrics, signal } = this.#options;
    const watches = this.#watchAll();
    const secret = new MembershipSecretKeeper(this.#options);
    secret.start();
    metrics.termBegun({
      allocator: this.#allocator,
      pools: () => this.#config.pools,
      queued: () => this.#services.queued,
      deaths: () => this.#deadNodes.decisions,
    });
    await Promise.all(watches);
    if (!signal.aborted) throw new Error('watches ended before the term did');
    await Promise.all([
      this.#services.stop(),
      this.#clusterLint.stop(),
      this.#config.stop(),
      this.#deadNodes.stop(),
      secret.stop(),
    ]);
    metrics.termOver();
  }

  #watchAll(): Promise<void>[] {
    const configMaps = paths.configMaps(this.#options.namespace);
    const named = (name: string) => `metadata.name=${name}`;
    return [
      this.#follow(
        'ConfigMap',
        configMaps,
        decodeConfigMap,
        (_, configMap) => this.#config.setConfigMap(configMap),
        named(configMapName),
      ),
      this.#follow(
        'accepted ConfigMap',
        configMaps,
        decodeConfigMap,
        (_, copy) => this.#config.setCopy(copy),
        named(acceptedConfigMapName),
      ),
      this.#follow('namespaces', paths.namespaces, decodeNamespace, (name, namespace) =>
        this.#setNamespace(name, namespace?.labels),
      ),
      this.#follow(
        'Services',
        paths.services,
        (raw) => this.#services.kept(decodeService(raw)),
        (key, service) => this.#services.setService(key, service),
      ),
    ];
  }

  #follow<T>(
    kind: string,
    path: string,
    decode: (raw: RawObject) => T | undefined,
    changed: (key: string, object: T | undefined) => void,
    fieldSelector?: string,
  ): Promise<void> {
    const { client, clock, turns, logger, guard, signal } = this.#options;
    this.#unsynced.add(kind);
    const synced = () => {
      this.#unsynced.delete(kind);
      if (this.#unsynced.size === 0) this.#begin();
    };
    const selected = fieldSelector === undefined ? {} : { fieldSelector };
    const handler = { changed, synced };
    return watch({ client, path, decode, handler, guard, clock, turns, logger, signal, ...selected });
  }

  #begin(): void {
    const known = { namespaces: this.#namespaces.size, services: this.#services.known };
    this.#options.logger.info(known, 'in sync');
    this.#services.setNamespaces(this.#namespaces);
    this.#config.start();
  }

  #setNamespace(name: string, labels: Labels | undefined): void {
    const before = JSON.stringify(this.#namespaces.get(name));
    if (labels) this.#namespaces.set(name, labels);
    else this.#namespaces.delete(name);
    if (this.#unsynced.size === 0 && JSON.stringify(labels) !== before) this.#services.namespaceChanged(name);
  }
}
