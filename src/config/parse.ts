import { fail, ok, type Result } from '../result.ts';
import type { Config } from './config.ts';
import { type ConfigError, formatPath, type Path } from './errors.ts';
import { resolveConfig } from './resolve/index.ts';
import { type Complain, configSchema, type RawConfig, readShape, type Sound } from './schema/index.ts';
import { findNode, LineIndex, readYaml, type YamlDocument, type YamlNode } from './text/index.ts';

/** Deeper than any configuration is. */
const maxDepth = 20;
/** Errors that are told one by one; a text with more is no configuration with slips any more. */
const maxErrors = 1000;
/** Errors that are kept to be put in order; with so many the rest is not looked at. */
const maxKept = 20_000;

/**
 * Reads and judges a configuration. Pure; never throws on any input; the time and memory it takes are bounded by the text's length.
 * All errors are returned at once, in the order of the text.
 */
export function parseConfig(text: string): Result<Config, readonly ConfigError[]> {
  const complaints = new Complaints(text);
  const read = readYaml(text, maxDepth);
  if (!read.ok) {
    complaints.add(read.error.path, read.error.offset, () => read.error.message);
    return fail(complaints.errors());
  }
  const [document, second] = read.value;
  if (second)
    complaints.add([], second.root.offset, () => 'a second YAML document; the configuration is one');
  const config = judgeDocument(document ?? emptyDocument, complaints);
  return complaints.isEmpty() ? ok(config) : fail(complaints.errors());
}

/** Without peers and pools: what an empty text means. */
const emptyDocument: YamlDocument = {
  root: { kind: 'mapping', offset: 0, entries: new Map() },
  errors: [],
};

function judgeDocument({ root: written, errors }: YamlDocument, complaints: Complaints): Config {
  for (const { path, offset, message } of errors) complaints.add(path, offset, () => message);
  // What YAML itself could not give a value needs no second complaint about the value.
  const refused = new Set(errors.map(({ offset }) => offset));
  const root: YamlNode = written.kind === 'scalar' && written.value === null ? emptyDocument.root : written;
  const complain: Complain = (path, message, at = 'value') => {
    const { node, keyOffset, isFound } = findNode(root, path);
    if (at === 'value' && isFound && refused.has(node.offset)) return;
    complaints.add(path, isFound && at === 'key' ? keyOffset : node.offset, message);
  };
  const isFull = () => complaints.isFull();
  const sound = readShape(root, configSchema, complain, isFull) as Sound<RawConfig> | undefined;
  return resolveConfig(isFull() ? {} : (sound ?? {}), complain);
}

/** Errors by place; messages are made for those that are told only, whatever number a hostile text provokes. */
class Complaints {
  readonly #text: string;
  readonly #list: { path: Path; offset: number; message: () => string }[] = [];
  #count = 0;

  constructor(text: string) {
    this.#text = text;
  }

  add(path: Path, offset: number, message: () => string): void {
    if (this.#count++ < maxKept) this.#list.push({ path, offset, message });
  }

  isEmpty(): boolean {
    return this.#count === 0;
  }

  isFull(): boolean {
    return this.#count >= maxKept;
  }

  errors(): ConfigError[] {
    const places = new LineIndex(this.#text);
    const sorted = this.#list.sort((a, b) => a.offset - b.offset);
    const errors = sorted.slice(0, maxErrors).map(({ path, offset, message }) => ({
      path: formatPath(path),
      ...places.placeOf(offset),
      message: message(),
    }));
    const next = sorted[maxErrors];
    if (next)
      errors.push({
        path: '',
        ...places.placeOf(next.offset),
        message: `${this.isFull() ? 'many' : this.#count - maxErrors} more errors from here on`,
      });
    return errors;
  }
}
