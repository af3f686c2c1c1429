import type { RouteAttributes } from '../../bgp/index.ts';
import type { PeerConfig } from '../../config/config.ts';
import type { PeerRoute } from './peer-routes.ts';

/** RFC 9494 section 3.3. */
const noLongLivedGracefulRestart = 0xffff0007;

/** For each set of attributes, the set that has NO_LLGR as well. Thousands of routes share one set. */
const marked = new WeakMap<RouteAttributes, PeerRoute['attributes']>();

/**
 * The routes of a Service with `externalTrafficPolicy: Local`. Peers with long-lived graceful restart (RFC 9494) would keep these routes
 * for a long time after the session ends, when the Pods of the Service may have moved to other nodes. These peers therefore get the routes
 * with NO_LLGR.
 */
export function shortLivedRoutes(
  routes: readonly PeerRoute[],
  peers: readonly PeerConfig[],
): readonly PeerRoute[] {
  const keeping = new Set<string>();
  for (const { name, gracefulRestart } of peers)
    if (gracefulRestart?.longLivedStaleTimeSeconds !== undefined) keeping.add(name);
  if (keeping.size === 0) return routes;
  return routes.map((route) =>
    keeping.has(route.peer) ? { ...route, attributes: withMark(route.attributes) } : route,
  );
}

function withMark(attributes: RouteAttributes): PeerRoute['attributes'] {
  const known = marked.get(attributes) ?? {
    ...attributes,
    communities: [...attributes.communities, noLongLivedGracefulRestart],
  };
  marked.set(attributes, known);
  return known;
}
