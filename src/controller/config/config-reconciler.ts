/**
 * The gate applied: judges each edit of the ConfigMap, keeps what was accepted as annotations on it (and on a copy beside it for the day
 * it is deleted), and says in annotation, event, log and metric when the text that stands there is not the one in force.
 *
 *   edit ──→ judge ──accepted──→ annotations ──→ in force ──→ copy, event ConfigAccepted
 *              └───rejected──→ annotations status and error, event ConfigStale; the accepted one stays in force
 *
 * What is in force has been written down before: a restart at any moment finds it again, whatever stands in the ConfigMap by then. From
 * the judgement until it is written no address is handed out, so none can end up outside the configuration that follows. Levels, not
 * edges: the annotations and the copy are compared with what they should say, and put right also when somebody else changed them.
 */

import type { Clock } from '../clock.ts';
import { type AcceptedConfig, recallAcceptedConfig } from '../cluster/accepted-config.ts';
import { acceptedConfigMapName, annotations, configMapKey, configMapName } from '../cluster/names.ts';
import type { AssignedAddress, Config } from '../config/index.ts';
import type { Api } from '../kubernetes/api.ts';
import { ApiError, isConflict, isNotFound } from '../kubernetes/api-error.ts';
import { decodeConfigMap } from '../kubernetes/decode.ts';
import type { EventReason } from '../kubernetes/event-reasons.ts';
import type { EventRecorder } from '../kubernetes/event-recorder.ts';
import type { ConfigMap } from '../kubernetes/model.ts';
import { WorkQueue } from '../kubernetes/work-queue.ts';
import { isOlderVersion, patchAnnotations, paths } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';
import {
  type AnnotationChange,
  configMapChange,
  copyChange,
  judgeConfigMap,
  notKept,
  type Verdict,
} from './config-verdict.ts';
import type { ControllerMetrics } from './metrics.ts';

export interface ConfigKeeperOptions {
  readonly client: Api;
  readonly namespace: string;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly assigned: () => Iterable<AssignedAddress>;
  /** Puts a configuration in force. */
  readonly inForce: (config: Config) => void;
  /** While true no address may be handed out or given back. */
  readonly hold: (held: boolean) => void;
}

export interface ConfigState {
  readonly status: 'none' | 'active' | 'stale';
  readonly hash?: string;
  readonly acceptedAt?: string;
  readonly error?: string;
}

/** Changes of addresses in use are taken together before a text that would orphan some is judged again. */
const rejudgeDelayMs = 1000;

export class ConfigKeeper {
  readonly #options: ConfigKeeperOptions;
  readonly #queue: WorkQueue;
  #configMap: ConfigMap | undefined;
  /** Of the ConfigMap when it was last there: what is said of its absence belongs to it. */
  #uid = '';
  #copy: ConfigMap | undefined;
  #accepted: AcceptedConfig | undefined;
  #verdict: Verdict = { kind: 'none', reason: 'not judged yet' };
  /** The rejected text and kind of refusal that was last told, so that it is told once. */
  #told: string | undefined;
  #started = false;
  #rejudging = false;

