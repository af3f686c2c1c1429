import { type Family, hostPrefix, type IpAddress, type Prefix, prefixOf } from '../../address/index.ts';
import type { RouteAttributes } from '../../bgp/index.ts';
import type { BgpAdvertisement, Config, PeerConfig, PoolConfig } from '../../config/config.ts';
import { anySelectorMatches } from '../../config/selector.ts';
import type { Node, Service } from '../../kubernetes/model.ts';

/** A prefix that a peer should receive. */
export interface PeerRoute {
  /** Name of the peer. */
  readonly peer: string;
  readonly prefix: Prefix;
  readonly attributes: WantedAttributes;
}

/** The attributes that one Service wants a route to have. */
export interface WantedAttributes extends RouteAttributes {
  /** Set on routes of an address that this node drains. */
  readonly isDraining?: true;
}

/** Results of `peersOfNode`. Configurations and Nodes are immutable, and each address of a plan asks for the same list. */
const peersByNode = new WeakMap<readonly PeerConfig[], WeakMap<Node, readonly PeerConfig[]>>();

/** Peers with which a node has sessions, chosen by the peers' node selectors. */
export function peersOfNode({ peers }: Config, node: Node | undefined): readonly PeerConfig[] {
  if (!node) return matchingPeers(peers, {});
  const ofNodes = peersByNode.get(peers) ?? new WeakMap<Node, readonly PeerConfig[]>();
  peersByNode.set(peers, ofNodes);
  const known = ofNodes.get(node) ?? matchingPeers(peers, node.labels);
  ofNodes.set(node, known);
  return known;
}

function matchingPeers(peers: readonly PeerConfig[], labels: Node['labels']): readonly PeerConfig[] {
  return peers.filter((peer) => anySelectorMatches(peer.nodeSelectors, labels));
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
    for (const name of receiversOf(advertisement, peers, address.family))
      routes.push({ peer: name, prefix, attributes: attributesOf(advertisement) });
  }
  return routes;
}

/** Names of the peers to which an advertisement sends routes of a family. Thousands of addresses ask for the same few lists. */
const receivers = new WeakMap<
  readonly PeerConfig[],
  WeakMap<BgpAdvertisement, Partial<Record<Family, readonly string[]>>>
>();

function receiversOf(
  advertisement: BgpAdvertisement,
  peers: readonly PeerConfig[],
  family: Family,
): readonly string[] {
  const ofPeers =
    receivers.get(peers) ?? new WeakMap<BgpAdvertisement, Partial<Record<Family, readonly string[]>>>();
  receivers.set(peers, ofPeers);
  const known = ofPeers.get(advertisement) ?? {};
  ofPeers.set(advertisement, known);
  known[family] ??= peers
    .filter(
      ({ name, families }) =>
        (families?.includes(family) ?? true) &&
        (advertisement.peers.length === 0 || advertisement.peers.includes(name)),
    )
    .map(({ name }) => name);
  return known[family];
}

/** The attributes of each advertisement. Thousands of routes share one set. */
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
