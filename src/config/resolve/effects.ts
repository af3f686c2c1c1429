/** Warnings about advertisements and attributes that change nothing, as far as the configuration alone can show. */
import type { Family } from '../../address/index.ts';
import type {
  BgpAdvertisement,
  Config,
  LabelSelector,
  Layer2Advertisement,
  PeerConfig,
  PoolConfig,
} from '../config.ts';
import { type Path, show } from '../errors.ts';
import type { Findings } from '../schema/index.ts';

/** Begins a warning about a value that has no effect. */
export const noEffect = 'it has no effect: ';

/** Warns of an interface name with a colon. The gate accepts such a name, but no interface of Linux has it. */
export function warnOfColon(name: string | undefined, path: Path, findings: Findings): void {
  if (name?.includes(':'))
    findings.idle(
      path,
      () =>
        `${noEffect}there is no interface ${show(name)}, because no interface of Linux has a colon in its name`,
    );
}

/** `paths` gives the place of each pool in the document, by its name. */
export function warnOfEffects(
  { peers, pools }: Pick<Config, 'peers' | 'pools'>,
  paths: ReadonlyMap<string, Path>,
  findings: Findings,
): void {
  for (const pool of pools) {
    const path = paths.get(pool.name);
    if (!path) continue;
    pool.bgpAdvertisements.forEach((advertisement, i) => {
      const at = [...path, 'bgp-advertisements', i];
      warnOfBgp(advertisement, pool, peers, at, findings);
      const broader = findBroader(pool.bgpAdvertisements, i, coversBgp);
      if (broader >= 0)
        findings.idle(at, () => `${noEffect}bgp-advertisements[${broader}] announces all of this already`);
    });
    pool.l2Advertisements.forEach((_, i) => {
      const broader = findBroader(pool.l2Advertisements, i, coversLayer2);
      if (broader >= 0)
        findings.idle(
          [...path, 'l2-advertisements', i],
          () =>
            `${noEffect}l2-advertisements[${broader}] lets the same nodes answer on the same interfaces already`,
        );
    });
  }
}

function warnOfBgp(
  advertisement: BgpAdvertisement,
  { ranges }: PoolConfig,
  peers: readonly PeerConfig[],
  at: Path,
  findings: Findings,
): void {
  const has = (family: Family) => ranges.some((range) => range.family === family);
  for (const [key, length, whole, family] of [
    ['aggregation-length', advertisement.aggregationLength, 32, 4],
    ['aggregation-length-v6', advertisement.aggregationLengthV6, 128, 6],
  ] as const)
    if (length !== whole && !has(family))
      findings.idle([...at, key], () => `${noEffect}the pool has no IPv${family} addresses`);
  const receivers = peers.filter(
    ({ name }) => advertisement.peers.length === 0 || advertisement.peers.includes(name),
  );
  if (receivers.length === 0) return;
  if (!receivers.some(({ families }) => (families ?? [4, 6]).some((family) => has(family as Family))))
    findings.idle(at, () => `${noEffect}no peer that receives it carries the address families of the pool`);
  if (advertisement.localPref !== undefined && !receivers.some(isInternal))
    findings.idle(
      [...at, 'localpref'],
      () => `${noEffect}all peers that receive it are external, and LOCAL_PREF goes to internal peers only`,
    );
  if (advertisement.asPathPrepend > 0 && receivers.every(isInternal))
    findings.idle(
      [...at, 'as-path-prepend'],
      () =>
        `${noEffect}all peers that receive it are internal, and the AS number is prepended for external peers only`,
    );
}

function isInternal({ peerAsn, myAsn, localAsn }: PeerConfig): boolean {
  return peerAsn === 'internal' || peerAsn === (localAsn ?? myAsn);
}

/**
 * The index of an advertisement that makes the one at `index` superfluous, or -1.
 * Of two that cover each other, only the later one is superfluous.
 */
function findBroader<T>(
  advertisements: readonly T[],
  index: number,
  covers: (broad: T, narrow: T) => boolean,
): number {
  const narrow = advertisements[index] as T;
  return advertisements.findIndex(
    (other, i) => i !== index && covers(other, narrow) && (i < index || !covers(narrow, other)),
  );
}

/** Whether `broad` announces each route of `narrow` too, with the same attributes. */
function coversBgp(broad: BgpAdvertisement, narrow: BgpAdvertisement): boolean {
  return (
    JSON.stringify(attributesOf(narrow)) === JSON.stringify(attributesOf(broad)) &&
    goesToMorePeers(broad.peers, narrow.peers) &&
    selectsMore(broad.nodeSelectors, narrow.nodeSelectors) &&
    selectsMore(broad.serviceSelectors, narrow.serviceSelectors)
  );
}

function attributesOf({ peers, nodeSelectors, serviceSelectors, ...attributes }: BgpAdvertisement) {
  return attributes;
}

/** Whether every peer in `narrow` is also in `broad`. An empty list stands for all peers. */
function goesToMorePeers(broad: readonly string[], narrow: readonly string[]): boolean {
  return broad.length === 0 || (narrow.length > 0 && narrow.every((peer) => broad.includes(peer)));
}

/** Whether `broad` lets each node of `narrow` answer for the same addresses on the same interfaces. */
function coversLayer2(broad: Layer2Advertisement, narrow: Layer2Advertisement): boolean {
  return (
    // The preferences of `narrow` add to those of `broad`, so they can change which node owns an address.
    narrow.preferredNodes.length === 0 &&
    JSON.stringify(broad.interfaces) === JSON.stringify(narrow.interfaces) &&
    selectsMore(broad.nodeSelectors, narrow.nodeSelectors) &&
    selectsMore(broad.serviceSelectors, narrow.serviceSelectors)
  );
}

/** Whether `broad` is sure to match everything that `narrow` matches. An empty list matches everything. */
function selectsMore(broad: readonly LabelSelector[], narrow: readonly LabelSelector[]): boolean {
  return broad.length === 0 || JSON.stringify(broad) === JSON.stringify(narrow);
}