  constructor(options: ConfigKeeperOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: 1,
      reachability: options.client.reachability,
      work: () => this.#look(),
      onError: (_, error) => {
        if (isConflict(error)) return;
        if (error instanceof ApiError && error.status === 0) return;
        options.logger.warn({ reason: String(error) }, 'configuration state not written, retrying');
      },
    });
  }

  state(): ConfigState {
    const verdict = this.#verdict;
    return {
      status: verdict.kind,
      ...(this.#accepted ? { hash: this.#accepted.hash, acceptedAt: this.#accepted.at } : {}),
      ...(verdict.kind === 'active' ? {} : { error: verdict.reason }),
    };
  }

  setConfigMap(configMap: ConfigMap | undefined): void {
    this.#configMap = newer(this.#configMap, configMap);
    this.#uid = configMap?.uid ?? this.#uid;
    this.#lookSoon();
  }

  setCopy(copy: ConfigMap | undefined): void {
    this.#copy = newer(this.#copy, copy);
    this.#lookSoon();
  }

  /** Both ConfigMaps and the Services are known: what was accepted last is in force again, then the text that stands there is judged. */
  start(): void {
    this.#accepted = recallAcceptedConfig(this.#configMap, this.#copy);
    if (this.#accepted) this.#force(this.#accepted);
    const carrier = this.#configMap ?? this.#copy;
    if (carrier?.annotations[annotations.configStatus] === 'stale')
      this.#told = carrier.annotations[annotations.configError];
    this.#started = true;
    this.#lookSoon();
  }

  /** A text that was refused for the sake of addresses in use may pass now, or be refused for others. */
  addressesChanged(): void {
    if (this.#verdict.kind !== 'stale' || !this.#verdict.orphans || this.#rejudging) return;
    this.#rejudging = true;
    this.#options.clock.after(rejudgeDelayMs, () => {
      this.#rejudging = false;
      this.#lookSoon();
    });
  }

  /** Nothing new is begun; resolves when what was under way is over. */
  async stop(): Promise<void> {
    this.#queue.stop();
    await this.#queue.settled();
  }

  #lookSoon(): void {
    if (this.#started) this.#queue.add(configMapName);
  }

  async #look(): Promise<void> {
    const configMap = this.#configMap;
    const now = new Date().toISOString();
    let verdict = judgeConfigMap(configMap, this.#accepted, this.#options.assigned, now);
    if (configMap && verdict.kind === 'active' && verdict.isNew) {
      const refusal = await this.#accept(configMap, verdict);
      if (refusal !== undefined) verdict = notKept(verdict.accepted, this.#accepted, refusal);
    }
    if (configMap && verdict.kind !== 'none' && !(verdict.kind === 'active' && verdict.isNew))
      await this.#annotate(configMap, configMapChange(configMap, verdict));
    this.#tell(verdict);
    if (verdict.kind !== 'none') await this.#keepCopy(configMap, verdict);
  }

  /** Writes down and puts in force; returns why the API server will not have it written down. */
  async #accept(
    configMap: ConfigMap,
    verdict: Extract<Verdict, { kind: 'active' }>,
  ): Promise<string | undefined> {
    this.#options.hold(true);
    try {
      await this.#annotate(configMap, configMapChange(configMap, verdict));
      this.#accepted = verdict.accepted;
      this.#force(verdict.accepted);
      return undefined;
    } catch (error) {
      if (error instanceof ApiError && (error.status === 413 || error.status === 422)) return error.message;
      throw error;
    } finally {
      this.#options.hold(false);
    }
  }

  #force(accepted: AcceptedConfig): void {
    this.#options.metrics.configLoaded.set(1);
    this.#options.inForce(accepted.config);
  }

  #tell(verdict: Verdict): void {
    const { metrics, logger } = this.#options;
    const before = this.#verdict;
    this.#verdict = verdict;
    metrics.configStale(verdict.kind === 'stale');
    switch (verdict.kind) {
      case 'none':
        if (before.kind !== 'none' || before.reason !== verdict.reason)
          logger.warn({ reason: verdict.reason }, 'no configuration yet');
        return;
      case 'active': {
        const { hash } = verdict.accepted;
        const wasStale = before.kind === 'stale' || this.#told !== undefined;
        this.#told = undefined;
        if (!verdict.isNew && !wasStale) return;
        const said = verdict.isNew ? 'configuration accepted' : 'configuration back at the accepted one';
        if (verdict.isNew) metrics.configUpdates.inc();
        logger.info({ hash }, said);
        this.#event('Normal', 'ConfigAccepted', `${said}: ${hash} is in force`);
        return;
      }
      case 'stale': {
        const sameText = before.kind === 'stale' && before.subject === verdict.subject;
        // After a restart only the reason is known of what was told before.
        if (sameText || this.#told === verdict.reason) {
          this.#told = verdict.reason;
          return;
        }
        this.#told = verdict.reason;
        metrics.configErrors.inc();
        const stays = verdict.accepted
          ? `the accepted one, ${verdict.accepted.hash}, stays in force`
          : 'none was accepted so far';
        logger.error({ reason: verdict.details }, `configuration not accepted, ${stays}`);
        this.#event('Warning', 'ConfigStale', `${stays}; not accepted: ${verdict.reason}`);
      }
    }
  }

  async #annotate(configMap: ConfigMap, change: AnnotationChange | undefined): Promise<void> {
    if (!change) return;
    const { client, namespace, metrics } = this.#options;
    try {
      const path = `${paths.configMaps(namespace)}/${configMap.name}`;
      const written = await patchAnnotations(client, path, change, configMap.resourceVersion);
      metrics.writes.inc({ object: 'configmap', result: 'ok' });
      this.#configMap = newer(this.#configMap, decodeConfigMap(written));
    } catch (error) {
      metrics.writes.inc({ object: 'configmap', result: isConflict(error) ? 'conflict' : 'error' });
      // Deleted meanwhile: the watch says so in a moment.
      if (!isNotFound(error)) throw error;
    }
  }

  async #keepCopy(
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
    const written = await client.request<Parameters<typeof decodeConfigMap>[0]>(
      copy
        ? {
            method: 'PATCH',
            path: `${collection}/${acceptedConfigMapName}`,
            contentType: 'application/merge-patch+json',
            body: { metadata: { ...metadata, resourceVersion: copy.resourceVersion }, data },
          }
        : {
            method: 'POST',
            path: collection,
            body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: withoutNulls(metadata), data },
          },
    );
    metrics.writes.inc({ object: 'configmap', result: 'ok' });
    this.#copy = newer(this.#copy, decodeConfigMap(written));
  }

  #event(type: 'Normal' | 'Warning', reason: EventReason, message: string): void {
    const { namespace, events } = this.#options;
    events.record({
      regarding: { kind: 'ConfigMap', namespace, name: configMapName, uid: this.#uid },
      type,
      reason,
      message,
    });
  }
}

/** A watch may still bring what was before our own last write. */
function newer(known: ConfigMap | undefined, said: ConfigMap | undefined): ConfigMap | undefined {
  return known && said && isOlderVersion(said.resourceVersion, known.resourceVersion) ? known : said;
}

function withoutNulls<T extends { annotations: AnnotationChange }>(metadata: T): T {
  const annotations = Object.entries(metadata.annotations).filter(([, value]) => value !== null);
  return { ...metadata, annotations: Object.fromEntries(annotations) };
}
