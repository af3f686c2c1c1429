/**
 * PureLB: ServiceGroup and LBNodeAgent, v1 and v2.
 *
 * A group becomes a pool. A `local` group of v2 puts its addresses on the subnet of the nodes, which is layer 2 here. A `remote` group
 * leaves its addresses to a routing daemon, which is BGP here. A group of v1 does not say which of the two is meant, because PureLB decides by the
 * subnet of each node. A group of v1 with an aggregation like `/32` becomes BGP, because only a routing daemon can use such a length. Any other
 * group of v1 becomes layer 2.
 */
import type { IpRange } from '../address/index.ts';
import type { RawLayer2Advertisement, RawPool } from '../config/index.ts';
import { addBgpAdvertisement, addLayer2Advertisement, Draft, type PlacedPool } from './draft.ts';
import type { Field, Fields } from './fields.ts';
import { literalNames } from './interfaces.ts';
import { placeOf, type SourceObject, specOf } from './objects.ts';
import { readRange, shortestLength, withLength } from './ranges.ts';
import type { Report } from './report.ts';
import { isEmptySelector, type Selector } from './selectors.ts';
import { customResource, groupOf, type Source } from './source.ts';

const group = 'purelb.io';
/** The API group of the routing daemon that PureLB ships. */
const bgpGroup = 'bgp.purelb.io';

export const purelb: Source = {
  name: 'purelb',
  title: 'PureLB',
  reads: (object) => groupOf(object) === group || groupOf(object) === bgpGroup,
  lists: [
    customResource(group, ['v2', 'v1'], 'ServiceGroup', 'servicegroups'),
    customResource(group, ['v2', 'v1'], 'LBNodeAgent', 'lbnodeagents'),
    customResource(bgpGroup, ['v1'], 'BGPConfiguration', 'configs'),
  ],
  convert(objects, report) {
    const draft = new Draft();
    const groups = objects.filter(({ kind }) => kind === 'ServiceGroup');
    for (const object of groups) convertGroup(object, draft, report);
    const onLinks = draft.pools.filter(({ value }) => value.protocol === 'layer2');
    const agents = objects
      .filter(({ kind }) => kind === 'LBNodeAgent')
      .map((object) => readAgent(object, report));
    // An agent for all nodes and links needs an advertisement beside those of other agents. Otherwise only the nodes of the others would answer.
    const areNeeded = agents.some(({ advertisement }) => Object.keys(advertisement).length > 0);
    for (const agent of agents) convertAgent(agent, onLinks, areNeeded);
    for (const object of objects)
      if (object.kind !== 'ServiceGroup' && object.kind !== 'LBNodeAgent') dropOther(object, report);
    return { kind: 'draft', draft };
  },
};

/** Reports an object of the routing daemon, a configuration or a status, as not carried. */
function dropOther(object: SourceObject, report: Report): void {
  const spec = specOf(object, report);
  const why = 'write the routers under peers; Bellman speaks BGP itself';
  if (spec.names().length === 0) report.row(placeOf(object), 'not carried', why);
  spec.dropOthers(why);
}

/** The name of the group that serves Services that name no group. */
const defaultGroup = 'default';

/** A range of addresses with its subnet and the aggregation of its routes. */
interface AddressList {
  readonly pool: Field<string>;
  readonly subnet: Field<string> | undefined;
  readonly aggregation: Field<string> | undefined;
  readonly range: IpRange | undefined;
}

function convertGroup(object: SourceObject, draft: Draft, report: Report): void {
  const spec = specOf(object, report);
  const [local, remote] = [spec.object('local'), spec.object('remote')];
  const body = local ?? remote;
  if (local && remote)
    report.refuse(placeOf(object, 'spec'), 'local and remote cannot be combined; remove one of them');
  if (!body) {
    if (!spec.has('netbox') && !spec.has('external')) spec.lacks('local', 'local, remote or external');
    spec.dropOthers('Bellman assigns the addresses itself; write the addresses of the pool by hand');
    return;
  }
  const at = draft.nextPool;
  report.cameFrom(at, placeOf(object));
  const lists = addressListsOf(body);
  const isRemote =
    remote !== undefined ||
    (object.apiVersion.endsWith('/v1') &&
      lists.some(({ aggregation }) => lengthOf(aggregation) !== undefined));
  const value: RawPool = {
    name: object.name,
    protocol: isRemote ? 'bgp' : 'layer2',
    addresses: lists.map(({ pool }) => withLength(carriedPool(pool, `${at}.addresses`))),
  };
  const pool = draft.addPool(value);
  for (const { subnet } of lists)
    subnet?.changed(
      '',
      isRemote
        ? 'left out; routes need no subnet'
        : 'left out; Bellman answers on every link whose subnet holds the address',
    );
  convertAggregation(lists, pool, isRemote);
  convertNamespaces(spec, pool, object, report);
  for (const name of ['multiPool', 'balancePools'])
    body.boolean(name)?.dropped('Bellman takes the lowest free address of a pool; make a pool of each range');
  body
    .boolean('skipIPv6DAD')
    ?.dropped('Bellman puts no address on an interface, so the kernel probes nothing');
  spec.dropOthers('Bellman knows no such setting of a pool');
}

