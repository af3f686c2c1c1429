/**
 * YAML text to plain data of which every part knows where it stands. Built on js-yaml's events, because errors must name line and
 * column, and because what YAML allows beyond our needs is refused before it costs anything: aliases are resolved under a budget
 * of nodes, merge keys, tags and several documents are not taken, duplicate keys are errors.
 */
import { CORE_SCHEMA, type Event, getScalarValue, parseEvents, type YAMLException } from 'js-yaml';
import { fail, ok, type Result } from '../result.ts';

export interface YamlError {
  readonly path: readonly (string | number)[];
  readonly offset: number;
  readonly message: string;
}

/** A value with the offset of its first character in the text. */
export type YamlNode =
  | {
      readonly kind: 'scalar';
      readonly offset: number;
      readonly value: string | number | boolean | null;
      readonly text: string;
    }
  | { readonly kind: 'sequence'; readonly offset: number; readonly items: readonly YamlNode[] }
  | { readonly kind: 'mapping'; readonly offset: number; readonly entries: ReadonlyMap<string, YamlEntry> };

export interface YamlEntry {
  readonly keyOffset: number;
  readonly value: YamlNode;
}

/** Most nodes that a document may have once aliases are followed: far above any real one, far below what hurts. */
const nodeBudget = 500_000;
const maxDepth = 20;
/** A ConfigMap holds at most 1 MiB in all. */
const maxTextLength = 1_048_576;

const eventKind = { document: 1, sequence: 2, mapping: 3, scalar: 4, alias: 5, pop: 6 } as const;
const plainStyle = 1;

/** Reads one document. An empty one is `null`. */
export function readYaml(text: string): Result<YamlNode, readonly YamlError[]> {
  if (text.length > maxTextLength)
    return fail([
      {
        path: [],
        offset: 0,
        message: `the text has ${text.length} characters, at most ${maxTextLength} are read`,
      },
    ]);
  let events: Event[];
  try {
    events = parseEvents(text, { maxDepth });
  } catch (error) {
    return fail([syntaxError(text, error as YAMLException)]);
  }
  const reader = new Reader(text, events);
  const root = reader.document();
  return reader.errors.length > 0 ? fail(reader.errors) : ok(root);
}

function syntaxError(text: string, { reason, mark }: YAMLException): YamlError {
  const offset = mark?.position ?? 0;
  const lineStart = text.lastIndexOf('\n', Math.max(0, offset - 1)) + 1;
  const lineEnd = text.indexOf('\n', offset);
  const line = text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd);
  const hint = /^\s*\t/.test(line) ? '; indent with spaces, YAML does not allow tabs' : '';
  return { path: [], offset, message: `not valid YAML: ${reason}${hint}` };
}

class Reader {
  readonly errors: YamlError[] = [];
  readonly #text: string;
  readonly #events: readonly Event[];
  readonly #anchors = new Map<string, { readonly node: YamlNode; readonly size: number }>();
  #next = 0;
  #nodes = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  document(): YamlNode {
    const empty: YamlNode = { kind: 'scalar', offset: 0, value: null, text: '' };
    if (this.#events.length === 0) return empty;
    this.#next++;
    const root = this.#events[this.#next]?.type === eventKind.pop ? empty : this.#node([]);
    if (this.#events.slice(this.#next + 1).some(({ type }) => type === eventKind.document))
      this.#error([], this.#text.length, 'more than one YAML document; the configuration is one');
    return root;
  }

  #error(path: readonly (string | number)[], offset: number, message: string): void {
    this.errors.push({ path, offset, message });
  }

  #node(path: readonly (string | number)[]): YamlNode {
    const event = this.#events[this.#next++];
    const before = this.#nodes++;
    let node: YamlNode = { kind: 'scalar', offset: 0, value: null, text: '' };
    if (!event || this.#nodes > nodeBudget) {
      if (this.#nodes === nodeBudget + 1)
        this.#error(path, 0, `more than ${nodeBudget} values, aliases counted`);
      return node;
    }
    switch (event.type) {
      case eventKind.scalar:
        this.#tagless(path, event.tagStart);
        node = this.#scalar(event);
        break;
      case eventKind.sequence: {
        this.#tagless(path, event.tagStart);
        const items: YamlNode[] = [];
        while (this.#more()) items.push(this.#node([...path, items.length]));
        node = { kind: 'sequence', offset: event.start, items };
        break;
      }
      case eventKind.mapping:
        this.#tagless(path, event.tagStart);
        node = this.#mapping(path, event.start);
        break;
      case eventKind.alias: {
        const name = this.#text.slice(event.anchorStart, event.anchorEnd);
        const target = this.#anchors.get(name);
        if (!target) this.#error(path, event.anchorStart - 1, `the alias *${name} names no anchor before it`);
        else node = { ...target.node, offset: event.anchorStart - 1 };
        this.#nodes += target?.size ?? 0;
        return node;
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

  /** Whether the open collection has another child; steps over its end. */
  #more(): boolean {
    const event = this.#events[this.#next];
    if (event && event.type !== eventKind.pop) return this.#nodes <= nodeBudget;
    this.#next++;
    return false;
  }

  #scalar(event: Extract<Event, { type: 4 }>): YamlNode {
    const text = getScalarValue(this.#text, event);
    const offset = Math.max(
      0,
      event.style === plainStyle || event.valueStart === 0 ? event.valueStart : event.valueStart - 1,
    );
    return { kind: 'scalar', offset, text, value: event.style === plainStyle ? plainValue(text) : text };
  }

  #mapping(path: readonly (string | number)[], offset: number): YamlNode {
    const entries = new Map<string, YamlEntry>();
    while (this.#more()) {
      const key = this.#node(path);
      const name = key.kind === 'scalar' ? key.text : '';
      const value = this.#node([...path, name]);
      if (key.kind !== 'scalar') this.#error(path, key.offset, 'a key must be a plain word');
      else if (name === '<<')
        this.#error([...path, name], key.offset, 'merge keys are not supported: write the keys out');
      else if (entries.has(name)) this.#error([...path, name], key.offset, 'this key stands here twice');
      else entries.set(name, { keyOffset: key.offset, value });
    }
    return { kind: 'mapping', offset, entries };
  }

  #tagless(path: readonly (string | number)[], tagStart: number): void {
    if (tagStart >= 0) this.#error(path, tagStart, 'YAML tags are not supported');
  }
}

/** A plain scalar by YAML 1.2's core schema: null, booleans, numbers, else text. */
function plainValue(text: string): string | number | boolean | null {
  for (const tag of CORE_SCHEMA.implicitScalarTags) {
    const value = tag.resolve(text, false, tag.tagName);
    if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  }
  return text;
}

/** Line and column, both from 1. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let i = before.indexOf('\n'); i >= 0; i = before.indexOf('\n', i + 1)) line++;
  return { line, column: offset - lineStart + 1 };
}
