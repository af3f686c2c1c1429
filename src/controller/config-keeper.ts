/**
 * The gate applied: judges each edit of the ConfigMap, keeps what was accepted as annotations on it (and on a copy beside it for the day
 * it is deleted), and says in annotation, event, log and metric when the text that stands there is not the one in force.
 *
 *   edit ──→ judge ──accepted──→ annotations, copy, event ConfigAccepted ──→ onAccepted(config)
 *              └───rejected──→ annotations status and error, event ConfigStale; the accepted one stays in force
 *
 * Restart with a bad text loads the accepted one first, so nothing that happens to the text can change what is in force.
 */
import {
  type AssignedAddress,
  type Config,
  configHash,
  encodeAcceptedConfig,
  judge,
  parseConfig,
  readAcceptedConfig,
  rejectionReason,
} from '../config/index.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { EventRecorder } from '../kubernetes/event-recorder.ts';
import type { ConfigMap } from '../kubernetes/model.ts';
import { acceptedConfigMapName, annotations, configMapKey, configMapName } from '../kubernetes/names.ts';
import { isConflict, isNotFound, patchAnnotations, paths } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';
import type { ControllerMetrics } from './metrics.ts';

export interface ConfigKeeperOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly assigned: () => Iterable<AssignedAddress>;
  /** Called before anything is written, so that what the cluster reads as accepted is in force here. */
  readonly onAccepted: (config: Config) => void;
  readonly mayWrite: () => boolean;
}

export interface ConfigState {
  readonly status: 'none' | 'active' | 'stale';
  readonly hash?: string;
  readonly error?: string;
}

/** How many errors or orphans the annotation and the event name; the log has all. */
const namedInEvents = 10;

export class ConfigKeeper {
  readonly #options: ConfigKeeperOptions;
  #configMap: ConfigMap | undefined;
  #copy: ConfigMap | undefined;
  #accepted: string | undefined;
  /** The rejected text last told of, with its reason: told once. */
  #told: string | undefined;
  #state: ConfigState = { status: 'none' };
  #writing: Promise<void> = Promise.resolve();
  #started = false;

  constructor(options: ConfigKeeperOptions) {
    this.#options = options;
  }

  state(): ConfigState {
    return this.#state;
  }

