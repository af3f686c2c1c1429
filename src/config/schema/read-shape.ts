/**
 * YAML nodes to plain data of the schema's shape. The structure is walked here and zod judges the values at its ends: a document may be wrong
 * in a hundred thousand places, of which zod would make as many nested lists of issues, and whatever is sound is needed besides.
 *
 * Existing files were read by a YAML 1.1 parser into typed fields: `auto-assign: no` is false there, `password: 0123` the text as
 * written, and a key without a value as if it were not there. Here they mean the same.
 */
import { z } from 'zod';
import type { Path } from '../errors.ts';
import { spellingHint } from '../spelling.ts';
import type { YamlNode, YamlScalar } from '../text/index.ts';
import { bare, keysOf, nounOf, objectOf, type Schema, scalarTypes } from './schema-walk.ts';
import { mismatch, unknownKey } from './shape-errors.ts';

/** Takes a complaint; its message is made only if it will be shown. */
export type Complain = (path: Path, message: () => string, at?: 'key' | 'value') => void;

type Mapping = Extract<YamlNode, { kind: 'mapping' }>;

/** Misspelt keys that are compared with missing ones: a text with more has other troubles. */
const maxCompared = 1000;

/**
 * What is sound of a document: each value has the schema's type or is `undefined`, and was complained of then. Once `isFull` says that
 * there are complaints enough, the rest is left unread.
 */
export function readShape(
  root: YamlNode,
  schema: Schema,
  complain: Complain,
  isFull: () => boolean,
): unknown {
  return new ShapeReader(complain, isFull).read(root, schema, []);
}

class ShapeReader {
  readonly #complain: Complain;
  readonly #isFull: () => boolean;
  #compared = 0;

  constructor(complain: Complain, isFull: () => boolean) {
    this.#complain = complain;
    this.#isFull = isFull;
  }

  read(node: YamlNode, of: Schema, path: Path): unknown {
    if (this.#isFull()) return undefined;
    const schema = bare(of);
    if (schema instanceof z.ZodUnknown) return node;
    const object = objectOf(schema);
    if (object && node.kind === 'mapping') return this.#object(node, object, path);
    if (schema instanceof z.ZodArray && node.kind === 'sequence')
      return node.items.map((item, i) => this.read(item, schema.element, [...path, i]));
    if (schema instanceof z.ZodRecord && node.kind === 'mapping') return this.#record(node, schema, path);
    if (node.kind === 'scalar' && node.value !== null) return this.#scalar(node, schema, path);
    this.#complain(path, () => mismatch(nounOf(schema), node, schema));
    return undefined;
  }

  #object(node: Mapping, schema: z.ZodObject, path: Path): unknown {
    const known = keysOf(schema);
    const isKnown = new Set(known);
    const unknown = [...node.entries.keys()].filter((key) => !isKnown.has(key));
    for (const key of unknown) this.#complain([...path, key], () => unknownKey(key, known, path), 'key');
    const sound: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(schema.shape)) {
      const entry = node.entries.get(key)?.value;
      // A key without a value is as if it were not there, unless it has to be.
      const isAbsent = entry === undefined || (entry.kind === 'scalar' && entry.value === null);
      if (!isAbsent) sound[key] = this.read(entry, value, [...path, key]);
      else if (!(value instanceof z.ZodOptional) && !this.#isMeant(key, unknown, known))
        this.#complain([...path, key], () =>
          entry ? mismatch(nounOf(value), entry, value) : `${key} is missing; expected ${nounOf(value)}`,
        );
    }
    return sound;
  }

  /** Whether a key is there after all, misspelt: one slip is one error, not a missing key besides. */
  #isMeant(missing: string, unknown: readonly string[], known: readonly string[]): boolean {
    const looked = unknown.slice(0, maxCompared - this.#compared);
    this.#compared += looked.length;
    return looked.some((key) => spellingHint(key, known) === missing);
  }

  #record(node: Mapping, schema: z.ZodRecord, path: Path): unknown {
    // `__proto__` has been refused as a key, so plain assignment only ever makes own properties.
    const sound: Record<string, unknown> = {};
    for (const [key, { value }] of node.entries)
      sound[key] = this.read(value, schema.valueType, [...path, key]);
    return sound;
  }

  #scalar(node: YamlScalar, schema: Schema, path: Path): unknown {
    const parsed = z.safeParse(schema, typedScalar(node, schema));
    if (parsed.success) return parsed.data;
    const expected = parsed.error.issues[0]?.message ?? nounOf(schema);
    this.#complain(path, () => mismatch(expected, node, schema));
    return undefined;
  }
}

const yesWord = /^(?:y|yes|on|true)$/i;
const noWord = /^(?:n|no|off|false)$/i;

function typedScalar({ text, value, isPlain }: YamlScalar, schema: Schema): unknown {
  if (!isPlain) return value;
  const types = scalarTypes(schema);
  if (types.boolean && yesWord.test(text)) return true;
  if (types.boolean && noWord.test(text)) return false;
  // Octal for one parser, decimal for another: as text it is refused.
  if (types.number) return /^[-+]?0\d/.test(text) ? text : value;
  return types.text ? text : value;
}
