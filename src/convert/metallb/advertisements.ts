import type { RawBgpAdvertisement, RawLayer2Advertisement } from '../../config/index.ts';
import { addBgpAdvertisement, addLayer2Advertisement, type Draft } from '../draft.ts';
import type { Field, Fields } from '../fields.ts';
import { placeOf, type SourceObject, specOf } from '../objects.ts';
import type { SourcePool } from '../protocols.ts';
import type { Report } from '../report.ts';
import { type Selector, selects } from '../selectors.ts';
import { show, showSome } from '../text.ts';

/** Objects that a BGPAdvertisement may refer to. */
interface References {
  readonly peers: ReadonlySet<string>;
  /** Peers that cannot be converted. */
  readonly leftOut: ReadonlySet<string>;
  readonly communities: Readonly<Record<string, string>>;
}

export function convertLayer2Advertisement(
  object: SourceObject,
  pools: readonly SourcePool[],
  report: Report,
): void {
  const spec = specOf(object, report);
  const selection = selectPools(spec, pools);
  const nodes = spec.selectors('nodeSelectors');
  const interfaces = spec.texts('interfaces');
  const services = spec.selectors('serviceSelectors');
  const preferred = spec.objects('preferredNodeSelectors').map((each) => {
    if (!each.has('weight')) each.lacks('weight', 'a number from 1 to 100');
    return { weight: each.number('weight'), preference: each.selector('preference') };
  });
  const advertisement: RawLayer2Advertisement = {
    interfaces: interfaces?.value,
    'node-selectors': nodes?.value,
    'service-selectors': services?.value,
    'preferred-node-selectors':
      preferred.length === 0
        ? undefined
        : preferred.map(({ weight, preference }) => ({
            weight: weight?.value ?? 0,
            preference: preference?.value ?? {},
          })),
  };
  const places = selection.pools.map((pool) => addLayer2Advertisement(pool, advertisement));
  const to = placesOf(places, object, report);
  reportSelection(selection, places, object, report);
  nodes?.carried(to('node-selectors'));
  interfaces?.carried(to('interfaces'));
  services?.carried(to('service-selectors'));
  for (const [i, { weight, preference }] of preferred.entries()) {
    weight?.carried(to(`preferred-node-selectors[${i}].weight`));
    preference?.carried(to(`preferred-node-selectors[${i}].preference`));
  }
  spec.dropOthers('Bellman knows no such setting of an advertisement in layer 2');
}

export function convertBgpAdvertisement(
  object: SourceObject,
  pools: readonly SourcePool[],
  references: References,
  report: Report,
): void {
  const spec = specOf(object, report);
  const selection = selectPools(spec, pools);
  const peers = peersOf(spec, references);
  if (peers && peers.known.length === 0) {
    // Without its peers the advertisement would go to all peers.
    const why = 'the advertisement is left out, because none of its peers can be carried';
    for (const name of spec.names()) report.row(placeOf(object, `spec.${name}`), 'not carried', why);
    return;
  }
  const localPref = spec.number('localPref');
  const prepend = spec.number('asPathPrepend');
  const communities = communitiesOf(spec, references);
  const nodes = spec.selectors('nodeSelectors');
  const services = spec.selectors('serviceSelectors');
  const [length, lengthV6] = [spec.number('aggregationLength'), spec.number('aggregationLengthV6')];
  const advertisement: RawBgpAdvertisement = {
    'aggregation-length': length?.value,
    'aggregation-length-v6': lengthV6?.value,
    localpref: localPref?.value === 0 ? undefined : localPref?.value,
    'as-path-prepend': prepend?.value,
    // The gate refuses a community that is listed twice. MetalLB counts it once.
    communities: communities && [...new Set(communities.value)],
    peers: peers?.known,
    'node-selectors': nodes?.value,
    'service-selectors': services?.value,
  };
  const places = selection.pools.map((pool) =>
    addBgpAdvertisement(pool, advertisement, references.communities),
  );
  const to = placesOf(places, object, report);
  reportSelection(selection, places, object, report);
  length?.carried(to('aggregation-length'));
  lengthV6?.carried(to('aggregation-length-v6'));
  if (localPref?.value === 0) localPref.changed('', 'left out; MetalLB reads 0 as absent');
  else localPref?.carried(to('localpref'));
  prepend?.carried(to('as-path-prepend'));
  communities?.carried(to('communities'));
  if (peers && peers.lost.length > 0)
    peers.field.changed(to('peers'), `without ${showSome(peers.lost)}, which cannot be carried`);
  else peers?.field.carried(to('peers'));
  nodes?.carried(to('node-selectors'));
  services?.carried(to('service-selectors'));
  spec.dropOthers('Bellman knows no such setting of a BGP advertisement');
}

