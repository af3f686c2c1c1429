import { type IpRange, rangesOverlap } from '../../address/index.ts';
import type { Layer2Advertisement, PoolConfig, Protocol } from '../config.ts';
import { type Path, show } from '../errors.ts';
import type { Findings, RawPool, Sound } from '../schema/index.ts';
import { type References, resolveBgpAdvertisements } from './advertisements.ts';
import { warnOfColon } from './effects.ts';
import { resolveSelector, resolveSelectors } from './selectors.ts';
import { interfaceNameFault, namespaceFault, readRange } from './values.ts';

/** A range with its place in the document. */
interface WrittenRange {
  readonly range: IpRange;
  readonly text: string;
  readonly pool: number;
  readonly item: number;
}

export function resolvePools(
  raw: readonly (Sound<RawPool> | undefined)[],
  references: References,
  findings: Findings,
): PoolConfig[] {
  const written: WrittenRange[] = [];
  const pools = raw.flatMap((pool, i) => {
    if (!pool) return [];
    const path: Path = ['address-pools', i];
    const own = readRanges(pool, i, findings);
    written.push(...own);
    return resolvePool(
      pool,
      own.map(({ range }) => range),
      path,
      references,
      findings,
    );
  });
  const names = new Set<string>();
  raw.forEach((pool, i) => {
    if (pool?.name === undefined) return;
    const { name } = pool;
    if (names.has(name))
      findings.error(['address-pools', i, 'name'], () => `there is another pool ${show(name)}`);
    names.add(name);
  });
  complainOfOverlaps(written, raw, findings);
  return pools;
}

function readRanges(pool: Sound<RawPool>, index: number, findings: Findings): WrittenRange[] {
  if (pool.addresses?.length === 0)
    findings.error(
      ['address-pools', index, 'addresses'],
      () => 'expected at least one prefix or range, not an empty list',
    );
  return (pool.addresses ?? []).flatMap((text, item) => {
    if (text === undefined) return [];
    const read = readRange(text);
    const path: Path = ['address-pools', index, 'addresses', item];
    if (!read.ok) {
      findings.error(path, () => read.error);
      return [];
    }
    const { range, warning } = read.value;
    if (warning !== undefined) findings.warning(path, () => warning);
    return [{ range, text, pool: index, item }];
  });
}

function resolvePool(
  raw: Sound<RawPool>,
  ranges: readonly IpRange[],
  path: Path,
  references: References,
  findings: Findings,
): PoolConfig[] {
  const at = (key: string): Path => [...path, key];
  const { name } = raw;
  const protocols = resolveProtocols(raw.protocol, at('protocol'), findings);
  const ofBgp = raw['bgp-advertisements'] ?? [];
  const ofLayer2 = raw['l2-advertisements'] ?? [];
  if (name?.includes(','))
    findings.error(
      at('name'),
      () => 'expected a name without commas; annotations separate the names of pools by commas',
    );
  if (protocols && !protocols.includes('layer2') && ofLayer2.length > 0)
    findings.error(
      at('l2-advertisements'),
      () =>
        `the pool is ${protocols.length > 0 ? 'announced by bgp; write bgp-advertisements' : notAnnounced}`,
      'key',
    );
  if (protocols && !protocols.includes('bgp') && ofBgp.length > 0)
    findings.error(
      at('bgp-advertisements'),
      () =>
        `the pool is ${protocols.length > 0 ? 'announced in layer2; write l2-advertisements' : notAnnounced}`,
      'key',
    );
  const bgpAdvertisements = resolveBgpAdvertisements(
    ofBgp,
    { ranges, usesBgp: protocols?.includes('bgp') ?? false },
    at('bgp-advertisements'),
    references,
    findings,
  );
  const l2Advertisements = ofLayer2.map((each, i): Layer2Advertisement => {
    const within: Path = [...at('l2-advertisements'), i];
    const interfaces = soundNames(each?.interfaces, interfaceNameFault, [...within, 'interfaces'], findings);
    each?.interfaces?.forEach((name, n) => {
      warnOfColon(name, [...within, 'interfaces', n], findings);
    });
    return {
      interfaces,
      nodeSelectors: resolveSelectors(each?.['node-selectors'], [...within, 'node-selectors'], findings),
      serviceSelectors: resolveSelectors(
        each?.['service-selectors'],
        [...within, 'service-selectors'],
        findings,
      ),
      preferredNodes: (each?.['preferred-node-selectors'] ?? []).flatMap((preferred, n) => {
        const { weight, preference } = preferred ?? {};
        const place: Path = [...within, 'preferred-node-selectors', n, 'preference'];
        const selector = resolveSelector(preference, place, findings);
        return weight === undefined ? [] : [{ weight, selector }];
      }),
    };
  });
  const selectors = (key: 'namespace-selectors' | 'service-selectors') =>
    resolveSelectors(raw[key], at(key), findings);
  const pool = {
    ranges,
    autoAssign: raw['auto-assign'] ?? true,
    avoidBuggyIps: raw['avoid-buggy-ips'] ?? false,
    draining: raw.draining ?? false,
    ...(raw.priority === undefined ? {} : { priority: raw.priority }),
    namespaces: soundNames(raw.namespaces, namespaceFault, at('namespaces'), findings),
    namespaceSelectors: selectors('namespace-selectors'),
    serviceSelectors: selectors('service-selectors'),
    ...(raw['limit-per-namespace'] === undefined ? {} : { limitPerNamespace: raw['limit-per-namespace'] }),
    shareAcrossNamespaces: raw['share-across-namespaces'] ?? false,
    bgpAdvertisements,
    l2Advertisements,
  };
  return name === undefined || protocols === undefined ? [] : [{ name, protocols, ...pool }];
}

