import { formatPrefix, type Prefix } from '../address/index.ts';
import type { RouteAttributes } from '../bgp/speaker-api.ts';
import type { PeerRoute } from './plan.ts';

/** A change to make at a peer; without attributes the prefix is withdrawn. */
export interface RouteChange {
  readonly peer: string;
  readonly prefix: Prefix;
  readonly attributes?: RouteAttributes;
}

interface Entry {
  readonly peer: string;
  readonly prefix: Prefix;
  /** By Service: what it wants; several when Services share or aggregate into the prefix. */
  readonly wanted: Map<string, RouteAttributes[]>;
  announced: string;
}

/**
 * Which prefixes each peer should hear of, and for which Services. A prefix goes when its last Service does. An update costs
 * in proportion to the routes of the one Service.
 */
export class RouteTable {
  readonly #entries = new Map<string, Entry>();
  readonly #keysOfService = new Map<string, ReadonlySet<string>>();

  /** Replaces what a Service wants and returns what changes at the peers. */
  update(service: string, routes: readonly PeerRoute[]): RouteChange[] {
    const before = this.#keysOfService.get(service) ?? new Set<string>();
    const now = new Set<string>();
    for (const { peer, prefix, attributes } of routes) {
      const key = `${peer} ${formatPrefix(prefix)}`;
      let entry = this.#entries.get(key);
      if (!entry) {
        entry = { peer, prefix, wanted: new Map(), announced: '' };
        this.#entries.set(key, entry);
      }
      if (now.has(key)) entry.wanted.get(service)?.push(attributes);
      else entry.wanted.set(service, [attributes]);
      now.add(key);
    }
    if (now.size > 0) this.#keysOfService.set(service, now);
    else this.#keysOfService.delete(service);
    const changes: RouteChange[] = [];
    for (const key of before.union(now)) {
      const entry = this.#entries.get(key);
      if (!entry) continue;
      if (!now.has(key)) entry.wanted.delete(service);
      const { peer, prefix } = entry;
      if (entry.wanted.size === 0) {
        this.#entries.delete(key);
        changes.push({ peer, prefix });
        continue;
      }
      const attributes = mergeAttributes([...entry.wanted.values()].flat());
      const text = JSON.stringify(attributes);
      if (text === entry.announced) continue;
      entry.announced = text;
      changes.push({ peer, prefix, attributes });
    }
    return changes;
  }

  /** Services known, so that those that are gone can be updated to nothing. */
  services(): Iterable<string> {
    return this.#keysOfService.keys();
  }

  /** How many (peer, prefix) pairs are wanted. */
  get size(): number {
    return this.#entries.size;
  }
}

/**
 * One prefix has one set of attributes: where Services or advertisements differ, the strongest preference wins (highest
 * LOCAL_PREF, lowest MED, fewest prepends) and communities are united, so that the result depends on no order.
 */
export function mergeAttributes(all: readonly RouteAttributes[]): RouteAttributes {
  const defined = (values: readonly (number | undefined)[]) => values.filter((value) => value !== undefined);
  const localPrefs = defined(all.map(({ localPref }) => localPref));
  const meds = defined(all.map(({ med }) => med));
  const large = new Map(all.flatMap(({ largeCommunities }) => largeCommunities).map((c) => [c.join(':'), c]));
  return {
    ...(localPrefs.length > 0 ? { localPref: Math.max(...localPrefs) } : {}),
    ...(meds.length > 0 ? { med: Math.min(...meds) } : {}),
    asPathPrepend: Math.min(...all.map(({ asPathPrepend }) => asPathPrepend)),
    communities: [...new Set(all.flatMap(({ communities }) => communities))].sort((a, b) => a - b),
    largeCommunities: [...large.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
  };
}
