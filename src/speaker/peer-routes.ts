import { hostPrefix, type IpAddress, type Prefix, prefixOf } from '../address/index.ts';
import type { RouteAttributes } from '../bgp/index.ts';
import type { BgpAdvertisement, Config, PeerConfig, PoolConfig } from '../config/config.ts';
import { anySelectorMatches } from '../config/selector.ts';
import type { Node, Service } from '../kubernetes/model.ts';

/** A prefix that a peer should receive. */
export interface PeerRoute {
  /** Name of the peer. */
  readonly peer: string;
  readonly prefix: Prefix;
  readonly attributes: RouteAttributes;
}

/** Peers with which a node has sessions, chosen by the peers' node selectors. */
export function peersOfNode(config: Config, node: Node | undefined): PeerConfig[] {
  return config.peers.filter((peer) => anySelectorMatches(peer.nodeSelectors, node?.labels ?? {}));
}

/** Routes by which a node announces an address of a pool for a Service: one per advertisement and peer. */
export function peerRoutes(
  address: IpAddress,
  pool: PoolConfig,
  service: Pick<Service, 'labels'>,
  config: Config,
  node: Node | undefined,
): PeerRoute[] {
  const peers = peersOfNode(config, node);
  const routes: PeerRoute[] = [];
  for (const advertisement of pool.bgpAdvertisements) {
    if (!anySelectorMatches(advertisement.nodeSelectors, node?.labels ?? {})) continue;
    if (!anySelectorMatches(advertisement.serviceSelectors, service.labels)) continue;
    const length = address.family === 4 ? advertisement.aggregationLength : advertisement.aggregationLengthV6;
    const host = hostPrefix(address);
    const prefix = length >= host.length ? host : prefixOf(address, length);
    for (const { name, families } of peers)
      if (
        (families?.includes(address.family) ?? true) &&
        (advertisement.peers.length === 0 || advertisement.peers.includes(name))
      )
        routes.push({ peer: name, prefix, attributes: attributesOf(advertisement) });
  }
  return routes;
}

/** One set for each advertisement, which thousands of routes share. */
const attributeSets = new WeakMap<BgpAdvertisement, RouteAttributes>();

function attributesOf(advertisement: BgpAdvertisement): RouteAttributes {
  const known = attributeSets.get(advertisement) ?? newAttributes(advertisement);
  attributeSets.set(advertisement, known);
  return known;
}

function newAttributes(advertisement: BgpAdvertisement): RouteAttributes {
  const { localPref, med, asPathPrepend, communities, largeCommunities } = advertisement;
  return {
    ...(localPref === undefined ? {} : { localPref }),
    ...(med === undefined ? {} : { med }),
    asPathPrepend,
    communities,
    largeCommunities,
  };
}
