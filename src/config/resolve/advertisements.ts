import { type Family, familyBits, type IpRange, rangeSize } from '../../address/index.ts';
import type { BgpAdvertisement, LargeCommunity } from '../config.ts';
import { type Path, show, showSome } from '../errors.ts';
import type { Findings, RawBgpAdvertisement, Sound } from '../schema/index.ts';
import { spellingHint } from '../spelling.ts';
import { type Community, resolveCommunity } from './communities.ts';
import { resolveSelectors } from './selectors.ts';
import { printRange } from './values.ts';

/** The names that advertisements may refer to. */
export interface References {
  readonly communities: ReadonlyMap<string, Community>;
  readonly peers: ReadonlySet<string>;
}

const hostRoutes: BgpAdvertisement = {
  aggregationLength: 32,
  aggregationLengthV6: 128,
  asPathPrepend: 0,
  communities: [],
  largeCommunities: [],
  peers: [],
  nodeSelectors: [],
  serviceSelectors: [],
};

/** The advertisements of a pool. A BGP pool without advertisements announces host routes without attributes. */
export function resolveBgpAdvertisements(
  raw: readonly (Sound<RawBgpAdvertisement> | undefined)[],
  pool: { readonly ranges: readonly IpRange[]; readonly usesBgp: boolean },
  path: Path,
  references: References,
  findings: Findings,
): BgpAdvertisement[] {
  if (raw.length === 0) return pool.usesBgp ? [hostRoutes] : [];
  const strictest = { 4: strictestRange(pool.ranges, 4), 6: strictestRange(pool.ranges, 6) };
  const seen = new Map<string, number>();
  return raw.flatMap((each, i) => {
    if (!each) return [];
    const at: Path = [...path, i];
    for (const [key, family] of [
      ['aggregation-length', 4],
      ['aggregation-length-v6', 6],
    ] as const) {
      const length = each[key];
      const range = strictest[family];
      if (length !== undefined && range && length < range.shortest)
        findings.error(
          [...at, key],
          () =>
            `/${length} would announce addresses outside the pool; ${printRange(range.range)} allows /${range.shortest} and longer`,
        );
    }
    const advertisement = resolveOne(each, at, references, findings);
    const identity = JSON.stringify(advertisement);
    const twin = seen.get(identity);
    if (twin === undefined) seen.set(identity, i);
    else findings.error(at, () => `the same advertisement as bgp-advertisements[${twin}]`);
    return [advertisement];
  });
}

/**
 * Finds the range of a family that allows the least aggregation. The rule is that of MetalLB: for each range, the length of an announced
 * prefix must be at least that of the largest CIDR block that fits into the range.
 */
function strictestRange(
  ranges: readonly IpRange[],
  family: Family,
): { readonly range: IpRange; readonly shortest: number } | undefined {
  let strictest: { range: IpRange; shortest: number } | undefined;
  for (const range of ranges) {
    if (range.family !== family) continue;
    const shortest = shortestPrefixLength(range);
    if (!strictest || shortest > strictest.shortest) strictest = { range, shortest };
  }
  return strictest;
}

/**
 * Prefix length of the largest CIDR block that fits into a range. The loop tries at most two sizes, because 2ⁿ consecutive addresses hold an
 * aligned block of 2ⁿ⁻¹ addresses.
 */
function shortestPrefixLength(range: IpRange): number {
  let hostBits = rangeSize(range).toString(2).length - 1;
  for (; hostBits > 0; hostBits--) {
    const block = 1n << BigInt(hostBits);
    const aligned = ((range.first + block - 1n) / block) * block;
    if (aligned + block - 1n <= range.last) break;
  }
  return familyBits(range.family) - hostBits;
}

function resolveOne(
  raw: Sound<RawBgpAdvertisement>,
  path: Path,
  references: References,
  findings: Findings,
): BgpAdvertisement {
  const peers = (raw.peers ?? []).flatMap((name, i) => {
    if (name !== undefined && !references.peers.has(name))
      findings.error([...path, 'peers', i], () => unknownPeer(name, [...references.peers]));
    return name ?? [];
  });
  return {
    aggregationLength: raw['aggregation-length'] ?? hostRoutes.aggregationLength,
    aggregationLengthV6: raw['aggregation-length-v6'] ?? hostRoutes.aggregationLengthV6,
    ...(raw.localpref === undefined ? {} : { localPref: raw.localpref }),
    ...(raw.med === undefined ? {} : { med: raw.med }),
    asPathPrepend: raw['as-path-prepend'] ?? hostRoutes.asPathPrepend,
    ...resolveCommunities(raw.communities ?? [], [...path, 'communities'], references.communities, findings),
    peers,
    nodeSelectors: resolveSelectors(raw['node-selectors'], [...path, 'node-selectors'], findings),
    serviceSelectors: resolveSelectors(raw['service-selectors'], [...path, 'service-selectors'], findings),
  };
}

function unknownPeer(name: string, known: readonly string[]): string {
  const meant = spellingHint(name, known);
  return `there is no peer ${show(name)}; ${meant === undefined ? `known: ${showSome(known)}` : `did you mean ${show(meant)}?`}`;
}

/** A community that is listed under two names counts once. A name that is listed twice is an error. */
function resolveCommunities(
  raw: readonly (string | undefined)[],
  path: Path,
  names: ReadonlyMap<string, Community>,
  findings: Findings,
): Pick<BgpAdvertisement, 'communities' | 'largeCommunities'> {
  const written = new Set<string>();
  const standard = new Set<number>();
  const large = new Map<string, LargeCommunity>();
  raw.forEach((text, i) => {
    if (text === undefined) return;
    if (written.has(text)) findings.error([...path, i], () => `${show(text)} is listed twice`);
    written.add(text);
    const community = resolveCommunity(text, [...path, i], names, findings);
    if (community?.kind === 'standard') standard.add(community.value);
    else if (community) large.set(community.value.join(':'), community.value);
  });
  return {
    communities: [...standard].sort((a, b) => a - b),
    largeCommunities: [...large.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
  };
}