  setConfigMap(configMap: ConfigMap | undefined): void {
    this.#configMap = configMap;
    if (this.#started) this.#judge();
  }

  setCopy(copy: ConfigMap | undefined): void {
    this.#copy = copy;
  }

  /** Puts the last accepted configuration in force, before any Service is learned and any edit is judged. */
  load(): void {
    const text =
      (this.#configMap && readAcceptedConfig(this.#configMap.annotations)) ??
      (this.#copy && readAcceptedConfig(this.#copy.annotations));
    const parsed = text === undefined ? undefined : parseConfig(text);
    if (text !== undefined && parsed?.ok) this.#force(text, parsed.value);
  }

  /** Services are learned: judges what stands in the ConfigMap now and every edit from here on. */
  start(): void {
    this.#started = true;
    this.#judge();
  }

  /** Resolves when what has been decided is written, or given up. */
  settled(): Promise<void> {
    return this.#writing;
  }

  #force(text: string, config: Config): void {
    this.#accepted = text;
    this.#options.metrics.configLoaded.set(1);
    this.#options.onAccepted(config);
  }

  #judge(): void {
    const configMap = this.#configMap;
    const text = configMap?.data[configMapKey];
    if (!configMap) {
      this.#missing();
    } else if (text === undefined) {
      this.#reject(configMap, '', `the ConfigMap has no key "${configMapKey}"`);
    } else if (text === this.#accepted) {
      this.#accept(configMap, text);
    } else {
      const judgement = judge(text, this.#options.assigned());
      if (judgement.kind === 'rejected') {
        const all = rejectionReason(judgement, Number.POSITIVE_INFINITY);
        this.#reject(configMap, text, rejectionReason(judgement, namedInEvents), all);
      } else {
        this.#force(text, judgement.config);
        this.#accept(configMap, text);
      }
    }
  }

  #accept(configMap: ConfigMap, text: string): void {
    const { metrics, logger } = this.#options;
    const hash = configHash(text);
    const wasStale = this.#state.status === 'stale';
    this.#told = undefined;
    this.#state = { status: 'active', hash };
    metrics.configStale.set(0);
    const encoded = encodeAcceptedConfig(text);
    if (!encoded.ok) return;
    const right =
      configMap.annotations[annotations.acceptedConfig] === encoded.value &&
      configMap.annotations[annotations.configStatus] === 'active' &&
      configMap.annotations[annotations.configError] === undefined;
    const isNew = configMap.annotations[annotations.acceptedHash] !== hash;
    if (isNew || wasStale)
      logger.info({ hash }, isNew ? 'configuration accepted' : 'configuration active again');
    if (right && this.#copy?.annotations[annotations.acceptedHash] === hash) return;
    this.#write(async () => {
      if (!right) {
        const at = isNew
          ? new Date().toISOString()
          : (configMap.annotations[annotations.acceptedAt] ?? new Date().toISOString());
        await this.#annotate(configMap, {
          [annotations.acceptedConfig]: encoded.value,
          [annotations.acceptedHash]: hash,
          [annotations.acceptedAt]: at,
          [annotations.configStatus]: 'active',
          [annotations.configError]: null,
        });
        this.#event(configMap, 'Normal', 'ConfigAccepted', `configuration ${hash} is in force`);
      }
      await this.#keepCopy(encoded.value, hash);
    });
  }

  #reject(configMap: ConfigMap, text: string, reason: string, all = reason): void {
    const { metrics, logger } = this.#options;
    this.#state = {
      status: 'stale',
      error: reason,
      ...(this.#accepted === undefined ? {} : { hash: configHash(this.#accepted) }),
    };
    metrics.configStale.set(1);
    const known =
      configMap.annotations[annotations.configStatus] === 'stale' &&
      configMap.annotations[annotations.configError] === reason;
    const telling = `${text}\n${reason}`;
    if (this.#told !== telling)
      logger.error({ reason: all }, 'configuration not accepted, the last accepted one stays in force');
    this.#told = telling;
    if (known) return;
    this.#write(async () => {
      await this.#annotate(configMap, {
        [annotations.configStatus]: 'stale',
        [annotations.configError]: reason,
      });
      this.#event(configMap, 'Warning', 'ConfigStale', `not accepted: ${reason}`);
    });
  }

  #missing(): void {
    const { metrics, logger, namespace } = this.#options;
    const reason = `ConfigMap ${namespace}/${configMapName} does not exist`;
    if (this.#accepted === undefined) {
      if (this.#told !== reason) logger.warn({ reason }, 'no configuration yet');
    } else {
      this.#state = { status: 'stale', hash: configHash(this.#accepted), error: reason };
      metrics.configStale.set(1);
      if (this.#told !== reason) {
        logger.error({ reason }, 'configuration not accepted, the last accepted one stays in force');
        const copy = this.#copy;
        if (copy)
          this.#write(() =>
            Promise.resolve(
              this.#event(copy, 'Warning', 'ConfigStale', `${reason}; this copy stays in force`),
            ),
          );
      }
    }
    this.#told = reason;
  }

  /** One write after another, each retried until it is done, overtaken by another edit, or not ours to do any more. */
  #write(work: () => Promise<void>): void {
    const configMap = this.#configMap;
    const { logger, mayWrite } = this.#options;
    this.#writing = this.#writing.then(async () => {
      for (let attempt = 0; mayWrite() && this.#configMap?.data === configMap?.data; attempt++) {
        try {
          return await work();
        } catch (error) {
          // Somebody else wrote: the watch brings their state, and with it another judgement.
          if (isConflict(error) || isNotFound(error)) return;
          if (attempt === 0)
            logger.warn({ reason: String(error) }, 'configuration state not written, retrying');
          await new Promise((resolve) => setTimeout(resolve, Math.min(5000, 200 * 2 ** attempt)).unref());
        }
      }
    });
  }

  async #annotate(configMap: ConfigMap, values: Readonly<Record<string, string | null>>): Promise<void> {
    const path = `${paths.configMaps(this.#options.namespace)}/${configMap.name}`;
    await patchAnnotations(this.#options.client, path, values, configMap.resourceVersion);
    this.#options.metrics.writes.inc({ object: 'configmap', result: 'ok' });
  }

  async #keepCopy(encoded: string, hash: string): Promise<void> {
    if (this.#copy?.annotations[annotations.acceptedHash] === hash) return;
    const { client, namespace } = this.#options;
    const collection = paths.configMaps(namespace);
    const kept = { [annotations.acceptedConfig]: encoded, [annotations.acceptedHash]: hash };
    try {
      await patchAnnotations(client, `${collection}/${acceptedConfigMapName}`, kept);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.request({
        method: 'POST',
        path: collection,
        body: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: acceptedConfigMapName, namespace, annotations: kept },
        },
      });
    }
  }

  #event(configMap: ConfigMap, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { namespace, name, uid } = configMap;
    this.#options.events.record({
      regarding: { kind: 'ConfigMap', namespace, name, uid },
      type,
      reason,
      message,
    });
  }
}
