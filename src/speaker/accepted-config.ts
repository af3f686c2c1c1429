import { recallAcceptedConfig } from '../cluster/accepted-config.ts';
import { acceptedConfigMapName, configMapName } from '../cluster/names.ts';
import type { Config } from '../config/index.ts';
import type { ConfigMap } from '../kubernetes/model.ts';

/**
 * The configuration that the controller accepted last: on the ConfigMap itself or on the copy kept beside it, whichever is newer, so that
 * neither a deletion nor an old manifest applied with its annotations brings anything back. What people wrote but nobody accepted
 * is never looked at.
 */
export class AcceptedConfig {
  readonly #configMaps = new Map<string, ConfigMap>();
  #hash: string | undefined;

  /** Of the ConfigMap that people write; empty when there is none. */
  get uid(): string {
    return this.#configMaps.get(configMapName)?.uid ?? '';
  }

  /** Takes a change of either ConfigMap; returns the configuration when it is a new one. */
  update(name: string, configMap: ConfigMap | undefined): Config | undefined {
    if (configMap) this.#configMaps.set(name, configMap);
    else this.#configMaps.delete(name);
    const accepted = recallAcceptedConfig(
      this.#configMaps.get(configMapName),
      this.#configMaps.get(acceptedConfigMapName),
    );
    if (!accepted || accepted.hash === this.#hash) return undefined;
    this.#hash = accepted.hash;
    return accepted.config;
  }
}