interface PeerNames {
  readonly field: Field<string[]>;
  readonly known: string[];
  /** Peers of the advertisement that cannot be converted. */
  readonly lost: string[];
}

function peersOf(spec: Fields, { peers, leftOut }: References): PeerNames | undefined {
  const field = spec.texts('peers');
  if (!field) return undefined;
  for (const name of field.value)
    if (!peers.has(name) && !leftOut.has(name))
      field.refuse(`there is no BGPPeer ${show(name)}; peers: ${showSome([...peers])}`);
  const names = [...new Set(field.value)];
  return {
    field,
    known: names.filter((name) => !leftOut.has(name)),
    lost: names.filter((name) => leftOut.has(name)),
  };
}

function communitiesOf(spec: Fields, references: References): Field<string[]> | undefined {
  const field = spec.texts('communities');
  for (const name of field?.value ?? [])
    if (!/^(large:)?[\d:]+$/.test(name) && !Object.hasOwn(references.communities, name))
      field?.refuse(
        `no Community has an alias ${show(name)}; aliases: ${showSome(Object.keys(references.communities))}`,
      );
  return field;
}

/** Converts the aliases of a Community. */
export function convertCommunities(object: SourceObject, draft: Draft, report: Report): void {
  const spec = specOf(object, report);
  for (const alias of spec.objects('communities')) {
    const [name, value] = [alias.text('name'), alias.text('value')];
    if (!name) alias.lacks('name', 'the name of the alias');
    if (!value) alias.lacks('value', 'a community like 64512:1');
    if (!name || !value) continue;
    const known = Object.hasOwn(draft.communities, name.value) ? draft.communities[name.value] : undefined;
    if (known !== undefined && known !== value.value)
      name.refuse(
        `the alias ${show(name.value)} has two values, ${show(known)} and ${show(value.value)}; give one of them another name`,
      );
    const to = `bgp-communities.${name.value}`;
    draft.communities[name.carried(to)] = value.carried(to);
  }
  spec.dropOthers('Bellman knows no such setting of a community');
}

interface Selection {
  readonly names: Field<string[]> | undefined;
  readonly selectors: Field<Selector[]> | undefined;
  readonly pools: readonly SourcePool[];
}

/** The pools that an advertisement lists or selects. An advertisement without a list and without selectors is for all pools. */
function selectPools(spec: Fields, pools: readonly SourcePool[]): Selection {
  const names = spec.texts('ipAddressPools');
  const selectors = spec.selectors('ipAddressPoolSelectors');
  for (const name of names?.value ?? [])
    if (!pools.some(({ object }) => object.name === name))
      names?.refuse(
        `there is no IPAddressPool ${show(name)}; pools: ${showSome(pools.map(({ object }) => object.name))}`,
      );
  if (!names && !selectors) return { names, selectors, pools };
  const selected = pools.filter(
    ({ object }) =>
      names?.value.includes(object.name) ||
      selectors?.value.some((selector) => selects(selector, object.labels)),
  );
  return { names, selectors, pools: selected };
}

function reportSelection(
  { names, selectors }: Selection,
  places: readonly string[],
  object: SourceObject,
  report: Report,
): void {
  const how =
    places.length === 0
      ? 'no pool is selected, so the advertisement has no effect'
      : 'the advertisement is written into each pool';
  names?.changed(places, how);
  selectors?.changed(places, how);
  if (names || selectors) return;
  const detail =
    places.length === 0 ? 'there is no pool' : `written into every pool, because it selects none`;
  report.row(placeOf(object), places.length === 0 ? 'not carried' : 'changed', detail);
}

/** Records the object as the origin of its advertisements in the configuration. Returns a function that gives the path of one key in each of them. */
function placesOf(
  places: readonly string[],
  object: SourceObject,
  report: Report,
): (key: string) => string[] {
  for (const place of places) report.cameFrom(place, placeOf(object));
  return (key) => places.map((place) => `${place}.${key}`);
}
