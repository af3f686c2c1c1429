import { type AcceptedConfig, recallAcceptedConfig } from '../cluster/accepted-config.ts';
import { acceptedConfigMapName, configMapName } from '../cluster/names.ts';
import type { ConfigMap } from '../kubernetes/model.ts';

/**
 * Tracks the configuration that the controller accepted last. It is read from the annotations of the ConfigMap and of the copy kept
 * beside it, whichever is newer, so neither a deleted ConfigMap nor an old manifest applied over it changes anything. Text that was
 * never accepted is not read.
 */
export class AcceptedConfigTracker {
  readonly #configMaps = new Map<string, ConfigMap>();
  #current: AcceptedConfig | undefined;

  /** UID of the ConfigMap that people edit; empty when it does not exist. */
  get uid(): string {
    return this.#configMaps.get(configMapName)?.uid ?? '';
  }

  /** The configuration in force. */
  get current(): AcceptedConfig | undefined {
    return this.#current;
  }

  /** Takes a change of either ConfigMap. Returns true when another configuration is in force since. */
  update(name: string, configMap: ConfigMap | undefined): boolean {
    if (configMap) this.#configMaps.set(name, configMap);
    else this.#configMaps.delete(name);
    const accepted = recallAcceptedConfig(
      this.#configMaps.get(configMapName),
      this.#configMaps.get(acceptedConfigMapName),
    );
    return accepted !== undefined && this.#take(accepted);
  }

  /** Takes a configuration that neither ConfigMap carries any more. Returns true when it is in force since. */
  recall(remembered: AcceptedConfig): boolean {
    return this.#current === undefined && this.#take(remembered);
  }

  #take(accepted: AcceptedConfig): boolean {
    if (accepted.hash === this.#current?.hash) return false;
    this.#current = accepted;
    return true;
  }
}