const notAnnounced = 'not announced, because its protocol is none; leave this key out';

/** The protocols of a pool, sorted; `undefined` when the key is missing, or when its value or an item of its list has the wrong shape. */
function resolveProtocols(
  raw: Sound<RawPool>['protocol'],
  path: Path,
  findings: Findings,
): readonly Protocol[] | undefined {
  if (raw === undefined) return undefined;
  if (typeof raw === 'string') return raw === 'none' ? [] : [raw];
  if (raw.length === 0)
    findings.error(
      path,
      () => 'expected bgp or layer2 in the list; write protocol: none for a pool that is not announced',
    );
  raw.forEach((protocol, i) => {
    if (protocol !== undefined && raw.indexOf(protocol) < i)
      findings.error([...path, i], () => `${protocol} is listed twice`);
  });
  const named = raw.flatMap((protocol) => protocol ?? []);
  return named.length === 0 || named.length < raw.length ? undefined : [...new Set(named)].sort();
}

function soundNames(
  names: readonly (string | undefined)[] | undefined,
  faultOf: (name: string) => string | undefined,
  path: Path,
  findings: Findings,
): string[] {
  return (names ?? []).flatMap((name, i) => {
    const wrong = name === undefined ? undefined : faultOf(name);
    if (wrong !== undefined) findings.error([...path, i], () => wrong);
    return name ?? [];
  });
}

/**
 * Complains of ranges that overlap. Sorts the ranges by first address. Then compares each range with only one earlier range: the one with the
 * highest last address. The cost is n log n.
 */
function complainOfOverlaps(
  written: readonly WrittenRange[],
  pools: readonly (Sound<RawPool> | undefined)[],
  findings: Findings,
): void {
  const isEarlier = (a: WrittenRange, b: WrittenRange) =>
    a.pool < b.pool || (a.pool === b.pool && a.item < b.item);
  const sorted = [...written].sort(({ range: a }, { range: b }) =>
    a.family !== b.family ? a.family - b.family : a.first < b.first ? -1 : a.first > b.first ? 1 : 0,
  );
  let furthest: WrittenRange | undefined;
  for (const each of sorted) {
    if (furthest && rangesOverlap(furthest.range, each.range)) {
      const [earlier, later] = isEarlier(furthest, each) ? [furthest, each] : [each, furthest];
      findings.error(['address-pools', later.pool, 'addresses', later.item], () => {
        const name = pools[earlier.pool]?.name;
        const other = name === undefined ? `address-pools[${earlier.pool}]` : `pool ${show(name)}`;
        return `${later.text} overlaps ${earlier.text} of ${earlier.pool === later.pool ? 'the same pool' : other}`;
      });
    }
    if (!furthest || each.range.family !== furthest.range.family || each.range.last > furthest.range.last)
      furthest = each;
  }
}
