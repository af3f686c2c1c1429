import {
  type AcceptedConfig,
  decodeAcceptedConfig,
  recallAcceptedConfig,
} from '../cluster/accepted-config.ts';
import { acceptedConfigMapName, configMapName } from '../cluster/names.ts';
import { parseConfig, rejectionReason } from '../config/index.ts';
import type { ConfigMap } from '../kubernetes/model.ts';
import type { Logger } from '../log.ts';

/** Largest number of errors that a line of the log names. */
const maxNamedErrors = 3;

/**
 * Tracks the configuration that the controller accepted last. The ConfigMap and its accepted copy each carry an accepted configuration in
 * annotations, and the newer configuration counts. Deleting the ConfigMap, or applying an old manifest over it, therefore changes nothing.
 * Text that was never accepted is ignored. An accepted text that does not parse comes from a controller of another version. The speaker then
 * stays with its present configuration. It writes a warning to the log, because other speakers may be able to read that text and already use it.
 */
export class AcceptedConfigTracker {
  readonly #configMaps = new Map<string, ConfigMap>();
  readonly #logger: Pick<Logger, 'warn'>;
  #current: AcceptedConfig | undefined;
  /** The last text that did not parse and was reported in the log. */
  #reported = '';

  constructor(logger: Pick<Logger, 'warn'>) {
    this.#logger = logger;
  }

  /** UID of the ConfigMap that people edit. Empty when the ConfigMap does not exist. */
  get uid(): string {
    return this.#configMaps.get(configMapName)?.uid ?? '';
  }

  /** The configuration in force. */
  get current(): AcceptedConfig | undefined {
    return this.#current;
  }

  /** Applies a change of either ConfigMap. Returns true when the change puts another configuration in force. */
  update(name: string, configMap: ConfigMap | undefined): boolean {
    if (configMap) this.#configMaps.set(name, configMap);
    else this.#configMaps.delete(name);
    const accepted = recallAcceptedConfig(
      this.#configMaps.get(configMapName),
      this.#configMaps.get(acceptedConfigMapName),
    );
    const isTaken = accepted !== undefined && this.#take(accepted);
    if (configMap) this.#reportUnreadable(configMap);
    return isTaken;
  }

  /** Warns of an accepted text that does not parse. Usually, both ConfigMaps carry this text, and `#reported` prevents a second warning. */
  #reportUnreadable({ namespace, name, annotations }: ConfigMap): void {
    const text = decodeAcceptedConfig(annotations);
    if (text === undefined || text === this.#current?.text || text === this.#reported) return;
    const parsed = parseConfig(text);
    if (parsed.ok) return;
    this.#reported = text;
    const why = rejectionReason({ kind: 'rejected', errors: parsed.error, orphans: [] }, maxNamedErrors);
    const reason = `ConfigMap ${namespace}/${name}: ${why}`;
    this.#logger.warn({ reason }, 'accepted configuration skipped, because this version cannot read it');
  }

  /**
   * Puts the configuration saved in the state directory (`ConfigMemory`) in force, if no configuration is in force yet. Returns true if it has
   * done so.
   */
  recall(remembered: AcceptedConfig): boolean {
    return this.#current === undefined && this.#take(remembered);
  }

  #take(accepted: AcceptedConfig): boolean {
    if (accepted.hash === this.#current?.hash) return false;
    this.#current = accepted;
    return true;
  }
}
