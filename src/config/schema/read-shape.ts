/**
 * Turns YAML nodes into plain data of the schema's shape. This file walks the structure, and zod judges only the scalars. If zod judged
 * a whole document, it would build a nested issue for each of a hundred thousand errors. It would also not return the sound part of the
 * document, which the next stage needs. A value is sound when it has the type and the range that the schema asks for.
 *
 * MetalLB reads its files with a YAML 1.1 parser into typed fields of Go. Bellman gives the same files the same meaning: `auto-assign: no`
 * is false, `password: 0123` is the text as written, a key without a value counts as absent, and an empty list item has all defaults.
 */
import * as z from 'zod';
import type { Path } from '../errors.ts';
import { spellingHint } from '../spelling.ts';
import type { YamlNode, YamlScalar } from '../text/index.ts';
import { bare, keysOf, listOf, nounOf, objectOf, type Schema, scalarTypes } from './schema-walk.ts';
import { mismatch, unknownKey } from './shape-errors.ts';

/** Takes a complaint about the value at a path, or about its key. The message is made only if it is shown. */
export type Complain = (path: Path, message: () => string, at?: 'key' | 'value') => void;

/** Receives the errors and warnings of the stages. An error rejects the document. A warning does not. */
export interface Findings {
  readonly error: Complain;
  readonly warning: Complain;
  /** A warning about a value that has no effect. */
  readonly idle: Complain;
}

type Mapping = Extract<YamlNode, { kind: 'mapping' }>;

/** Largest number of comparisons between an unknown key and a missing one, in a whole document. */
const maxCompared = 1000;

/**
 * Returns the sound part of a document. A value that is not sound becomes `undefined`, with a complaint. Reading ends once `isFull` says
 * that there are enough errors.
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
    const list = listOf(schema);
    if (list && node.kind === 'sequence')
      return node.items.map((item, i) => this.#element(item, list.element, [...path, i]));
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
      // A key without a value counts as absent.
      const isAbsent = entry === undefined || (entry.kind === 'scalar' && entry.value === null);
      if (!isAbsent) sound[key] = this.read(entry, value, [...path, key]);
      else if (!(value instanceof z.ZodOptional) && !this.#isMeant(key, unknown, known))
        this.#complain([...path, key], () =>
          entry ? mismatch(nounOf(value), entry, value) : `${key} is missing; expected ${nounOf(value)}`,
        );
    }
    return sound;
  }

  /** Whether a missing key is present under a misspelt name. One mistake must give only one error. */
  #isMeant(missing: string, unknown: readonly string[], known: readonly string[]): boolean {
    const compared = unknown.slice(0, maxCompared - this.#compared);
    this.#compared += compared.length;
    return compared.some((key) => spellingHint(key, known) === missing);
  }

  #record(node: Mapping, schema: z.ZodRecord, path: Path): unknown {
    // The YAML reader refuses `__proto__` as a key, so plain assignment never sets a prototype.
    const sound: Record<string, unknown> = {};
    for (const [key, { value }] of node.entries)
      sound[key] = this.#element(value, schema.valueType, [...path, key]);
    return sound;
  }

  /**
   * Reads an item of a list or a value of a map. An empty item or value counts as `{}` if the schema's object has only optional keys. Else it
   * counts as empty text if the schema accepts empty text.
   */
  #element(node: YamlNode, schema: Schema, path: Path): unknown {
    if (node.kind === 'scalar' && node.value === null) {
      const object = objectOf(schema);
      if (object && Object.values(object.shape).every((value) => value instanceof z.ZodOptional)) return {};
      if (scalarTypes(schema).text && z.safeParse(bare(schema), '').success) return '';
    }
    return this.read(node, schema, path);
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
  // Some parsers read a leading zero as octal, others ignore it. A number with a leading zero stays text, so the schema or the next stage
  // refuses it.
  if (types.number) return /^[-+]?0\d/.test(text) ? text : value;
  return types.text ? text : value;
}
