import { readAcceptedConfig } from '../config/accepted.ts';
import type { Config } from '../config/config.ts';
import { parseConfig } from '../config/index.ts';
import type { ConfigMap } from '../kubernetes/model.ts';
import { acceptedConfigMapName, configMapName } from '../kubernetes/names.ts';

/**
 * The configuration that the controller accepted last: from the ConfigMap itself, or, when that is deleted or was never judged,
 * from the copy kept beside it. What people wrote but nobody accepted is never looked at.
 */
export class AcceptedConfig {
  readonly #texts = new Map<string, string>();
  #applied: string | undefined;

  /** Takes a change of either ConfigMap; returns the configuration when it is a new one. */
  update(name: string, configMap: ConfigMap | undefined): Config | undefined {
    const text = configMap && readAcceptedConfig(configMap.annotations);
    if (text === undefined) this.#texts.delete(name);
    else this.#texts.set(name, text);
    const accepted = this.#texts.get(configMapName) ?? this.#texts.get(acceptedConfigMapName);
    if (accepted === undefined || accepted === this.#applied) return undefined;
    const parsed = parseConfig(accepted);
    // Accepted by another version than ours: staying on the last one understood is the safe side.
    if (!parsed.ok) return undefined;
    this.#applied = accepted;
    return parsed.value;
  }
}
