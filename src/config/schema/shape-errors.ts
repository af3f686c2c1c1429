/** Messages about a document's shape. Each says what to write instead. */
import * as z from 'zod';
import { formatPath, type Path, show, showSome } from '../errors.ts';
import { spellingHint } from '../spelling.ts';
import type { YamlNode, YamlScalar } from '../text/index.ts';
import { bare, homesOfKeys, objectOf, type Schema, scalarTypes } from './schema-walk.ts';

/** The message about an unknown key. */
export function unknownKey(key: string, known: readonly string[], holder: Path): string {
  if (holder.length === 0 && ['apiVersion', 'kind', 'metadata', 'data'].includes(key))
    return `${key} belongs to a manifest; the configuration is only the text under data.config of the ConfigMap`;
  const meant = spellingHint(key, known);
  if (meant !== undefined) return `unknown key ${show(key)}; did you mean ${meant}?`;
  if (known.includes('match-labels')) return `unknown key ${show(key)}; labels go under match-labels`;
  const homes = homesOfKeys.get(key);
  if (homes) return `${key} has no meaning here; it belongs to ${homes.join(' or ')}`;
  const where = holder.length === 0 ? 'at the top' : `in ${formatPath(holder)}`;
  return `unknown key ${show(key)}; known ${where}: ${showSome(known, 30)}`;
}

/** The message about a value of the wrong kind, with the likely reason. */
export function mismatch(expected: string, node: YamlNode, schema: Schema): string {
  return `expected ${expected}, not ${describe(node)}${mistakeHint(expected, node, bare(schema))}`;
}

function describe(node: YamlNode): string {
  if (node.kind === 'sequence') return node.items.length === 0 ? 'an empty list' : 'a list';
  if (node.kind === 'mapping') return 'keys and values';
  if (node.value === null) return 'nothing';
  return node.isPlain ? show(node.text) : JSON.stringify(node.text.slice(0, 64).toWellFormed());
}

function mistakeHint(expected: string, node: YamlNode, schema: Schema): string {
  if (schema instanceof z.ZodArray) {
    if (node.kind === 'mapping') return '; begin each item with "- "';
    const isListOfTexts = objectOf(schema.element) === undefined;
    return node.kind === 'scalar' && node.value !== null && isListOfTexts
      ? `; write [${show(node.text)}]`
      : '';
  }
  if (node.kind === 'mapping' && expected.includes('community') && node.entries.size === 1) {
    for (const [key, { value }] of node.entries)
      if (value.kind === 'scalar') return `; write ${show(`${key}:${value.text}`)} without a space`;
  }
  return node.kind === 'scalar' && node.value !== null ? scalarHint(expected, node, schema) : '';
}

function scalarHint(expected: string, { text, isPlain }: YamlScalar, schema: Schema): string {
  const { number, boolean, words } = scalarTypes(schema);
  if (expected.startsWith('an AS number')) {
    const [, high, low] = /^(\d{1,5})\.(\d{1,5})$/.exec(text) ?? [];
    if (Number(high) <= 65535 && Number(low) <= 65535) return `; write ${Number(high) * 65536 + Number(low)}`;
    if (/^AS\d{1,10}$/i.test(text)) return `; write ${text.slice(2)}`;
  }
  if (number && /^[-+]?0\d+$/.test(text)) return '; write it without leading zeros';
  if (!isPlain && number && /^\d+$/.test(text)) return '; write it without quotes';
  if (!isPlain && boolean && /^(true|false|yes|no|on|off)$/i.test(text)) return '; write it without quotes';
  const meant =
    spellingHint(text, words) ?? words.find((word) => word.toLowerCase() === text.slice(0, 64).toLowerCase());
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return words.includes('layer2') && /^(l2|arp|ndp|layer-?2)$/i.test(text) ? '; did you mean layer2?' : '';
}
