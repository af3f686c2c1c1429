/**
 * Turns YAML text into plain nodes, each with its offset. The code reads js-yaml's events and not its values, for two reasons. First,
 * errors must name line and column. Second, YAML features that a configuration does not need must not cost much: aliases are resolved
 * under a budget of nodes, and merge keys, tags and duplicate keys are errors.
 */
import {
  CORE_SCHEMA,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  YAMLException,
} from 'js-yaml';
import { fail, ok, type Result } from '../../result.ts';
import { type Path, show } from '../errors.ts';
import { joinFlowLines } from './flow-lines.ts';

interface YamlError {
  readonly path: Path;
  readonly offset: number;
  readonly message: string;
}

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly offset: number;
  /** The value by YAML 1.2's core schema. A quoted scalar is always text. */
  readonly value: string | number | boolean | null;
  readonly text: string;
  readonly isPlain: boolean;
  /** For a literal block (`|`): where its content begins and how far it is indented. */
  readonly literal?: { readonly offset: number; readonly indent: number };
}

/** A value with the offset of its first character in the text. */
export type YamlNode =
  | YamlScalar
  | { readonly kind: 'sequence'; readonly offset: number; readonly items: readonly YamlNode[] }
  | { readonly kind: 'mapping'; readonly offset: number; readonly entries: ReadonlyMap<string, YamlEntry> };

interface YamlEntry {
  readonly keyOffset: number;
  readonly value: YamlNode;
}

/** A document with its errors. An entry whose key was refused is missing from its mapping. */
export interface YamlDocument {
  readonly root: YamlNode;
  readonly errors: readonly YamlError[];
}

/** Largest number of nodes in a text after aliases are followed. A real configuration of 1 MiB has about 120,000 nodes. */
const nodeBudget = 200_000;
/** A ConfigMap holds at most 1 MiB in all. */
export const maxTextOctets = 1_048_576;

const nothing: YamlScalar = { kind: 'scalar', offset: 0, value: null, text: '', isPlain: true };

/**
 * Reads all documents of a text. Fails when the text cannot be judged at all: its syntax is broken, it is too large or nested too deeply,
 * or its aliases expand to too many nodes. Never throws.
 */
export function readYaml(text: string, maxDepth: number): Result<YamlDocument[], YamlError> {
  const octets = Buffer.byteLength(text);
  if (octets > maxTextOctets)
    return fail({
      path: [],
      offset: 0,
      message: `the text has ${octets} octets; the limit is ${maxTextOctets}`,
    });
  const parsed = parse(text, maxDepth);
  if (!parsed.ok) return parsed;
  const documents: YamlDocument[] = [];
  for (const reader = new Reader(parsed.value.text, parsed.value.events); reader.hasMore(); ) {
    const document = reader.document();
    const fatal = document.errors.find(({ message }) => message === overBudget);
    if (fatal) return fail(fatal);
    documents.push(document);
  }
  return ok(documents);
}

const overBudget = `more than ${nodeBudget} values after aliases are followed`;
const underindented = 'deficient indentation';

/** Events with the text that their offsets refer to. */
interface ParsedText {
  readonly text: string;
  readonly events: readonly Event[];
}

function parse(text: string, maxDepth: number): Result<ParsedText, YamlError> {
  try {
    return ok({ text, events: parseEvents(text, { maxDepth }) });
  } catch (error) {
    const isUnderindented = error instanceof YAMLException && error.reason === underindented;
    const joined = isUnderindented ? joinFlowLines(text) : undefined;
    if (joined === undefined) return fail(syntaxError(text, error));
    try {
      return ok({ text: joined, events: parseEvents(joined, { maxDepth }) });
    } catch (second) {
      return fail(syntaxError(text, second));
    }
  }
}

