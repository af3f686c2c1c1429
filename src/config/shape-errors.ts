/** What zod found wrong with a document's shape, said so that the person who wrote it knows what to write instead. */
import type { z } from 'zod';
import { formatPath, type Path, show, showSome } from './errors.ts';
import { homesOfKeys, keysOf, schemaAt } from './schema-walk.ts';
import { spellingHint } from './spelling.ts';
import { findNode, type YamlNode } from './yaml.ts';

/** Takes a complaint; its message is made only if it will be shown. */
export type Complain = (path: Path, message: () => string, at?: 'key' | 'value') => void;

type Issue = z.core.$ZodIssue;

/** Misspelt keys that are compared with missing ones: a text with more has other troubles. */
const maxCompared = 1000;

export function complainOfShape(issues: readonly Issue[], root: YamlNode, complain: Complain): void {
  const meant = keysMeant(issues);
  for (const issue of issues)
    if (!meant.has(formatPath(pathOf(issue, [])))) explain(issue, [], root, complain);
}

/** Paths of keys that are there after all, misspelt: one slip is one error, not a missing key besides. */
function keysMeant(issues: readonly Issue[]): ReadonlySet<string> {
  const meant = new Set<string>();
  let compared = 0;
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const holder = pathOf(issue, []);
    const known = keysOf(schemaAt(holder));
    for (const key of issue.keys.slice(0, maxCompared - compared)) {
      const hint = spellingHint(key, known);
      if (hint !== undefined) meant.add(formatPath([...holder, hint]));
      compared++;
    }
  }
  return meant;
}

function explain(issue: Issue, prefix: Path, root: YamlNode, complain: Complain): void {
  const path = pathOf(issue, prefix);
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) complain([...path, key], () => unknownKey(key, path), 'key');
    return;
  }
  const { node, isFound } = findNode(root, path);
  if (!isFound) {
    complain(path, () => `${String(path.at(-1))} is missing; expected ${issue.message}`);
    return;
  }
  if (issue.code === 'invalid_union' && node.kind === 'mapping') {
    const ofObject = issue.errors.find((inner) => !inner.some(({ code, path: at }) => isAtScalar(code, at)));
    for (const inner of ofObject ?? []) explain(inner, path, root, complain);
    if (ofObject) return;
  }
  if (path[0] === 'bfd-profiles')
    complain(path, () => 'bfd-profiles is not supported yet; leave it out', 'key');
  else complain(path, () => `expected ${issue.message}, not ${describe(node)}${slipHint(issue, node, path)}`);
}

function isAtScalar(code: string, path: readonly PropertyKey[]): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

function pathOf(issue: Issue, prefix: Path): Path {
  return [...prefix, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
}

function describe(node: YamlNode): string {
  if (node.kind === 'sequence') return node.items.length === 0 ? 'an empty list' : 'a list';
  if (node.kind === 'mapping') return 'keys and values';
  if (node.value === null) return 'nothing';
  return node.isPlain ? show(node.text) : JSON.stringify(node.text.slice(0, 64).toWellFormed());
}

function unknownKey(key: string, holder: Path): string {
  const known = keysOf(schemaAt(holder));
  if (holder.length === 0 && ['apiVersion', 'kind', 'metadata', 'data'].includes(key))
    return `${key} belongs to a manifest; the configuration is only what stands under data.config of the ConfigMap`;
  const meant = spellingHint(key, known);
  if (meant !== undefined) return `unknown key ${show(key)}; did you mean ${meant}?`;
  if (known.includes('match-labels')) return `unknown key ${show(key)}; labels stand under match-labels`;
  const homes = homesOfKeys.get(key);
  if (homes) return `${key} has no meaning here; it belongs to ${homes.join(' or ')}`;
  return `unknown key ${show(key)}; known ${holder.length === 0 ? 'at the top' : `in ${formatPath(holder)}`}: ${showSome(known, 30)}`;
}

/** The likely reason for a value of the wrong type. */
function slipHint(issue: Issue, node: YamlNode, path: Path): string {
  const expected = issue.message;
  if (expected.includes('list of') && issue.code === 'invalid_type') {
    if (node.kind === 'mapping') return '; begin each item with "- "';
    const isListOfTexts = keysOf(schemaAt([...path, 0])).length === 0;
    if (node.kind === 'scalar' && node.value !== null && isListOfTexts) return `; write [${show(node.text)}]`;
  }
  if (node.kind === 'mapping' && expected.includes('community') && node.entries.size === 1) {
    const [[key, { value }] = ['', { value: node }]] = [...node.entries];
    if (value.kind === 'scalar') return `; write ${show(`${key}:${value.text}`)} without a space`;
  }
  if (node.kind !== 'scalar') return '';
  const wantsNumber = /number|port|length|priority|limit/.test(expected);
  if (wantsNumber && expected.startsWith('an AS number') && /^\d{1,5}\.\d{1,5}$/.test(node.text)) {
    const [high = 0, low = 0] = node.text.split('.').map(Number);
    if (high <= 65535 && low <= 65535) return `; write ${high * 65536 + low}`;
  }
  if (wantsNumber && expected.startsWith('an AS number') && /^AS\d{1,10}$/i.test(node.text))
    return `; write ${node.text.slice(2)}`;
  if (wantsNumber && /^[-+]?0\d+$/.test(node.text)) return '; write it without leading zeros';
  if (wantsNumber && !node.isPlain && /^\d+$/.test(node.text)) return '; write it without quotes';
  if (expected === 'true or false' && !node.isPlain && /^(true|false|yes|no|on|off)$/i.test(node.text))
    return '; write it without quotes';
  const words = wordsOf(issue);
  const meant =
    spellingHint(node.text, words) ?? words.find((word) => word.toLowerCase() === node.text.toLowerCase());
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return path.at(-1) === 'protocol' && /^(l2|arp|ndp|layer-?2)$/i.test(node.text)
    ? '; did you mean layer2?'
    : '';
}

/** The words that an enumeration takes, also one within a union. */
function wordsOf(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_union') return issue.errors.flat().flatMap(wordsOf);
  return issue.code === 'invalid_value' ? issue.values.map(String) : [];
}

/** The data without what the issues are about: what is left has the schema's types. Changes the data in place. */
export function removeUnsound(data: unknown, issues: readonly Issue[]): void {
  for (const issue of issues) {
    let holder = data;
    for (const part of issue.path.slice(0, -1)) holder = memberOf(holder, part);
    const last = issue.path.at(-1);
    const victim = last === undefined ? data : memberOf(holder, last);
    if (issue.code === 'unrecognized_keys') {
      if (isRecord(victim)) for (const key of issue.keys) delete victim[key];
    } else if (isRecord(holder) && last !== undefined && Object.hasOwn(holder, last)) {
      holder[last] = undefined;
    }
  }
}

function memberOf(holder: unknown, part: PropertyKey): unknown {
  return isRecord(holder) && Object.hasOwn(holder, part) ? holder[part] : undefined;
}

function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}
