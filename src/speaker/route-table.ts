import { formatPrefix, isSamePrefix, type Prefix } from '../address/index.ts';
import { defaultLocalPref, type RouteAttributes } from '../bgp/index.ts';
import type { PeerRoute, WantedAttributes } from './plan/peer-routes.ts';

/** A change to make at a peer. Without attributes the prefix is withdrawn. */
export interface RouteChange {
  readonly peer: string;
  readonly prefix: Prefix;
  readonly attributes?: RouteAttributes;
}

/** A route, with the attributes that Services want it to have. */
interface Route {
  readonly key: string;
  readonly peer: string;
  readonly prefix: Prefix;
  /** How often each set of attributes is wanted. `undefined` while the route is wanted only once, as most routes are. */
  counts: Map<WantedAttributes, number> | undefined;
  /** The attributes while the route is wanted only once. */
  only: WantedAttributes | undefined;
  announced: RouteAttributes | undefined;
}

/** A route with the attributes that one Service wants for it. */
export interface WantedRoute {
  readonly route: Route;
  readonly attributes: WantedAttributes;
}

/**
 * Prefixes that each peer should receive, with the Services that need them. A prefix is withdrawn when no Service needs it any more.
 * Several Services may share a prefix, or their addresses may be aggregated into it. A route counts how often each set of attributes is
 * wanted, so the cost of an update is proportional to the routes of one Service, whatever the number of Services that share them. The routes of
 * one advertisement share one set of attributes, so a route has only a few sets.
 */
export class RouteTable {
  readonly #routes = new Map<string, Route>();
  /** The result of `mergeAttributes` for each set of attributes that is merged alone. All routes with only that set share the result. */
  readonly #merged = new WeakMap<RouteAttributes, RouteAttributes>();

  /**
   * Replaces the routes of a Service by those of its new plan. `before` is what the last update of that Service returned as `routes`, or an empty
   * list. Returns the changes to make at the peers.
   */
  update(
    before: readonly WantedRoute[],
    wanted: readonly PeerRoute[],
  ): { readonly routes: readonly WantedRoute[]; readonly changes: readonly RouteChange[] } {
    const routes = wanted.map(
      ({ peer, prefix, attributes }, i): WantedRoute => ({
        route: this.#route(peer, prefix, before[i]?.route),
        attributes,
      }),
    );
    for (const { route, attributes } of routes) add(route, attributes);
    for (const { route, attributes } of before) remove(route, attributes);
    const changes: RouteChange[] = [];
    for (const route of new Set([...before, ...routes].map(({ route }) => route))) {
      const change = this.#changeOf(route);
      if (change) changes.push(change);
    }
    return { routes, changes };
  }

  /** Number of (peer, prefix) pairs. */
  get size(): number {
    return this.#routes.size;
  }

  /** `likely` is the route in the same place of the Service's earlier plan. It is usually the right one, and saves the search for it. */
  #route(peer: string, prefix: Prefix, likely: Route | undefined): Route {
    if (likely?.peer === peer && isSamePrefix(likely.prefix, prefix)) return likely;
    // `join` makes a plain string. V8 would keep the result of a template as a tree of strings.
    const key = [peer, formatPrefix(prefix)].join(' ');
    const known = this.#routes.get(key);
    if (known) return known;
    const route: Route = { key, peer, prefix, counts: undefined, only: undefined, announced: undefined };
    this.#routes.set(key, route);
    return route;
  }

  #changeOf(route: Route): RouteChange | undefined {
    const { key, peer, prefix, counts, only } = route;
    if (!only && !counts) {
      this.#routes.delete(key);
      return { peer, prefix };
    }
    const attributes = only ? this.#mergedOne(only) : mergeAttributes([...(counts?.keys() ?? [])]);
    if (isSame(attributes, route.announced)) return undefined;
    route.announced = attributes;
    return { peer, prefix, attributes };
  }

  #mergedOne(attributes: WantedAttributes): RouteAttributes {
    const known = this.#merged.get(attributes) ?? mergeAttributes([attributes]);
    this.#merged.set(attributes, known);
    return known;
  }
}

function add(route: Route, attributes: WantedAttributes): void {
  if (!route.only && !route.counts) {
    route.only = attributes;
    return;
  }
  route.counts ??= new Map(route.only ? [[route.only, 1]] : []);
  route.only = undefined;
  route.counts.set(attributes, (route.counts.get(attributes) ?? 0) + 1);
}

function remove(route: Route, attributes: WantedAttributes): void {
  const { counts } = route;
  if (!counts) {
    route.only = undefined;
    return;
  }
  const left = (counts.get(attributes) ?? 0) - 1;
  if (left > 0) counts.set(attributes, left);
  else counts.delete(attributes);
  const [last, another] = counts;
  if (another || (last?.[1] ?? 0) > 1) return;
  route.only = last?.[0];
  route.counts = undefined;
}

/**
 * Merges the attributes of one prefix where Services or advertisements differ. The strongest preference wins (highest LOCAL_PREF,
 * lowest MED, fewest prepends) and all communities are sent. No Service therefore makes the route of another one worse. An absent
 * LOCAL_PREF counts as 100, because it is sent as 100. An absent MED counts as the lowest, because routers take it for the lowest (RFC 4271
 * section 9.1.2.2). Attributes of a drain count only if all attributes belong to drains. Otherwise only the attributes outside drains count,
 * because the route has exactly these after the drain. The result does not depend on the order.
 */
export function mergeAttributes(wanted: readonly WantedAttributes[]): RouteAttributes {
  const lasting = wanted.filter(({ isDraining }) => !isDraining);
  const all = lasting.length > 0 ? lasting : wanted;
  const hasLocalPref = all.some(({ localPref }) => localPref !== undefined);
  const localPrefs = all.map(({ localPref = defaultLocalPref }) => localPref);
  const meds = all.flatMap(({ med }) => (med === undefined ? [] : [med]));
  const large = new Map(all.flatMap(({ largeCommunities }) => largeCommunities).map((c) => [c.join(':'), c]));
  return {
    ...(hasLocalPref ? { localPref: Math.max(...localPrefs) } : {}),
    ...(meds.length === all.length ? { med: Math.min(...meds) } : {}),
    asPathPrepend: Math.min(...all.map(({ asPathPrepend }) => asPathPrepend)),
    communities: [...new Set(all.flatMap(({ communities }) => communities))].sort((a, b) => a - b),
    largeCommunities: [...large.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
  };
}

function isSame(a: RouteAttributes, b: RouteAttributes | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
