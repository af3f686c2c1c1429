/**
 * Applies the gate to each edit of the ConfigMap. The reconciler stores an accepted text in annotations of the ConfigMap and in a copy, a second
 * ConfigMap, which remains when the first one is deleted. The reconciler reports when the ConfigMap's text is not in force.
 *
 *   edit ──→ judge ──accepted──→ annotations ──→ in force ──→ event ConfigAccepted ──→ copy
 *              └────rejected──→ annotations status and error, event ConfigStale; the accepted text stays in force
 *
 * A configuration is stored before it is put in force. After a restart at any moment, the controller therefore finds the configuration again, even
 * if the text of the ConfigMap has changed. There is one exception: if the ConfigMap is deleted during the write, the configuration is in
 * force before the copy stores it. While a new configuration is being judged and stored, no address is assigned, because the new configuration
 * may remove the pool of the address.
 *
 * The loop is level-triggered: it compares the annotations and the copy with what they should say. The loop therefore also repairs the
 * annotations and the copy after another client has changed them.
 */
import type { Clock } from '../../clock.ts';
import { type AcceptedConfig, recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { acceptedConfigMapName, annotations, configMapKey, configMapName } from '../../cluster/names.ts';
import type { AssignedAddress, Config, PoolConfig } from '../../config/index.ts';
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { ApiError, isConflict, isNotFound } from '../../kubernetes/api-error.ts';
import { decodeConfigMap } from '../../kubernetes/decode.ts';
import type { EventRecorder } from '../../kubernetes/event-recorder.ts';
import type { ConfigMap } from '../../kubernetes/model.ts';
import { WorkQueue } from '../../kubernetes/work-queue.ts';
import { isOlderVersion, patchAnnotations, paths } from '../../kubernetes/write.ts';
import type { Logger } from '../../log.ts';
import type { FlightRecorder } from '../../telemetry/flight-recorder.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { Turns } from '../../turns.ts';
import type { ControllerMetrics } from '../metrics.ts';
import type { ServiceReconciler } from '../services/service-reconciler.ts';
import { type AnnotationChange, configMapChange, copyChange, warningText } from './config-annotations.ts';
import { judgeConfigMap, notStored, orphaning, sortedOrphanSteps, type Verdict } from './config-verdict.ts';
import { VerdictReporter } from './verdict-reporter.ts';

export interface ConfigReconcilerOptions {
  readonly client: Api;
  readonly namespace: string;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly guard: Guard;
  readonly recorder: FlightRecorder;
  /** Receives each configuration that is put in force, and decides nothing while a configuration is being judged and stored. */
  readonly services: Pick<ServiceReconciler, 'settle' | 'assigned' | 'setConfig' | 'release'>;
  /** Receives each configuration that is put in force, after `services` has received it. */
  readonly onConfig: (config: Config) => void;
}

/** The configuration's part of `/status`. */
export interface ConfigState {
  readonly status: 'none' | 'active' | 'stale';
  readonly hash?: string;
  readonly acceptedAt?: string;
  readonly error?: string;
  /** Warnings about the accepted configuration. */
  readonly warnings?: string;
  /** Warnings about the accepted configuration in this cluster, one in each line. */
  readonly clusterWarnings?: string;
}

/** Delay before a text is judged again after addresses changed, so that many changes cost one judgement. */
const rejudgeDelayMs = 1000;

export class ConfigReconciler {
  readonly #options: ConfigReconcilerOptions;
  readonly #reporter: VerdictReporter;
  readonly #queue: WorkQueue;
  #configMap: ConfigMap | undefined;
  /** Events about a deleted ConfigMap use this UID. */
  #uid = '';
  #copy: ConfigMap | undefined;
  /** Number of states of the copy that the watch has reported. */
  #copyReports = 0;
  #accepted: AcceptedConfig | undefined;
  #verdict: Verdict = { kind: 'none', reason: 'not judged yet' };
  /**
   * Warnings about the accepted configuration in this cluster. After a start, `undefined` until `ClusterLint` has judged the configuration. `null`
   * when there are no warnings, and from the acceptance of a new configuration until `ClusterLint` has judged it.
   */
  #clusterWarnings: string | null | undefined;
  #isStarted = false;
  /** Whether the last accepted text is in force. */
  #isInForce = false;
  #isRejudgeDue = false;

  constructor(options: ConfigReconcilerOptions) {
    this.#options = options;
    this.#reporter = new VerdictReporter(options);
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: 1,
      reachability: options.client.reachability,
      work: () => this.#reconcile(),
      onError: (_, error) => this.#failed(error),
    });
  }

  state(): ConfigState {
    const verdict = this.#verdict;
    const warnings = this.#accepted && warningText(this.#accepted);
    return {
      status: verdict.kind,
      ...(this.#accepted ? { hash: this.#accepted.hash, acceptedAt: this.#accepted.at } : {}),
      ...(verdict.kind === 'active' ? {} : { error: verdict.reason }),
      ...(warnings ? { warnings } : {}),
      ...(this.#clusterWarnings ? { clusterWarnings: this.#clusterWarnings } : {}),
    };
  }

  /** The configuration in force. */
  get accepted(): AcceptedConfig | undefined {
    return this.#accepted;
  }

  /** The UID of the last ConfigMap that existed. */
  get uid(): string {
    return this.#uid;
  }

  /** The pools in force. */
  get pools(): readonly PoolConfig[] {
    return this.#accepted?.config.pools ?? [];
  }

  setConfigMap(configMap: ConfigMap | undefined): void {
    this.#configMap = newer(this.#configMap, configMap);
    this.#uid = configMap?.uid ?? this.#uid;
    this.#reconcileSoon();
  }

  setCopy(copy: ConfigMap | undefined): void {
    this.#copy = newer(this.#copy, copy);
    this.#copyReports++;
    this.#reconcileSoon();
  }

  /**
   * Starts the reconciler. Before this call, the first lists of both ConfigMaps and of the Services must be complete. The reconciler
   * puts the last accepted text back in force, then judges the present text.
   */
  start(): void {
    this.#accepted = recallAcceptedConfig(this.#configMap, this.#copy);
    const carrier = this.#configMap ?? this.#copy;
    if (carrier?.annotations[annotations.configStatus] === 'stale')
      this.#reporter.recall(carrier.annotations[annotations.configError]);
    this.#isStarted = true;
    this.#reconcileSoon();
  }

  /**
   * Schedules a new judgement of a text that was rejected because of addresses in use. The text may pass now, or be rejected because of
   * other addresses.
   */
  addressesChanged(): void {
    if (this.#verdict.kind !== 'stale' || !this.#verdict.hasOrphans || this.#isRejudgeDue) return;
    this.#isRejudgeDue = true;
    this.#options.clock.after(rejudgeDelayMs, () => {
      this.#isRejudgeDue = false;
      this.#reconcileSoon();
    });
  }

  /** Takes the warnings that `ClusterLint` gives about the configuration in force; `null` when there are none. */
  setClusterWarnings(text: string | null): void {
    if (text === this.#clusterWarnings) return;
    const { logger } = this.#options;
    if (text !== null) logger.warn({ reason: text }, 'configuration has warnings in this cluster');
    else if (this.#clusterWarnings) logger.info('configuration has no warnings in this cluster any more');
    this.#clusterWarnings = text;
    this.#reconcileSoon();
  }

  /** Starts no new work. Resolves when the work under way is done. */
  async stop(): Promise<void> {
    this.#queue.stop();
    await this.#queue.settled();
  }

  #reconcileSoon(): void {
    if (this.#isStarted) this.#queue.add(configMapName);
  }

  async #reconcile(): Promise<void> {
    await this.#restore();
    const configMap = this.#configMap;
    const verdict = await this.#judgeAndApply(configMap);
    if (!verdict) return;
    try {
      if (configMap && verdict.kind !== 'none' && !(verdict.kind === 'active' && verdict.isNew))
        await this.#annotate(configMap, configMapChange(configMap, verdict, this.#clusterWarnings));
    } finally {
      // The verdict is reported and the copy is stored even if the write of the annotations fails. The API server may refuse this write at every
      // attempt, for instance because the annotations of the ConfigMap would exceed the limit of 256 KiB.
      this.#verdict = verdict;
      if (this.#reporter.report(verdict, this.#uid)) this.#record(verdict);
      if (verdict.kind !== 'none') await this.#storeCopy(configMap, verdict);
    }
  }

  /** Puts the last accepted text in force, unless it already is. */
  async #restore(): Promise<void> {
    if (!this.#accepted || this.#isInForce) return;
    try {
      await this.#putInForce(this.#accepted);
    } finally {
      this.#options.services.release();
    }
  }

  /** Judges the text, and puts an accepted text in force. Resolves to `undefined` when the term ends before the judgement. */
  async #judgeAndApply(configMap: ConfigMap | undefined): Promise<Verdict | undefined> {
    const { services, clock } = this.#options;
    const now = new Date(clock.epochMs()).toISOString();
    try {
      const verdict = judgeConfigMap(configMap, this.#accepted, now);
      if (!configMap || verdict.kind !== 'active' || !verdict.isNew) return verdict;
      const orphans = await this.#orphansOf(verdict.accepted.config);
      if (!orphans) return undefined;
      if (orphans.length > 0) return orphaning(verdict.accepted, this.#accepted, orphans);
      const refusal = await this.#storeAndApply(configMap, verdict);
      return refusal === undefined ? verdict : notStored(verdict.accepted, this.#accepted, refusal);
    } finally {
      services.release();
    }
  }

  /** Finds the orphans. Suspends the decisions about Services until `release`, so that the result stays right until the text is in force. */
  async #orphansOf(config: Config): Promise<readonly AssignedAddress[] | undefined> {
    const { services, turns } = this.#options;
    if (!(await services.settle())) return undefined;
    return turns.finish(sortedOrphanSteps(config, services.assigned()));
  }

  /** Stores an accepted text and puts it in force; returns the reason when the API server refuses to store it. */
  async #storeAndApply(
    configMap: ConfigMap,
    verdict: Extract<Verdict, { kind: 'active' }>,
  ): Promise<string | undefined> {
    try {
      // The known cluster warnings are about the previous configuration. `ClusterLint` judges the new one once it is in force.
      await this.#annotate(configMap, configMapChange(configMap, verdict, null));
      this.#clusterWarnings = null;
      this.#accepted = verdict.accepted;
      await this.#putInForce(verdict.accepted);
      return undefined;
    } catch (error) {
      if (error instanceof ApiError && (error.status === 413 || error.status === 422)) return error.message;
      throw error;
    }
  }

  async #putInForce(accepted: AcceptedConfig): Promise<void> {
    this.#options.metrics.configLoaded.set(1);
    this.#isInForce = false;
    await this.#options.services.setConfig(accepted.config);
    this.#isInForce = true;
    this.#options.onConfig(accepted.config);
  }

  /** Records hashes and reasons. Never records the text, because it may hold passwords. */
  #record(verdict: Verdict): void {
    const inForce = this.#accepted ? [{ kind: 'inForce', hash: this.#accepted.hash }] : [];
    const event =
      verdict.kind === 'active'
        ? { kind: verdict.kind, hash: verdict.accepted.hash, isNew: verdict.isNew }
        : { kind: verdict.kind, reason: verdict.reason };
    this.#options.recorder.record('config', verdict.kind, event, inForce);
  }

  #failed(error: unknown): void {
    const { logger, guard } = this.#options;
    if (isConflict(error)) return;
    if (!(error instanceof ApiError))
      guard.failed({ entrance: 'watch', source: `ConfigMap ${configMapName}` }, error);
    else if (error.status !== 0)
      logger.warn({ reason: error.message }, 'configuration state not written, retrying');
  }

  async #annotate(configMap: ConfigMap, change: AnnotationChange | undefined): Promise<void> {
    if (!change) return;
    const { client, namespace, metrics } = this.#options;
    try {
      const path = `${paths.configMaps(namespace)}/${configMap.name}`;
      const written = await patchAnnotations(client, path, change, configMap.resourceVersion);
      metrics.writes.inc({ object: 'configmap', result: 'ok' });
      // The watch may be ahead of the response, and have reported that the ConfigMap is deleted.
      if (this.#configMap) this.#configMap = newer(this.#configMap, decodeConfigMap(written));
    } catch (error) {
      this.#countFailedWrite(error);
      // The ConfigMap was deleted meanwhile. The watch will report the deletion.
      if (!isNotFound(error)) throw error;
    }
  }

  #countFailedWrite(error: unknown): void {
    const result = isConflict(error) ? 'conflict' : 'error';
    this.#options.metrics.writes.inc({ object: 'configmap', result });
  }

  async #storeCopy(
    configMap: ConfigMap | undefined,
    verdict: Exclude<Verdict, { kind: 'none' }>,
  ): Promise<void> {
    const change = copyChange(this.#copy, configMap, verdict);
    if (!change) return;
    const { client, namespace, metrics } = this.#options;
    const metadata = { name: acceptedConfigMapName, namespace, annotations: change.annotations };
    const data = { [configMapKey]: change.text };
    const collection = paths.configMaps(namespace);
    const copy = this.#copy;
    const reports = this.#copyReports;
    const request = copy
      ? ({
          method: 'PATCH',
          path: `${collection}/${acceptedConfigMapName}`,
          contentType: 'application/merge-patch+json',
          body: { metadata: { ...metadata, resourceVersion: copy.resourceVersion }, data },
        } as const)
      : ({
          method: 'POST',
          path: collection,
          body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: withoutNulls(metadata), data },
        } as const);
    let written: RawObject;
    try {
      written = await client.request<RawObject>(request);
    } catch (error) {
      this.#countFailedWrite(error);
      throw error;
    }
    metrics.writes.inc({ object: 'configmap', result: 'ok' });
    // The watch may be ahead of the response. It may already have reported that the copy is deleted, even if this write created the copy.
    const isDeleted = !this.#copy && this.#copyReports !== reports;
    if (!isDeleted) this.#copy = newer(this.#copy, decodeConfigMap(written));
  }
}

/** Returns the newer of two states. A watch may still deliver a state from before our own last write. */
function newer(known: ConfigMap | undefined, received: ConfigMap | undefined): ConfigMap | undefined {
  const isStale = known && received && isOlderVersion(received.resourceVersion, known.resourceVersion);
  return isStale ? known : received;
}

function withoutNulls<T extends { annotations: AnnotationChange }>(metadata: T): T {
  const present = Object.entries(metadata.annotations).filter(([, value]) => value !== null);
  return { ...metadata, annotations: Object.fromEntries(present) };
}
