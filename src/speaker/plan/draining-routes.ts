import type { RouteAttributes } from '../../bgp/index.ts';
import type { DrainConfig } from '../../config/config.ts';
import type { PeerRoute } from './peer-routes.ts';

/** The marked form of each set of attributes. Thousands of routes share one set. */
const drained = new WeakMap<DrainConfig, WeakMap<RouteAttributes, PeerRoute['attributes']>>();

/**
 * The routes as a node announces them before it withdraws them: least preferred, and marked with the community of `drain`, by default
 * GRACEFUL_SHUTDOWN (RFC 8326 section 4).
 */
export function drainingRoutes(routes: readonly PeerRoute[], drain: DrainConfig): PeerRoute[] {
  const sets = drained.get(drain) ?? new WeakMap<RouteAttributes, PeerRoute['attributes']>();
  drained.set(drain, sets);
  return routes.map((route) => {
    const attributes = sets.get(route.attributes) ?? drainingAttributes(route.attributes, drain);
    sets.set(route.attributes, attributes);
    return { ...route, attributes };
  });
}

function drainingAttributes(attributes: RouteAttributes, drain: DrainConfig): PeerRoute['attributes'] {
  const { med, asPathPrepend, communities, largeCommunities } = attributes;
  return {
    ...attributes,
    localPref: 0,
    ...(drain.med === undefined ? {} : { med: Math.max(med ?? 0, drain.med) }),
    asPathPrepend: asPathPrepend + drain.asPathPrepend,
    communities: [...communities, ...drain.communities],
    largeCommunities: [...largeCommunities, ...drain.largeCommunities],
    isDraining: true,
  };
}
