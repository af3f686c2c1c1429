import { formatPrefix, type Prefix } from '../address/index.ts';
import type { RouteAttributes } from '../bgp/index.ts';
import type { PeerRoute } from './peer-routes.ts';

/** A change to make at a peer. Without attributes the prefix is withdrawn. */
export interface RouteChange {
  readonly peer: string;
  readonly prefix: Prefix;
  readonly attributes?: RouteAttributes;
}

/** Attributes that a Service wants a prefix to have. */
interface Wanted {
  readonly service: string;
  readonly attributes: RouteAttributes;
}

interface Route {
  readonly peer: string;
  readonly prefix: Prefix;
  /** Several Services may share a prefix, or their addresses may be aggregated into it. */
  wanted: readonly Wanted[];
  announced: RouteAttributes | undefined;
}

const noKeys: readonly string[] = [];

/**
 * Prefixes that each peer should receive, with the Services that need them. A prefix is withdrawn when no Service needs it any more.
 * The cost of an update is proportional to the routes of one Service, and to the Services that share their prefixes. There is one route
 * for each Service and peer, so a route consists of short arrays, which take less memory than maps and sets.
 */
export class RouteTable {
  readonly #routes = new Map<string, Route>();
  readonly #keysOfService = new Map<string, readonly string[]>();
  /** Results of `mergeAttributes` for a single set, so that the routes of one advertisement share one set. */
  readonly #merged = new WeakMap<RouteAttributes, RouteAttributes>();

  /** Replaces the routes of a Service. Returns the changes to make at the peers. */
  update(service: string, wanted: readonly PeerRoute[]): RouteChange[] {
    const now = new Map<string, Wanted[]>();
    for (const { peer, prefix, attributes } of wanted) {
      // `join` makes a plain string. V8 would keep the result of a template as a tree of strings.
      const key = [peer, formatPrefix(prefix)].join(' ');
      if (!this.#routes.has(key)) this.#routes.set(key, { peer, prefix, wanted: [], announced: undefined });
      const mine = now.get(key);
      if (mine) mine.push({ service, attributes });
      else now.set(key, [{ service, attributes }]);
    }
    const before = this.#keysOfService.get(service) ?? noKeys;
    if (now.size > 0) this.#keysOfService.set(service, [...now.keys()].slice());
    else this.#keysOfService.delete(service);
    const changes: RouteChange[] = [];
    for (const key of new Set([...before, ...now.keys()])) {
      const route = this.#routes.get(key);
      if (!route) continue;
      const others = route.wanted.filter((each) => each.service !== service);
      const mine = now.get(key) ?? [];
      // A spread would leave room for 16 more.
      route.wanted = others.length === 0 ? mine : [...others, ...mine];
      const { peer, prefix } = route;
      if (route.wanted.length === 0) {
        this.#routes.delete(key);
        changes.push({ peer, prefix });
        continue;
      }
      const attributes = this.#merge(route.wanted);
      if (isSame(attributes, route.announced)) continue;
      route.announced = attributes;
      changes.push({ peer, prefix, attributes });
    }
    return changes;
  }

  #merge(wanted: readonly Wanted[]): RouteAttributes {
    const [first] = wanted;
    if (!first || wanted.length > 1) return mergeAttributes(wanted.map(({ attributes }) => attributes));
    const known = this.#merged.get(first.attributes) ?? mergeAttributes([first.attributes]);
    this.#merged.set(first.attributes, known);
    return known;
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

function isSame(a: RouteAttributes, b: RouteAttributes | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
