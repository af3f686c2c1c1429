import type { RawBgpAdvertisement } from '../../config/index.ts';
import { addBgpAdvertisement, type Draft } from '../draft.ts';
import type { Field, Fields } from '../fields.ts';
import { isMapping } from '../mapping.ts';
import { placeOf, type SourceObject, specOf } from '../objects.ts';
import type { SourcePool } from '../protocols.ts';
import { readRange, shortestLength } from '../ranges.ts';
import type { Report } from '../report.ts';
import { showSome } from '../text.ts';
import { advertises, type PeerConfigSource } from './peer-configs.ts';
import { advertisementSelector, reportSelector, selectsNothing } from './service-selectors.ts';

/** Number of items in a CiliumBGPAdvertisement. */
export function advertisementsIn({ body: { spec } }: SourceObject): number {
  return isMapping(spec) && Array.isArray(spec.advertisements) ? spec.advertisements.length : 0;
}

/** Writes each item of a CiliumBGPAdvertisement into each pool, for the peers whose CiliumBGPPeerConfig selects the CiliumBGPAdvertisement. */
export function convertAdvertisement(
  object: SourceObject,
  pools: readonly SourcePool[],
  configs: ReadonlyMap<string, PeerConfigSource>,
  draft: Draft,
  report: Report,
): void {
  const spec = specOf(object, report);
  const receivers = [...configs.values()]
    .filter((config) => advertises(config, object.labels))
    .flatMap(({ users }) => users.map(({ value }) => value.name ?? ''));
  const names = draft.peers
    .flatMap(({ value }) => value.name ?? [])
    .filter((name) => receivers.includes(name));
  const peers = names.length === draft.peers.length ? undefined : names;
  for (const entry of spec.objects('advertisements'))
    convertEntry(entry, { object, pools, peers, isReceived: names.length > 0 }, report);
  spec.dropOthers('Bellman knows no such setting of a BGP advertisement');
}

interface Surroundings {
  readonly object: SourceObject;
  readonly pools: readonly SourcePool[];
  /** Names of the peers that receive the advertisement; `undefined` for all. */
  readonly peers: string[] | undefined;
  readonly isReceived: boolean;
}

function convertEntry(
  entry: Fields,
  { object, pools, peers, isReceived }: Surroundings,
  report: Report,
): void {
  const type = entry.text('advertisementType');
  const service = entry.object('service');
  const addresses = service?.texts('addresses');
  const services = entry.selector('selector');
  const selected = advertisementSelector(services?.value);
  const why =
    leftOutReason(type?.value, addresses?.value, services !== undefined, isReceived, pools.length > 0) ??
    (selected.kind === 'none' ? selectsNothing : undefined);
  if (why !== undefined) {
    type?.dropped(why);
    addresses?.dropped(why);
    services?.dropped(why);
    entry.dropOthers(why);
    return;
  }
  const lengths = [
    service?.number('aggregationLengthIPv4'),
    service?.number('aggregationLengthIPv6'),
  ] as const;
  const attributes = entry.object('attributes');
  const localPreference = attributes?.number('localPreference');
  const communities = communitiesOf(attributes?.object('communities'));
  const places = pools.map((pool) => {
    const advertisement: RawBgpAdvertisement = {
      'aggregation-length': fits(lengths[0], pool, 4) ? lengths[0]?.value : undefined,
      'aggregation-length-v6': fits(lengths[1], pool, 6) ? lengths[1]?.value : undefined,
      localpref: localPreference?.value,
      communities: communities.texts.length > 0 ? communities.texts : undefined,
      peers,
      'service-selectors': selected.kind === 'labels' ? selected.selectors : undefined,
    };
    return addBgpAdvertisement(pool, advertisement);
  });
  for (const place of places) report.cameFrom(place, placeOf(object));
  const to = (key: string) => places.map((place) => `${place}.${key}`);
  type?.changed(places, `written into each pool${peers ? ` for the peers ${showSome(peers)}` : ''}`);
  reportSelector(services, to('service-selectors'));
  const others = addresses?.value.filter((each) => each !== 'LoadBalancerIP') ?? [];
  if (others.length === 0) addresses?.changed('', 'left out; Bellman announces the addresses of its pools');
  else addresses?.dropped(`${others.join(', ')}; Bellman announces only addresses that it assigns`);
  reportLength(lengths[0], pools, 4, to('aggregation-length'));
  reportLength(lengths[1], pools, 6, to('aggregation-length-v6'));
  localPreference?.carried(to('localpref'));
  for (const { field, isSame } of communities.fields)
    if (isSame) field.carried(to('communities'));
    else field.changed(to('communities'), 'written as a:b');
}

