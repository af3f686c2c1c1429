/**
 * kube-vip: the ConfigMap of its cloud provider, with the keys `cidr-NAMESPACE`, `range-NAMESPACE`, `interface-NAMESPACE` and so on.
 * `global` stands for all namespaces. The ConfigMap does not say how the addresses are announced: flags of kube-vip itself decide it.
 *
 * kube-vip lets ranges overlap. In the configuration an address is in one pool only. An address that several keys hold goes into the pool of the
 * key that kube-vip looks for first: `cidr-NAMESPACE`, then `cidr-global`, then `range-NAMESPACE`, then `range-global`. A cidr key hides the range
 * key of its namespace, and `cidr-global` hides every range key: kube-vip assigns no address of a hidden key. An address goes into the pool of a
 * hidden key only if all keys that hold the address are hidden.
 */
import { familyBits, type IpRange } from '../address/index.ts';
import { printRange, type RawPool } from '../config/index.ts';
import { addLayer2Advertisement, Draft } from './draft.ts';
import { type Field, Fields } from './fields.ts';
import { isMapping } from './mapping.ts';
import { placeOf, type SourceObject } from './objects.ts';
import { readRange, subtract, union } from './ranges.ts';
import type { Report } from './report.ts';
import { configMap, type Source } from './source.ts';
import { show } from './text.ts';

const name = 'kubevip';
const allNamespaces = 'global';
/** kube-vip asks a DHCP server for addresses when the value of a key is this prefix. */
const dhcp = '0.0.0.0/32';

export const kubeVip: Source = {
  name: 'kube-vip',
  title: 'kube-vip',
  reads: isKubeVip,
  lists: [configMap('kube-system', name)],
  convert(objects, report) {
    const draft = new Draft();
    const [object, second] = objects;
    if (second)
      report.refuse(placeOf(second), 'there is another ConfigMap of kube-vip; give only one of them');
    else if (object) convertConfigMap(object, draft, report);
    return { kind: 'draft', draft };
  },
};

const poolKey = /^(cidr|range)-(.+)$/;

function isKubeVip({ apiVersion, kind, body, name: own }: SourceObject): boolean {
  if (apiVersion !== 'v1' || kind !== 'ConfigMap') return false;
  return own === name || (isMapping(body.data) && Object.keys(body.data).some((key) => poolKey.test(key)));
}

/** The addresses of one key. */
interface AddressList {
  readonly field: Field<string>;
  readonly namespace: string;
  readonly kind: 'cidr' | 'range';
  readonly ranges: readonly IpRange[];
}

