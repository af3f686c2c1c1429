import { formatPrefix, type Prefix } from '../address/index.ts';
import type { RouteAttributes } from '../bgp/index.ts';
import type { PeerRoute } from './peer-routes.ts';

/** A change to make at a peer. Without attributes the prefix is withdrawn. */
export interface RouteChange {
  readonly peer: string;
  readonly prefix: Prefix;
  readonly attributes?: RouteAttributes;
}

interface Route {
  readonly peer: string;
  readonly prefix: Prefix;
  /** Desired attributes, by Service. Several Services may share a prefix, or their addresses may be aggregated into it. */
  readonly wanted: Map<string, RouteAttributes[]>;
  /** JSON of the attributes announced last. */
  announced: string;
}

/**
 * Prefixes that each peer should receive, with the Services that need them. A prefix is withdrawn when no Service needs it any more.
 * The cost of an update is proportional to the routes of one Service.
 */
export class RouteTable {
  readonly #routes = new Map<string, Route>();
  readonly #keysOfService = new Map<string, ReadonlySet<string>>();

  /** Replaces the routes of a Service. Returns the changes to make at the peers. */
  update(service: string, wanted: readonly PeerRoute[]): RouteChange[] {
    const before = this.#keysOfService.get(service) ?? new Set<string>();
    const now = new Set<string>();
    for (const { peer, prefix, attributes } of wanted) {
      const key = `${peer} ${formatPrefix(prefix)}`;
      let route = this.#routes.get(key);
      if (!route) {
        route = { peer, prefix, wanted: new Map(), announced: '' };
        this.#routes.set(key, route);
      }
      if (now.has(key)) route.wanted.get(service)?.push(attributes);
      else route.wanted.set(service, [attributes]);
      now.add(key);
    }
    if (now.size > 0) this.#keysOfService.set(service, now);
    else this.#keysOfService.delete(service);
    const changes: RouteChange[] = [];
    for (const key of before.union(now)) {
      const route = this.#routes.get(key);
      if (!route) continue;
      if (!now.has(key)) route.wanted.delete(service);
      const { peer, prefix } = route;
      if (route.wanted.size === 0) {
        this.#routes.delete(key);
        changes.push({ peer, prefix });
        continue;
      }
      const attributes = mergeAttributes([...route.wanted.values()].flat());
      const text = JSON.stringify(attributes);
      if (text === route.announced) continue;
      route.announced = text;
      changes.push({ peer, prefix, attributes });
    }
    return changes;
  }

  /** Services that have routes. */
  services(): Iterable<string> {
    return this.#keysOfService.keys();
  }

  /** Number of (peer, prefix) pairs. */
  get size(): number {
    return this.#routes.size;
  }
}

/**
 * Merges the attributes of one prefix where Services or advertisements differ. The strongest preference wins (highest LOCAL_PREF,
 * lowest MED, fewest prepends) and all communities are sent. The result does not depend on the order.
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
