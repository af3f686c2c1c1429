import { type AcceptedConfig, recallAcceptedConfig } from '../cluster/accepted-config.ts';
import { acceptedConfigMapName, configMapName } from '../cluster/names.ts';
import type { ConfigMap } from '../kubernetes/model.ts';

/**
 * Tracks the configuration that the controller accepted last. The ConfigMap and its accepted copy each carry an accepted configuration in
 * annotations, and the newer configuration counts. Deleting the ConfigMap, or applying an old manifest over it, therefore changes nothing.
 * Text that was never accepted is ignored.
 */
export class AcceptedConfigTracker {
  readonly #configMaps = new Map<string, ConfigMap>();
  #current: AcceptedConfig | undefined;

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
    return accepted !== undefined && this.#take(accepted);
  }

  /**
   * Puts the configuration saved in the state directory (`ConfigMemory`) in force if none is in force yet. Returns true when it is now in
   * force for this reason.
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
