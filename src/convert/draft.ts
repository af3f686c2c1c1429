/** The configuration while the converters write it, with the keys of the ConfigMap. */
import { dump } from 'js-yaml';
import type {
  RawBfdProfile,
  RawBgpAdvertisement,
  RawConfig,
  RawLayer2Advertisement,
  RawPeer,
  RawPool,
} from '../config/index.ts';
import { isMapping } from './mapping.ts';

/** A part of the draft with its path in the configuration, for example `address-pools[0]`. */
export interface Placed<T> {
  readonly at: string;
  readonly value: T;
}

export type PlacedPool = Placed<RawPool>;
export type PlacedPeer = Placed<RawPeer>;

export class Draft {
  readonly peers: PlacedPeer[] = [];
  readonly pools: PlacedPool[] = [];
  readonly communities: Record<string, string> = {};
  readonly bfdProfiles: RawBfdProfile[] = [];

  addPeer(value: RawPeer): PlacedPeer {
    const peer = { at: this.nextPeer, value };
    this.peers.push(peer);
    return peer;
  }

  /** Path of the peer that is added next. */
  get nextPeer(): string {
    return `peers[${this.peers.length}]`;
  }

  addPool(value: RawPool): PlacedPool {
    const pool = { at: this.nextPool, value };
    this.pools.push(pool);
    return pool;
  }

  /** Path of the pool that is added next. */
  get nextPool(): string {
    return `address-pools[${this.pools.length}]`;
  }

  /** A peer name that is still free: the first free candidate, or else the last candidate with a number appended. */
  freePeerName(candidates: readonly string[]): string {
    const taken = new Set(this.peers.map(({ value }) => value.name));
    const free = candidates.find((name) => !taken.has(name));
    if (free !== undefined) return free;
    let number = 2;
    while (taken.has(`${candidates.at(-1)}-${number}`)) number++;
    return `${candidates.at(-1)}-${number}`;
  }

  /** The text of the configuration. Equal drafts give equal texts. */
  print(): string {
    const config: RawConfig = {
      ...(this.peers.length > 0 ? { peers: this.peers.map(({ value }) => value) } : {}),
      ...(Object.keys(this.communities).length > 0 ? { 'bgp-communities': this.communities } : {}),
      ...(this.bfdProfiles.length > 0 ? { 'bfd-profiles': this.bfdProfiles } : {}),
      ...(this.pools.length > 0 ? { 'address-pools': this.pools.map(({ value }) => value) } : {}),
    };
    return dump(withoutAbsent(config), { noRefs: true, lineWidth: -1, seqNoIndent: true });
  }
}

/**
 * Adds an advertisement to a pool and returns the path of the advertisement. When the pool already has an equal advertisement, adds nothing and
 * returns the path of the present one, because the gate refuses two equal advertisements. `aliases` are the `bgp-communities` of the
 * configuration: values by name.
 */
export function addBgpAdvertisement(
  { at, value: pool }: PlacedPool,
  advertisement: RawBgpAdvertisement,
  aliases: Readonly<Record<string, string>> = {},
): string {
  pool['bgp-advertisements'] ??= [];
  const index = indexIn(pool['bgp-advertisements'], advertisement, (each) => effectOf(each, aliases));
  return `${at}.bgp-advertisements[${index}]`;
}

/** Does the same as `addBgpAdvertisement` for an advertisement in layer 2. */
export function addLayer2Advertisement(
  { at, value: pool }: PlacedPool,
  advertisement: RawLayer2Advertisement,
): string {
  pool['l2-advertisements'] ??= [];
  return `${at}.l2-advertisements[${indexIn(pool['l2-advertisements'], advertisement, (each) => each)}]`;
}

/** The advertisement in the form in which the gate compares it: with defaults, and with its communities as sorted numbers instead of names. */
function effectOf(
  advertisement: RawBgpAdvertisement,
  aliases: Readonly<Record<string, string>>,
): RawBgpAdvertisement {
  const numbers = (advertisement.communities ?? []).map((text) => {
    const value = Object.hasOwn(aliases, text) ? (aliases[text] ?? text) : text;
    return value.replace(/^large:/, '').replace(/\b0+(?=\d)/g, '');
  });
  return {
    'aggregation-length': advertisement['aggregation-length'] ?? 32,
    'aggregation-length-v6': advertisement['aggregation-length-v6'] ?? 128,
    localpref: advertisement.localpref,
    med: advertisement.med,
    'as-path-prepend': advertisement['as-path-prepend'] ?? 0,
    communities: [...new Set(numbers)].sort(),
    peers: advertisement.peers ?? [],
    'node-selectors': advertisement['node-selectors'] ?? [],
    'service-selectors': advertisement['service-selectors'] ?? [],
  };
}

/**
 * For each list of advertisements, a map from an advertisement to its index in the list. The keys of this map are JSON texts: each holds an
 * advertisement in the form in which the gate compares it.
 */
const indexesOfLists = new WeakMap<readonly unknown[], Map<string, number>>();

function indexIn<T>(list: T[], item: T, effectOfItem: (item: T) => T): number {
  const indexes = indexesOfLists.get(list) ?? new Map<string, number>();
  indexesOfLists.set(list, indexes);
  const identity = JSON.stringify(withoutAbsent(effectOfItem(item)));
  const known = indexes.get(identity);
  if (known !== undefined) return known;
  const index = list.push(item) - 1;
  indexes.set(identity, index);
  return index;
}

/** Removes keys without a value, at any depth. */
function withoutAbsent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAbsent);
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, child]) =>
      child === undefined ? [] : [[key, withoutAbsent(child)]],
    ),
  );
}
