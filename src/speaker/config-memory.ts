import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type AcceptedConfig, configHash } from '../cluster/accepted-config.ts';
import { parseConfig } from '../config/index.ts';
import { reasonOf } from '../result.ts';

const remembered = z.object({ text: z.string(), generation: z.number(), at: z.string() });

/**
 * Keeps a copy of the accepted configuration in the state directory. A speaker uses the copy when it starts and finds no accepted
 * configuration, for instance because the ConfigMap `config` and its accepted copy were deleted while no controller ran. The configuration may
 * contain peers' passwords, so only the file's owner may read it.
 */
export class ConfigMemory {
  readonly #directory: string;
  readonly #path: string;

  constructor(directory: string, nodeName: string) {
    this.#directory = directory;
    this.#path = join(directory, `${nodeName}.accepted-config.json`);
  }

  /** Returns the reason why the configuration could not be saved, or `undefined` on success. */
  save({ text, generation, at }: AcceptedConfig): string | undefined {
    const unfinished = `${this.#path}.new`;
    try {
      mkdirSync(this.#directory, { recursive: true });
      writeFileSync(unfinished, JSON.stringify({ text, generation, at }), { mode: 0o600 });
      renameSync(unfinished, this.#path);
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** The configuration saved last, or `undefined` when there is none or it cannot be read. */
  recall(): AcceptedConfig | undefined {
    try {
      const { text, generation, at } = remembered.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
      const parsed = parseConfig(text);
      if (!parsed.ok) return undefined;
      const { value: config, warnings } = parsed;
      return { text, hash: configHash(text), generation, at, config, warnings };
    } catch {
      // The file does not exist on the first start, and may be damaged after a full disk. Either way there is nothing to recall.
      return undefined;
    }
  }
}