function syntaxError(text: string, error: unknown): YamlError {
  const [reason, offset] =
    error instanceof YAMLException
      ? [error.reason, Math.min(error.mark?.position ?? 0, text.length)]
      : [String(error), 0];
  const lineStart = text.lastIndexOf('\n', Math.max(0, offset - 1)) + 1;
  const line = text.slice(lineStart, lineStart + 1000).split('\n', 1)[0] ?? '';
  if (reason.startsWith('nesting exceeded')) return { path: [], offset, message: 'nested too deeply' };
  let hint = '';
  if (/^[ -]*\t/.test(line)) hint = '; indent with spaces, YAML allows no tabs there';
  else if (/:\s+[@`]/.test(line)) hint = '; quote a value that begins with @ or `';
  else if (/:\s[^'"#]*:(\s|$)/.test(line)) hint = '; quote a value that holds a colon and a space';
  else if (/:\s+[%&*!|>]/.test(line)) hint = '; quote a value that begins with one of % & * ! | >';
  else if (reason === underindented) hint = '; check that each bracket and quote before this place is closed';
  return { path: [], offset, message: `not valid YAML: ${reason}${hint}` };
}

class Reader {
  #errors: YamlError[] = [];
  readonly #text: string;
  readonly #events: readonly Event[];
  #anchors = new Map<string, { readonly node: YamlNode; readonly size: number }>();
  #next = 0;
  #nodes = 0;
  /** Offset after the last token. A missing value gets this offset. */
  #cursor = 0;
  /** Offsets of all dashes outside comments; `undefined` until the first empty item. */
  #dashes: readonly number[] | undefined;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  hasMore(): boolean {
    return this.#next < this.#events.length;
  }

  document(): YamlDocument {
    this.#errors = [];
    this.#anchors = new Map();
    this.#next++;
    const root = this.#events[this.#next]?.type === EVENT_ID.POP ? nothing : this.#node([]);
    this.#next++;
    return { root, errors: this.#errors };
  }

  #error(path: Path, offset: number, message: string): void {
    this.#errors.push({ path, offset, message });
  }

  #node(path: Path, isItem = false): YamlNode {
    const event = this.#events[this.#next++];
    const before = this.#nodes++;
    let node: YamlNode = nothing;
    if (!this.#isWithinBudget() || !event) return node;
    switch (event.type) {
      case EVENT_ID.SCALAR:
        this.#tagless(path, event.tagStart);
        node = this.#scalar(event, isItem);
        break;
      case EVENT_ID.SEQUENCE: {
        this.#tagless(path, event.tagStart);
        this.#cursor = event.start;
        const items: YamlNode[] = [];
        while (this.#more()) items.push(this.#node([...path, items.length], true));
        node = { kind: 'sequence', offset: event.start, items };
        break;
      }
      case EVENT_ID.MAPPING:
        this.#tagless(path, event.tagStart);
        this.#cursor = event.start;
        node = this.#mapping(path, event.start);
        break;
      case EVENT_ID.ALIAS: {
        const name = this.#text.slice(event.anchorStart, event.anchorEnd);
        this.#cursor = event.anchorEnd;
        const target = this.#anchors.get(name);
        if (!target)
          this.#error(path, event.anchorStart - 1, `there is no anchor before the alias *${show(name)}`);
        this.#nodes += target?.size ?? 0;
        this.#isWithinBudget();
        return { ...(target?.node ?? nothing), offset: event.anchorStart - 1 };
      }
      default:
        return node;
    }
    if (event.anchorStart >= 0)
      this.#anchors.set(this.#text.slice(event.anchorStart, event.anchorEnd), {
        node,
        size: this.#nodes - before,
      });
    return node;
  }

  /** False once the nodes are too many. The document then has an error, because reading stops in its middle. */
  #isWithinBudget(): boolean {
    if (this.#nodes <= nodeBudget) return true;
    if (this.#errors.at(-1)?.message !== overBudget) this.#error([], this.#cursor, overBudget);
    return false;
  }

  /** Whether the open collection has another child that the node budget allows. If it has no other child, steps over its end. */
  #more(): boolean {
    const event = this.#events[this.#next];
    if (event && event.type !== EVENT_ID.POP) return this.#nodes <= nodeBudget;
    this.#next++;
    return false;
  }

  #scalar(event: Extract<Event, { type: typeof EVENT_ID.SCALAR }>, isItem: boolean): YamlScalar {
    if (event.valueStart < 0) {
      // The value is missing. An empty item gets the offset of its dash, an empty value the offset after its key.
      const dash = isItem ? this.#dashFrom(this.#cursor) : -1;
      if (dash < 0) return { ...nothing, offset: this.#cursor };
      this.#cursor = dash + 1;
      return { ...nothing, offset: dash };
    }
    this.#cursor = event.valueEnd;
    const text = getScalarValue(this.#text, event);
    const isPlain = event.style === SCALAR_STYLE.PLAIN;
    const value = isPlain ? plainValue(text) : text;
    switch (event.style) {
      case SCALAR_STYLE.PLAIN:
        return { kind: 'scalar', offset: event.valueStart, text, value, isPlain };
      case SCALAR_STYLE.LITERAL_BLOCK: {
        const literal = { offset: event.valueStart, indent: Math.max(0, event.indent) };
        return { kind: 'scalar', offset: event.valueStart, text, value, isPlain, literal };
      }
      case SCALAR_STYLE.FOLDED_BLOCK:
        return { kind: 'scalar', offset: event.valueStart, text, value, isPlain };
      default:
        return { kind: 'scalar', offset: event.valueStart - 1, text, value, isPlain };
    }
  }

  /** Offset of the first dash from here on; -1 when there is none. A search of the text for each empty item would take quadratic time. */
  #dashFrom(offset: number): number {
    this.#dashes ??= dashesOf(this.#text);
    let low = 0;
    let high = this.#dashes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#dashes[middle] as number) < offset) low = middle + 1;
      else high = middle;
    }
    return this.#dashes[low] ?? -1;
  }

  #mapping(path: Path, offset: number): YamlNode {
    const entries = new Map<string, YamlEntry>();
    while (this.#more()) {
      const key = this.#node(path);
      const name = key.kind === 'scalar' ? key.text : '';
      const within = [...path, name];
      const value = this.#node(within);
      if (key.kind !== 'scalar')
        this.#error(path, key.offset, 'this key is a list or a mapping; a key must be a word');
      else if (name === '<<')
        this.#error(within, key.offset, 'merge keys are not supported; write the keys out');
      else if (name === '__proto__') this.#error(within, key.offset, '__proto__ is not allowed as a key');
      else if (entries.has(name)) this.#error(within, key.offset, 'this key appears twice');
      else entries.set(name, { keyOffset: key.offset, value });
    }
    return { kind: 'mapping', offset, entries };
  }

  #tagless(path: Path, tagStart: number): void {
    if (tagStart >= 0)
      this.#error(path, tagStart, 'YAML tags are not supported; write the value without the tag');
  }
}

