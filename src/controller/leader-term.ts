/**
 * One term of leadership: watches → gate → allocator → Services. Everything is listed afresh once the Lease is ours, so that what the
 * predecessor wrote last is known; and nothing is handed out before all of it is there: the ConfigMaps, the namespaces, the Services.
 */

import type { Clock } from '../clock.ts';
import { acceptedConfigMapName, configMapName } from '../cluster/names.ts';
import type { Labels, PoolConfig } from '../config/index.ts';
import type { Api, RawObject } from '../kubernetes/api.ts';
import { decodeConfigMap, decodeNamespace, decodeService } from '../kubernetes/decode.ts';
import type { EventRecorder } from '../kubernetes/event-recorder.ts';
import { watch } from '../kubernetes/watch.ts';
import { WorkQueue } from '../kubernetes/work-queue.ts';
import { paths } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';
import { Allocator } from './allocator/allocator.ts';
import { ConfigKeeper } from './config-keeper.ts';
import { ensureMembershipSecret } from './membership-secret.ts';
import type { ControllerMetrics } from './metrics.ts';
import { ServiceReconciler } from './service-reconciler.ts';

/** How often the membership Secret is looked for. */
const secretLookMs = 10_000;

export interface TermOptions {
  /** Refuses to write when the term is over. */
  readonly client: Api;
  readonly namespace: string;
  readonly loadBalancerClass: string | undefined;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export class Term {
  readonly #options: TermOptions;
  readonly #allocator = new Allocator();
  readonly #reconciler: ServiceReconciler;
  readonly #keeper: ConfigKeeper;
  readonly #namespaces = new Map<string, Labels>();
  readonly #awaited = new Set<string>();
  #pools: readonly PoolConfig[] = [];

  constructor(options: TermOptions) {
    this.#options = options;
    this.#reconciler = new ServiceReconciler({
      ...options,
      allocator: this.#allocator,
      changed: () => this.#keeper.addressesChanged(),
    });
    this.#keeper = new ConfigKeeper({
      ...options,
      assigned: () => this.#reconciler.assigned(),
      inForce: (config) => {
        this.#pools = config.pools;
        this.#reconciler.setConfig(config);
      },
      hold: (held) => this.#reconciler.hold(held),
    });
  }

  /** What `/status` says of it. */
  status(): object {
    return {
      waitingFor: [...this.#awaited],
      config: this.#keeper.state(),
      pools: this.#allocator.usage().map(({ pool, family, size, free }) => ({
        pool,
        protocol: this.#pools.find(({ name }) => name === pool)?.protocol,
        draining: this.#pools.find(({ name }) => name === pool)?.draining,
        family: `ipv${family}`,
        size: Number(size),
        used: Number(size - free),
        free: Number(free),
      })),
      services: this.#reconciler.status(),
      waiting: this.#allocator.waiting(),
    };
  }

  /** Serves until the signal aborts and what was under way is over. */
  async serve(): Promise<void> {
    const { namespace, metrics, signal } = this.#options;
    const watches = [
      this.#follow(
        'ConfigMap',
        paths.configMaps(namespace),
        decodeConfigMap,
        (_, configMap) => this.#keeper.setConfigMap(configMap),
        `metadata.name=${configMapName}`,
      ),
      this.#follow(
        'accepted ConfigMap',
        paths.configMaps(namespace),
        decodeConfigMap,
        (_, copy) => this.#keeper.setCopy(copy),
        `metadata.name=${acceptedConfigMapName}`,
      ),
      this.#follow('namespaces', paths.namespaces, decodeNamespace, (name, object) =>
        this.#setNamespace(name, object?.labels),
      ),
      this.#follow('Services', paths.services, decodeService, (key, service) =>
        this.#reconciler.setService(key, service),
      ),
    ];
    metrics.termBegun({
      allocator: this.#allocator,
      pools: () => this.#pools,
      queued: () => this.#reconciler.queued,
    });
    const secret = this.#lookAfterSecret();
    await Promise.all(watches);
    if (!signal.aborted) throw new Error('watches ended before the term did');
    secret.stop();
    await Promise.all([this.#reconciler.stop(), this.#keeper.stop(), secret.settled()]);
    metrics.termOver();
  }

  #follow<T>(
    what: string,
    path: string,
    decode: (raw: RawObject) => T | undefined,
    changed: (key: string, object: T | undefined) => void,
    fieldSelector?: string,
  ): Promise<void> {
    const { client, clock, logger, signal } = this.#options;
    this.#awaited.add(what);
    const synced = () => {
      this.#awaited.delete(what);
      if (this.#awaited.size === 0) this.#begin();
    };
    const selected = fieldSelector === undefined ? {} : { fieldSelector };
    return watch({ client, path, decode, handler: { changed, synced }, clock, logger, signal, ...selected });
  }

  #begin(): void {
    const known = { namespaces: this.#namespaces.size, services: this.#reconciler.known };
    this.#options.logger.info(known, 'state of the cluster known');
    this.#reconciler.setNamespaces(this.#namespaces);
    this.#keeper.start();
  }

  #setNamespace(name: string, labels: Labels | undefined): void {
    const before = JSON.stringify(this.#namespaces.get(name));
    if (labels) this.#namespaces.set(name, labels);
    else this.#namespaces.delete(name);
    if (this.#awaited.size === 0 && JSON.stringify(labels) !== before)
      this.#reconciler.setNamespaces(this.#namespaces);
  }

  #lookAfterSecret(): WorkQueue {
    const { client, clock, namespace, logger } = this.#options;
    let fault: string | undefined;
    const queue = new WorkQueue({
      clock,
      concurrency: 1,
      firstRetryMs: 500,
      work: async () => {
        const state = await ensureMembershipSecret(client, namespace);
        if (state.kind === 'created') logger.info('membership Secret made');
        const reason = state.kind === 'unusable' ? state.reason : undefined;
        if (reason !== undefined && reason !== fault)
          logger.error({ reason }, 'membership Secret not usable; it is made anew when it is deleted');
        fault = reason;
        clock.after(secretLookMs, () => queue.add('membership'));
      },
      onError: (_, error) =>
        logger.debug({ reason: String(error) }, 'membership Secret not looked after yet'),
    });
    queue.add('membership');
    return queue;
  }
}