function leftOutReason(
  type: string | undefined,
  addresses: readonly string[] | undefined,
  selectsServices: boolean,
  isReceived: boolean,
  hasPools: boolean,
): string | undefined {
  if (type === 'Interface') return 'routes to the addresses of an interface stay with Cilium';
  if (type !== 'Service') return 'routes to Pods stay with Cilium';
  if (!(addresses ?? []).includes('LoadBalancerIP'))
    return 'Bellman announces only addresses that it assigns';
  if (!selectsServices) return 'it selects no Service, because it has no selector';
  if (!isReceived) return 'no peer gets it, because no CiliumBGPPeerConfig selects its labels';
  return hasPools ? undefined : 'there is no pool';
}

/** Whether the gate allows this length: each range of the family must hold at least one whole prefix of this length. */
function fits(length: Field<number> | undefined, { value: pool }: SourcePool, family: 4 | 6): boolean {
  const ranges = pool.addresses
    .flatMap((text) => readRange(text) ?? [])
    .filter((range) => range.family === family);
  return length !== undefined && ranges.every((range) => shortestLength(range) <= length.value);
}

function reportLength(
  length: Field<number> | undefined,
  pools: readonly SourcePool[],
  family: 4 | 6,
  to: readonly string[],
): void {
  const without = pools.filter((pool) => !fits(length, pool, family));
  const within = to.filter((_, i) => !without.includes(pools[i] as SourcePool));
  if (without.length === pools.length)
    length?.dropped('the prefix would hold addresses outside the pool; host routes are announced');
  else if (without.length > 0)
    length?.changed(
      within,
      `not in ${showSome(without.map(({ value }) => value.name))}, where the prefix would hold addresses outside the pool`,
    );
  else length?.carried(to);
}

/** Names of well-known communities in Cilium, with their numbers. */
const wellKnown: ReadonlyMap<string, string> = new Map([
  ['internet', '0:0'],
  ['planned-shut', '65535:0'],
  ['accept-own', '65535:1'],
  ['route-filter-translated-v4', '65535:2'],
  ['route-filter-v4', '65535:3'],
  ['route-filter-translated-v6', '65535:4'],
  ['route-filter-v6', '65535:5'],
  ['llgr-stale', '65535:6'],
  ['no-llgr', '65535:7'],
  ['blackhole', '65535:666'],
  ['no-export', '65535:65281'],
  ['no-advertise', '65535:65282'],
  ['no-export-subconfed', '65535:65283'],
  ['no-peer', '65535:65284'],
]);

interface Communities {
  readonly texts: string[];
  readonly fields: { readonly field: Field<string[]>; readonly isSame: boolean }[];
}

function communitiesOf(fields: Fields | undefined): Communities {
  const texts = new Set<string>();
  const read: { field: Field<string[]>; isSame: boolean }[] = [];
  for (const name of ['standard', 'wellKnown', 'large']) {
    const field = fields?.texts(name);
    if (!field) continue;
    const written = field.value.map(writtenCommunity);
    for (const text of written) texts.add(text);
    read.push({ field, isSame: written.every((text, i) => text === field.value[i]) });
  }
  return { texts: [...texts], fields: read };
}

function writtenCommunity(text: string): string {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  if (number !== undefined) return `${Math.floor(number / 65536)}:${number % 65536}`;
  return wellKnown.get(text) ?? text;
}