/** Offsets of all dashes that no `#` precedes in their line. */
function dashesOf(text: string): number[] {
  const dashes: number[] = [];
  let isComment = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '\n' || character === '\r') isComment = false;
    else if (character === '#') isComment = true;
    else if (character === '-' && !isComment) dashes.push(i);
  }
  return dashes;
}

const implicitTags = CORE_SCHEMA.tags.flatMap((tag) =>
  tag.nodeKind === 'scalar' && tag.implicit ? [tag] : [],
);

/** A plain scalar by YAML 1.2's core schema: null, a boolean, a number, or text. */
function plainValue(text: string): string | number | boolean | null {
  for (const tag of implicitTags) {
    const value: unknown = tag.resolve(text, false, tag.tagName);
    if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  }
  return text;
}

/** Finds the node at a path, or the nearest existing node above it. Also returns the offset of the key that leads to that node. */
export function findNode(
  root: YamlNode,
  path: Path,
): { node: YamlNode; keyOffset: number; isFound: boolean } {
  let node = root;
  let keyOffset = root.offset;
  for (const part of path) {
    const entry = node.kind === 'mapping' ? node.entries.get(String(part)) : undefined;
    const child = node.kind === 'sequence' ? node.items[Number(part)] : entry?.value;
    if (!child) return { node, keyOffset, isFound: false };
    keyOffset = entry?.keyOffset ?? child.offset;
    node = child;
  }
  return { node, keyOffset, isFound: true };
}
