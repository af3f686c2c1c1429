import type { z } from 'zod';
import { fail, ok, type Result } from '../result.ts';
import type { Config } from './config.ts';
import { resolveConfig } from './resolve.ts';
import { configSchema } from './schema.ts';
import { spellingHint } from './spelling.ts';
import { positionOf, readYaml, type YamlNode } from './yaml.ts';

/** One thing that is wrong, with where it stands. */
export interface ConfigError {
  /** As `address-pools[1].addresses[0]`; empty for the document. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** What is wrong and what would be right. */
  readonly message: string;
}

type Path = readonly (string | number)[];

/**
 * Reads and judges a configuration. Pure; never throws on any input; the time and memory it takes are bounded by the text's length.
 * All errors are returned at once, in the order of the text.
 */
export function parseConfig(text: string): Result<Config, readonly ConfigError[]> {
  const document = readYaml(text);
  if (!document.ok)
    return fail(
      document.error.map(({ path, offset, message }) => ({
        path: formatPath(path),
        ...positionOf(text, offset),
        message,
      })),
    );
  const root = document.value;
  const found = new Map<string, { offset: number; error: Omit<ConfigError, 'line' | 'column'> }>();
  const complain = (path: Path, message: string, atKey = false) => {
    const error = { path: formatPath(path), message };
    found.set(`${error.path} ${message}`, { offset: offsetOf(root, path, atKey), error });
  };

  // An empty document is a configuration without peers and pools.
  const plain = root.kind === 'scalar' && root.value === null ? {} : plainOf(root);
  const parsed = configSchema.safeParse(plain);
  if (!parsed.success) for (const issue of parsed.error.issues) explain(issue, [], plain, complain);
  const config = parsed.success ? resolveConfig(parsed.data, complain) : undefined;
  if (config && found.size === 0) return ok(config);
  const errors = [...found.values()].sort((a, b) => a.offset - b.offset);
  return fail(errors.map(({ offset, error }) => ({ ...error, ...positionOf(text, offset) })));
}

/** One line for people: `address-pools[1].addresses[0], line 14, column 7: …`. */
export function formatConfigError({ path, line, column, message }: ConfigError): string {
  return `${path === '' ? '' : `${path}, `}line ${line}, column ${column}: ${message}`;
}

function explain(
  issue: z.core.$ZodIssue,
  prefix: Path,
  plain: unknown,
  complain: (path: Path, message: string, atKey?: boolean) => void,
): void {
  const path = [...prefix, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
  const value = valueAt(plain, path);
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(schemaKeysAt(path));
    for (const key of issue.keys) {
      const hint = spellingHint(key, known);
      complain(
        [...path, key],
        `unknown key ${key}${hint ? `; did you mean ${hint}?` : `; known here: ${known.join(', ')}`}`,
        true,
      );
    }
    return;
  }
  if (issue.code === 'invalid_type' && value === undefined) {
    complain(path, `${String(path.at(-1))} is missing`);
    return;
  }
  if (issue.code === 'invalid_union' && typeof value === 'object' && value !== null) {
    const closest = issue.errors.find((issues) =>
      issues.some(({ path: inner, code }) => inner.length > 0 || code === 'unrecognized_keys'),
    );
    if (closest) {
      for (const inner of closest) explain(inner, path, plain, complain);
      return;
    }
  }
  if (value === undefined) complain(path, `${String(path.at(-1))} is missing`);
  else if (issue.code === 'invalid_type' && issue.expected === 'object')
    complain(path, `expected keys and values, not ${describe(value)}`);
  else complain(path, `${describe(value)}: ${issue.message}`);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'keys and values';
  return value === null ? 'nothing' : JSON.stringify(value);
}

interface SchemaInner {
  readonly def: {
    readonly type: string;
    readonly innerType?: SchemaInner;
    readonly element?: SchemaInner;
    readonly options?: readonly SchemaInner[];
  };
  readonly shape?: Readonly<Record<string, SchemaInner>>;
}

/** The keys that the schema knows at a path. */
function schemaKeysAt(path: Path): Readonly<Record<string, SchemaInner>> {
  let schema: SchemaInner | undefined = configSchema as unknown as SchemaInner;
  for (const part of [...path, undefined]) {
    while (schema?.def.innerType) schema = schema.def.innerType;
    if (schema?.def.type === 'union') schema = schema.def.options?.find(({ shape }) => shape);
    if (part === undefined) break;
    schema = typeof part === 'number' ? schema?.def.element : schema?.shape?.[part];
  }
  return schema?.shape ?? {};
}

function valueAt(plain: unknown, path: Path): unknown {
  let value = plain;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** Data without prototypes, so that no key can be more than a key. */
function plainOf(node: YamlNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'sequence':
      return node.items.map(plainOf);
    case 'mapping': {
      const plain: Record<string, unknown> = {};
      for (const [key, { value }] of node.entries)
        Object.defineProperty(plain, key, {
          value: plainOf(value),
          enumerable: true,
          configurable: true,
          writable: true,
        });
      return plain;
    }
  }
}

/** Where the value stands, or the nearest thing around it that does. */
function offsetOf(root: YamlNode, path: Path, atKey: boolean): number {
  let node = root;
  for (const [depth, part] of path.entries()) {
    if (node.kind === 'mapping') {
      const entry = node.entries.get(String(part));
      if (!entry) return node.offset;
      if (atKey && depth === path.length - 1) return entry.keyOffset;
      node = entry.value;
    } else if (node.kind === 'sequence') {
      const item = node.items[Number(part)];
      if (!item) return node.offset;
      node = item;
    }
  }
  return node.offset;
}

function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}