function convertConfigMap(object: SourceObject, draft: Draft, report: Report): void {
  const data = new Fields(
    isMapping(object.body.data) ? object.body.data : {},
    placeOf(object, 'data'),
    report,
  );
  const lists = data.names().flatMap((key) => listOf(data, key));
  const skipsEnds = data.boolean('skip-end-ips-in-cidr');
  // A hidden range still becomes a pool, because Services may hold addresses that kube-vip assigned before the cidr key existed.
  const hasGlobalCidr = lists.some(({ namespace, kind }) => namespace === allNamespaces && kind === 'cidr');
  const isHidden = ({ namespace, kind }: AddressList) =>
    kind === 'range' &&
    (hasGlobalCidr || lists.some((other) => other.kind === 'cidr' && other.namespace === namespace));
  const order = (list: AddressList) => (isHidden(list) ? 2 : 0) + (list.namespace === allNamespaces ? 1 : 0);
  const taken: IpRange[] = [];
  const linkOfNamespace = new Map<string, Field<string>>();
  for (const key of data.names())
    if (key.startsWith('interface-')) {
      const field = data.text(key);
      if (field) linkOfNamespace.set(key.slice('interface-'.length), field);
    }
  const placesOfLink = new Map<Field<string>, string[]>();
  for (const list of [...lists].sort((a, b) => order(a) - order(b))) {
    const usable = skipsEnds?.value && list.kind === 'cidr' ? list.ranges.map(withoutEnds) : list.ranges;
    const own = subtract(usable, taken);
    if (own.length === 0) {
      list.field.dropped('all its addresses are in other pools');
      continue;
    }
    taken.push(...own);
    const at = draft.nextPool;
    const hidden = isHidden(list);
    const value: RawPool = {
      name: nameOf(list, lists),
      protocol: 'layer2',
      addresses: own.map(printRange),
      ...(hidden ? { 'auto-assign': false } : {}),
      ...(list.namespace === allNamespaces ? {} : { namespaces: [list.namespace] }),
    };
    const pool = draft.addPool(value);
    reportPool(list, own, at, hidden);
    const link = linkOfNamespace.get(list.namespace) ?? linkOfNamespace.get(allNamespaces);
    if (link) {
      const place = addLayer2Advertisement(pool, { interfaces: [link.value] });
      placesOfLink.set(link, [...(placesOfLink.get(link) ?? []), `${place}.interfaces`]);
    }
  }
  const withList = new Set(data.names().map((key) => poolKey.exec(key)?.[2]));
  for (const [namespace, link] of linkOfNamespace) {
    const places = placesOfLink.get(link);
    if (places) link.changed(places, 'written into each pool that it is for');
    else if (namespace === allNamespaces)
      link.dropped(
        draft.pools.length === 0 ? 'there is no pool' : 'each pool has the interface of its own namespace',
      );
    else {
      const why = withList.has(namespace)
        ? 'the addresses of this namespace are not carried either'
        : 'this namespace has no pool of its own';
      link.dropped(`${why}; its Services use the interface of the pool that serves them`);
    }
  }
  if (skipsEnds?.value)
    skipsEnds.changed('', 'the first and the last address of each IPv4 prefix are left out of the pools');
  else skipsEnds?.changed('', 'left out; it is the default');
  data.text('search-order')?.dropped('Bellman assigns the lowest free address');
  for (const key of data.names())
    if (key.startsWith('allow-share-'))
      data
        .text(key)
        ?.dropped(
          'Services share an address when they have the same sharing key, by the annotation bellman.dev/allow-shared-ip',
        );
  data.dropOthers('kube-vip knows no such key');
}

function listOf(data: Fields, key: string): AddressList[] {
  const [, kind, namespace = ''] = poolKey.exec(key) ?? [];
  if (kind !== 'cidr' && kind !== 'range') return [];
  const field = data.text(key);
  if (!field) return [];
  if (field.value === dhcp) {
    field.dropped('Bellman asks no DHCP server; write the addresses of the pool by hand');
    return [];
  }
  const ranges: IpRange[] = [];
  for (const part of field.value.split(',')) {
    const range = readRange(part);
    const isOfKind = part.includes('/') === (kind === 'cidr');
    if (range && isOfKind) ranges.push(range);
    else
      field.refuse(
        `${show(part)} is not ${kind === 'cidr' ? 'a prefix like 192.0.2.0/24' : 'a range like 192.0.2.10-192.0.2.20'}`,
      );
  }
  return [{ field, namespace, kind, ranges }];
}

/** The name of the pool: the namespace, with the kind as a suffix when the namespace has both kinds of key. */
function nameOf({ namespace, kind }: AddressList, lists: readonly AddressList[]): string {
  const isOnly = lists.filter((list) => list.namespace === namespace).length === 1;
  return isOnly ? namespace : `${namespace}-${kind}`;
}

function withoutEnds(range: IpRange): IpRange {
  const size = range.last - range.first + 1n;
  return size > 2n && familyBits(range.family) === 32
    ? { ...range, first: range.first + 1n, last: range.last - 1n }
    : range;
}

function reportPool(
  { field, namespace, kind, ranges }: AddressList,
  own: readonly IpRange[],
  at: string,
  hidden: boolean,
): void {
  const to = [`${at}.addresses`, at];
  const said: string[] = [];
  if (namespace === allNamespaces) said.push('for all namespaces');
  if (size(own) < size(union(ranges)))
    said.push('without addresses that are in another pool or at an end of a prefix');
  if (hidden) said.push(`auto-assign: false, because kube-vip prefers a cidr key to this ${kind} key`);
  field.changed(
    to,
    ['the ConfigMap does not say how the addresses are announced; layer2 is assumed', ...said].join('; '),
  );
}

function size(ranges: readonly IpRange[]): bigint {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}