function carriedPool(pool: Field<string>, to: string): string {
  const written = withLength(pool.value);
  return written === pool.value ? pool.carried(to) : pool.changed(to, `written as ${written}`);
}

function addressListsOf(body: Fields): AddressList[] {
  const holders = [
    ...(body.has('pool') ? [body] : []),
    ...['v4pool', 'v6pool'].flatMap((name) => body.object(name) ?? []),
    ...['v4pools', 'v6pools'].flatMap((name) => body.objects(name)),
  ];
  const lists = holders.flatMap((holder): AddressList[] => {
    const pool = holder.text('pool');
    if (!pool) holder.lacks('pool', 'a prefix or a range');
    if (!pool) return [];
    return [
      {
        pool,
        subnet: holder.text('subnet'),
        aggregation: holder.text('aggregation'),
        range: readRange(pool.value),
      },
    ];
  });
  if (holders.length === 0) body.lacks('v4pool', 'at least one pool of addresses');
  return lists;
}

/** The prefix length that an aggregation names, for example 32 for `/32`; `undefined` for `default` and without an aggregation. */
function lengthOf(aggregation: Field<string> | undefined): number | undefined {
  const [, digits] = /^\/?(\d{1,3})$/.exec(aggregation?.value ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Converts the aggregations of all ranges together, because a pool has one length for each family. A prefix larger than the largest CIDR block
 * inside a range would also announce addresses outside the range.
 */
function convertAggregation(lists: readonly AddressList[], pool: PlacedPool, isRemote: boolean): void {
  const lengths = new Map<4 | 6, Set<number>>();
  for (const { aggregation, subnet, range } of lists) {
    if (!range) continue;
    const ofSubnet = subnet === undefined ? undefined : Number(subnet.value.split('/')[1]);
    const length = aggregation === undefined ? undefined : (lengthOf(aggregation) ?? ofSubnet);
    lengths.set(range.family, (lengths.get(range.family) ?? new Set()).add(length ?? hostLength(range)));
  }
  const chosen = new Map<4 | 6, number>();
  for (const [family, wanted] of lengths) {
    const [length = 0, ...others] = wanted;
    const shortest = Math.max(
      ...lists.flatMap(({ range }) => (range?.family === family ? shortestLength(range) : [])),
    );
    if (isRemote && others.length === 0 && length >= shortest) chosen.set(family, length);
  }
  const advertisement = {
    ...(chosen.has(4) ? { 'aggregation-length': chosen.get(4) } : {}),
    ...(chosen.has(6) ? { 'aggregation-length-v6': chosen.get(6) } : {}),
  };
  const isAggregated = (chosen.get(4) ?? 32) < 32 || (chosen.get(6) ?? 128) < 128;
  const place = isAggregated ? addBgpAdvertisement(pool, advertisement) : pool.at;
  for (const { aggregation, range } of lists) {
    if (!aggregation) continue;
    const key = range?.family === 6 ? 'aggregation-length-v6' : 'aggregation-length';
    if (!isRemote) aggregation.changed('', 'left out; it has no meaning in layer 2');
    else if (!range || !chosen.has(range.family))
      aggregation.dropped(
        'the prefix would hold addresses outside the pool, or the ranges of the pool ask for different prefix lengths; host routes are announced',
      );
    else
      aggregation.changed(
        isAggregated ? `${place}.${key}` : '',
        `a prefix of length ${chosen.get(range.family)}`,
      );
  }
}

function hostLength({ family }: IpRange): number {
  return family === 4 ? 32 : 128;
}

function convertNamespaces(
  spec: Fields,
  { at, value: pool }: PlacedPool,
  object: SourceObject,
  report: Report,
): void {
  const namespaces = spec.texts('namespaces');
  const isEnforced = spec.boolean('enforceNamespaces');
  const isDefault = spec.boolean('namespaceDefault');
  if (!namespaces) {
    isEnforced?.changed('', 'left out; it has no meaning without namespaces');
    isDefault?.changed('', 'left out; it has no meaning without namespaces');
    if (object.name === defaultGroup) return;
    pool['auto-assign'] = false;
    report.row(
      placeOf(object, 'metadata.name'),
      'changed',
      `${at}.auto-assign: false, because only the group ${defaultGroup} serves Services that name no group`,
    );
    return;
  }
  pool.namespaces = isEnforced?.value
    ? namespaces.carried(`${at}.namespaces`)
    : namespaces.changed(
        `${at}.namespaces`,
        'only these namespaces may use the pool; in PureLB others may name the group',
      );
  if (isEnforced?.value) isEnforced.carried(`${at}.namespaces`);
  else isEnforced?.changed('', 'left out; the namespaces of a pool are always enforced');
  if (isDefault?.value) {
    pool.priority = 0;
    isDefault.changed(`${at}.priority`, '0, so that this pool of the namespace is tried first');
  } else isDefault?.changed('', 'left out; it is the default');
}

interface Agent {
  readonly spec: Fields;
  readonly local: Fields | undefined;
  readonly nodes: Field<Selector> | undefined;
  readonly link: Field<string> | undefined;
  /** Names of links beside the one that `link` names. */
  readonly more: Field<string[]> | undefined;
  /** Empty for all links, `undefined` for a pattern. */
  readonly names: readonly string[] | undefined;
  readonly advertisement: RawLayer2Advertisement;
}

function readAgent(object: SourceObject, report: Report): Agent {
  const spec = specOf(object, report);
  const local = spec.object('local');
  const nodes = spec.selector('nodeSelector');
  const link = local?.text('localInterface') ?? local?.text('localint');
  const more = local?.texts('interfaces');
  const own = link === undefined || link.value === 'default' ? [] : literalNames(link.value);
  // Without names, Bellman answers on every link, which includes those of `interfaces`.
  const names = own && own.length > 0 ? [...new Set([...own, ...(more?.value ?? [])])] : own;
  const advertisement = {
    ...(names && names.length > 0 ? { interfaces: names } : {}),
    ...(nodes && !isEmptySelector(nodes.value) ? { 'node-selectors': [nodes.value] } : {}),
  };
  return { spec, local, nodes, link, more, names, advertisement };
}

function convertAgent(
  { spec, local, nodes, link, more, names, advertisement }: Agent,
  pools: readonly PlacedPool[],
  isNeeded: boolean,
): void {
  const places = isNeeded ? pools.map((pool) => addLayer2Advertisement(pool, advertisement)) : [];
  const to = (key: string) => places.map((place) => `${place}.${key}`);
  const noPool = 'no pool is announced in layer 2';
  const written = 'written into each pool in layer 2';
  const everyLink = 'left out; Bellman answers on every link whose subnet holds the address';
  if (pools.length === 0) {
    nodes?.dropped(noPool);
    link?.dropped(noPool);
    more?.dropped(noPool);
  } else {
    if (nodes && isEmptySelector(nodes.value)) nodes.changed('', 'left out; it selects all nodes');
    else
      nodes?.changed(
        to('node-selectors'),
        `${written}; a node that several agents select follows all of them`,
      );
    if (link?.value === 'default') link.changed('', everyLink);
    else if (names === undefined)
      link?.dropped(
        'Bellman takes names of interfaces, not patterns; without names it answers on every link whose subnet holds the address',
      );
    else link?.changed(to('interfaces'), written);
    if (advertisement.interfaces) more?.changed(to('interfaces'), written);
    else more?.changed('', everyLink);
  }
  if (local) dropLocal(local);
  spec.dropOthers('Bellman knows no such setting of its speakers');
}

function dropLocal(local: Fields): void {
  const noKernel = 'Bellman puts no address on an interface';
  local.text('dummyInterface')?.dropped(`${noKernel}; it announces routes by BGP itself`);
  local.text('extlbint')?.dropped(`${noKernel}; it announces routes by BGP itself`);
  const always = 'Bellman always sends gratuitous ARP when an address moves, and chooses the times itself';
  local.boolean('sendgarp')?.dropped(always);
  local.object('garpConfig')?.dropOthers(always);
  local.object('addressConfig')?.dropOthers(noKernel);
  local
    .object('addressGuard')
    ?.dropOthers('Bellman filters no traffic; use a NetworkPolicy or the firewall of the node');
}
