import type { Config } from './config.ts';
import { type ConfigError, formatPath, type Path } from './errors.ts';
import { resolveConfig } from './resolve/index.ts';
import { type Complain, configSchema, type RawConfig, readShape, type Sound } from './schema/index.ts';
import { findNode, LineIndex, readYaml, type YamlDocument, type YamlNode } from './text/index.ts';

export type ParsedConfig =
  | { readonly ok: true; readonly value: Config; readonly warnings: readonly ConfigError[] }
  | { readonly ok: false; readonly error: readonly ConfigError[] };

/** Largest depth of nesting. No real configuration is that deep. */
const maxDepth = 20;
/** Largest number of errors that are reported one by one. Errors beyond this number are only counted. */
const maxReported = 1000;
/** Largest number of errors that are collected and sorted. If the stages before `resolve/` find this many errors, parsing ends before `resolve/`. */
const maxCollected = 20_000;

/**
 * Reads and judges a configuration. Pure, and never throws. The length of the text bounds the time and the memory that this takes.
 * Returns all errors at once, in the order of the text.
 */
export function parseConfig(text: string): ParsedConfig {
  const errors = new Complaints(text, 'errors');
  const warnings = new Complaints(text, 'warnings');
  const read = readYaml(text, maxDepth);
  if (!read.ok) {
    errors.add(read.error.path, read.error.offset, () => read.error.message);
    return { ok: false, error: errors.reported() };
  }
  const [document, second] = read.value;
  if (second)
    errors.add(
      [],
      second.root.offset,
      () => 'there is a second YAML document; the configuration must be a single one',
    );
  const config = judgeDocument(document ?? emptyDocument, errors, warnings);
  if (!errors.isEmpty()) return { ok: false, error: errors.reported() };
  return { ok: true, value: config, warnings: warnings.reported() };
}

/** An empty text means a configuration without peers and pools. */
const emptyDocument: YamlDocument = {
  root: { kind: 'mapping', offset: 0, entries: new Map() },
  errors: [],
};

function judgeDocument(document: YamlDocument, errors: Complaints, warnings: Complaints): Config {
  const written = document.root;
  for (const { path, offset, message } of document.errors) errors.add(path, offset, () => message);
  // A value that the YAML reader has refused needs no second complaint.
  const refused = new Set(document.errors.map(({ offset }) => offset));
  const root: YamlNode = written.kind === 'scalar' && written.value === null ? emptyDocument.root : written;
  const complainTo =
    (complaints: Complaints, isIdle = false): Complain =>
    (path, message, at = 'value') => {
      const { node, keyOffset, isFound } = findNode(root, path);
      if (at === 'value' && isFound && refused.has(node.offset)) return;
      complaints.add(path, isFound && at === 'key' ? keyOffset : node.offset, message, isIdle);
    };
  const findings = {
    error: complainTo(errors),
    warning: complainTo(warnings),
    idle: complainTo(warnings, true),
  };
  const isFull = () => errors.isFull();
  const sound = readShape(root, configSchema, findings.error, isFull) as Sound<RawConfig> | undefined;
  return resolveConfig(isFull() ? {} : (sound ?? {}), findings);
}

/** Complaints with their places. A hostile text may cause very many complaints, so messages are made only for the complaints that are reported. */
class Complaints {
  readonly #text: string;
  readonly #noun: string;
  readonly #list: { path: Path; offset: number; message: () => string; isIdle: boolean }[] = [];
  #count = 0;

  constructor(text: string, noun: 'errors' | 'warnings') {
    this.#text = text;
    this.#noun = noun;
  }

  add(path: Path, offset: number, message: () => string, isIdle = false): void {
    if (this.#count++ < maxCollected) this.#list.push({ path, offset, message, isIdle });
  }

  isEmpty(): boolean {
    return this.#count === 0;
  }

  isFull(): boolean {
    return this.#count >= maxCollected;
  }

  /** In the order of the text. */
  reported(): ConfigError[] {
    if (this.isEmpty()) return [];
    const places = new LineIndex(this.#text);
    const sorted = this.#list.sort((a, b) => a.offset - b.offset);
    const reported: ConfigError[] = sorted.slice(0, maxReported).map(({ path, offset, message, isIdle }) => ({
      path: formatPath(path),
      ...places.placeOf(offset),
      message: message(),
      ...(isIdle ? { isIdle } : {}),
    }));
    const next = sorted[maxReported];
    if (next)
      reported.push({
        path: '',
        ...places.placeOf(next.offset),
        message: `${this.isFull() ? 'many' : this.#count - maxReported} more ${this.#noun} from here on`,
      });
    return reported;
  }
}
