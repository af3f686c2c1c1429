/**
 * Converts the ConfigMap of MetalLB v0.9 to v0.12. Bellman's format extends the format of this ConfigMap, so the text stays as it is, with
 * its comments and its order. Only `ignore-excluded-nodes` may be added. The report has a row for every key, to show what Bellman understands.
 */
import { defaultNamespace, excludeFromLoadBalancersLabel } from '../../cluster/names.ts';
import { parseConfig } from '../../config/index.ts';
import { readYaml, type YamlNode } from '../../config/text/index.ts';
import { Draft } from '../draft.ts';
import { isMapping } from '../mapping.ts';
import { placeOf, type SourceObject } from '../objects.ts';
import type { Report } from '../report.ts';
import type { SourceResult } from '../source.ts';
import { show } from '../text.ts';

const key = 'config';
const excludedNodesKey = 'ignore-excluded-nodes';
/** `leavesOf` needs no greater depth, because `parseConfig` has already refused each text that nests more deeply. */
const maxDepth = 20;

/**
 * Whether the object is a ConfigMap with a configuration of MetalLB. MetalLB accepts any name, and other programs also keep a text under
 * `config`. A ConfigMap without MetalLB's default namespace and name therefore counts only if its text has a key of MetalLB.
 */
export function isConfigMap({ apiVersion, kind, namespace, name, body }: SourceObject): boolean {
  if (apiVersion !== 'v1' || kind !== 'ConfigMap' || !isMapping(body.data) || !Object.hasOwn(body.data, key))
    return false;
  if (namespace === 'metallb-system' && name === 'config') return true;
  return /^ *(address-pools|peers|bgp-communities|bfd-profiles) *:/m.test(String(body.data[key]));
}

export function convertConfigMap(objects: readonly SourceObject[], report: Report): SourceResult {
  const [object, second] = objects;
  if (!object) return { kind: 'draft', draft: new Draft() };
  if (second)
    report.refuse(
      placeOf(second),
      `${placeOf(object).object} holds a configuration too; give only one of them`,
    );
  const data = isMapping(object.body.data) ? object.body.data : {};
  const text = data[key];
  if (typeof text !== 'string') {
    report.refuse(placeOf(object, `data.${key}`), `expected a text, not ${show(text)}`);
    return { kind: 'text', text: '' };
  }
  const parsed = parseConfig(text);
  if (!parsed.ok) {
    for (const { path, line, column, message } of parsed.error)
      report.refuse(
        placeOf(object, `data.${key}`),
        `line ${line}, column ${column}: ${path === '' ? '' : `${path}: `}${message}`,
      );
    return { kind: 'text', text };
  }
  // A list of scalars has one row, so a warning about one of its items belongs to that row.
  const warnings = Map.groupBy(
    parsed.warnings.filter(({ isIdle }) => !isIdle),
    ({ path }) => path.replace(/\[\d+\]$/, ''),
  );
  const leaves = leavesOf(text);
  for (const path of leaves) {
    const at = placeOf(object, `data.${key}: ${path}`);
    const own = warnings.get(path);
    if (own) report.row(at, 'changed', `${path}: ${own.map(({ message }) => message).join('; ')}`);
    else report.row(at, 'carried', path);
    warnings.delete(path);
  }
  for (const { path, message } of [...warnings.values()].flat())
    report.row(placeOf(object, `data.${key}: ${path}`), 'changed', `${path}: ${message}`);
  // MetalLB v0.12 announces from nodes with the label that excludes nodes from load balancers. A ConfigMap in the namespace of Bellman is Bellman's.
  const isBellmans = object.namespace === defaultNamespace;
  const kept = isBellmans || leaves.includes(excludedNodesKey) ? text : withExcludedNodes(text);
  const why = `MetalLB v0.12 announces from nodes labelled ${excludeFromLoadBalancersLabel}`;
  const at = placeOf(object, `data.${key}`);
  if (kept === undefined)
    report.row(
      at,
      'not carried',
      `add ${excludedNodesKey}: true by hand: ${why}, and bellman convert cannot add a key to this text`,
    );
  else if (kept !== text) report.row(at, 'changed', `${excludedNodesKey}: true, added: ${why}`);
  for (const name of Object.keys(data))
    if (name !== key)
      report.row(placeOf(object, `data.${name}`), 'not carried', `MetalLB reads only data.${key}`);
  return { kind: 'text', text: kept ?? text };
}

/** The text with `ignore-excluded-nodes: true` added; `undefined` for a text to which no line can be added, such as one flow mapping. */
function withExcludedNodes(text: string): string | undefined {
  const longer = `${text.trimEnd()}\n${excludedNodesKey}: true\n`;
  const parsed = parseConfig(longer);
  return parsed.ok && parsed.value.ignoreExcludedNodes ? longer : undefined;
}

/** Paths of the scalars and of the lists of scalars, in the order of the text. */
function leavesOf(text: string): string[] {
  const read = readYaml(text, maxDepth);
  const leaves: string[] = [];
  const visit = (node: YamlNode, path: string) => {
    if (node.kind === 'mapping')
      for (const [name, { value }] of node.entries) visit(value, path === '' ? name : `${path}.${name}`);
    else if (node.kind === 'sequence' && node.items.some(({ kind }) => kind === 'mapping'))
      for (const [i, item] of node.items.entries()) visit(item, `${path}[${i}]`);
    else if (node.kind === 'sequence' ? node.items.length > 0 : node.value !== null && node.value !== '')
      leaves.push(path);
  };
  const root = read.ok ? read.value[0]?.root : undefined;
  if (root) visit(root, '');
  return leaves;
}
