/**
 * What one node should do about one Service: a pure function of the Service, its endpoints, the nodes and the accepted
 * configuration. Its result goes two ways: routes for the BGP peers of this node (every eligible node announces), and an
 * entry for the layer-2 process (exactly one of the candidates answers; which one is its decision, not the plan's).
 *
 *   Service ─┐                         ┌─ routes: peer, prefix, attributes → RouteTable → BGP
 *   endpoints┼→ planService(…, context)┤
 *   nodes,   │                         └─ layer2: address, candidates     → AddressTable → layer-2 process
 *   config  ─┘
 *
 * A node is eligible when it is Ready, its network is available and it is not labelled out of load balancing. A Service
 * needs an endpoint that serves (a terminating one still counts while it does): anywhere, or on the node itself with
 * `externalTrafficPolicy: Local`.
 */
import { formatIp, hostPrefix, type IpAddress, type Prefix, parseIp, prefixOf } from '../address/index.ts';
import type { RouteAttributes } from '../bgp/speaker-api.ts';
import { parseAnnouncing } from '../cluster/announcing.ts';
import { excludeFromLoadBalancersLabel } from '../cluster/names.ts';
import {
  anySelectorMatches,
  type BgpAdvertisement,
  type Config,
  type PeerConfig,
  type PoolConfig,
  poolIndexOf,
} from '../config/index.ts';
import {
  type EndpointSlice,
  type IpFamilyName,
  type Node,
  objectKey,
  type Service,
} from '../kubernetes/model.ts';
import type { UnversionedEntry } from '../layer2/address-entry.ts';
import { perNode } from '../layer2/address-entry.ts';

export interface PlanContext {
  readonly config: Config;
  /** The node this speaker runs on. */
  readonly nodeName: string;
  readonly nodes: ReadonlyMap<string, Node>;
  /** Whether the Service is Bellman's to announce, by its class. */
  readonly isOurs: (service: Service) => boolean;
  /** A cordoned node is left, as one that is about to be drained; else it announces on. */
  readonly leavesWhenCordoned: boolean;
}

export interface PeerRoute {
  readonly peer: string;
  readonly prefix: Prefix;
  readonly attributes: RouteAttributes;
}

/** Where a Service's traffic can end, by address family. */
export interface ServingNodes {
  /** A serving endpoint exists, whether or not its node is known. */
  readonly any: boolean;
  readonly nodes: ReadonlySet<string>;
}

export interface ServicePlan {
  readonly routes: readonly PeerRoute[];
  readonly layer2: readonly UnversionedEntry[];
  /** Addresses that this node announces by BGP, and to whom. */
  readonly advertised: readonly { readonly address: string; readonly peers: readonly string[] }[];
  /** Addresses that this node does not announce by BGP or stand for in layer 2, and why. */
  readonly refusals: readonly { readonly address: string; readonly reason: string }[];
}

const nothing: ServicePlan = { routes: [], layer2: [], advertised: [], refusals: [] };

export function planService(
  service: Service,
  slices: Iterable<EndpointSlice>,
  context: PlanContext,
): ServicePlan {
  if (service.type !== 'LoadBalancer' || service.deleting || !context.isOurs(service)) return nothing;
  const serving = servingNodes(slices);
  const routes: PeerRoute[] = [];
  const layer2: UnversionedEntry[] = [];
  const advertised: { address: string; peers: string[] }[] = [];
  const refusals: { address: string; reason: string }[] = [];
  const announcing = parseAnnouncing(service);
  const group = service.ingress[0]?.ip ?? objectKey(service);

  for (const { ip } of service.ingress) {
    const address = parseIp(ip);
    const pool = address && poolIndexOf(context.config).poolOf(address);
    if (!address || !pool) continue;
    const text = formatIp(address);
    const endpoints = serving[address.family === 4 ? 'IPv4' : 'IPv6'];
    if (pool.protocol === 'bgp') {
      const reason = refusal(service, endpoints, context);
      const own = reason === undefined ? routesOf(address, pool, context) : [];
      routes.push(...own);
      if (own.length > 0)
        advertised.push({ address: text, peers: [...new Set(own.map(({ peer }) => peer))] });
      else
        refusals.push({
          address: text,
          reason: reason ?? `no peer of node ${context.nodeName} is to hear of it`,
        });
    } else {
      const where = layer2Candidates(service, pool, endpoints, context);
      const owner = announcing.get(text)?.node;
      layer2.push({
        address: text,
        ...where,
        group,
        ...(owner === undefined ? {} : { recordedOwner: owner }),
      });
      if (!where.candidates.includes(context.nodeName))
        refusals.push({
          address: text,
          reason: refusal(service, endpoints, context) ?? 'no layer 2 advertisement selects this node',
        });
    }
  }
  return { routes, layer2, advertised, refusals };
}

/** Why no node answers for an address in layer 2, as far as Kubernetes and the configuration tell. */
export function whyNobodyAnswers(
  service: Service,
  address: string,
  slices: Iterable<EndpointSlice>,
  context: PlanContext,
): string {
  const ip = parseIp(address);
  if (service.type !== 'LoadBalancer' || !ip || !service.ingress.some((ingress) => ingress.ip === address))
    return 'the Service does not have it any more';
  const pool = poolIndexOf(context.config).poolOf(ip);
  if (!pool) return 'no pool holds it';
  if (pool.protocol === 'bgp') return `pool ${pool.name} announces by BGP`;
  const endpoints = servingNodes(slices)[ip.family === 4 ? 'IPv4' : 'IPv6'];
  if (!endpoints.any) return 'no endpoint of this address family is ready';
  return layer2Candidates(service, pool, endpoints, context).candidates.length === 0
    ? 'no node may announce it'
    : 'no speaker that may is alive and has a link for it';
}

/** Peers that this node should have sessions with, by the peers' node selectors. */
export function peersOfNode(config: Config, node: Node | undefined): PeerConfig[] {
  return config.peers.filter((peer) => anySelectorMatches(peer.nodeSelectors, node?.labels ?? {}));
}

/** Why a node may not carry any load balancer traffic, or `undefined` when it may. */
export function nodeRefusal(
  name: string,
  node: Node | undefined,
  { leavesWhenCordoned }: Pick<PlanContext, 'leavesWhenCordoned'>,
): string | undefined {
  if (!node) return `node ${name} is not known to Kubernetes`;
  if (!node.ready) return `node ${name} is not Ready`;
  if (node.networkUnavailable) return `the network of node ${name} is unavailable`;
  if (leavesWhenCordoned && node.unschedulable) return `node ${name} is cordoned`;
  if (excludeFromLoadBalancersLabel in node.labels)
    return `node ${name} is labelled ${excludeFromLoadBalancersLabel}`;
  return undefined;
}

function refusal(service: Service, endpoints: ServingNodes, context: PlanContext): string | undefined {
  const { nodeName } = context;
  if (!endpoints.any) return 'no endpoint of this address family is ready';
  if (service.externalTrafficPolicy === 'Local' && !endpoints.nodes.has(nodeName))
    return `externalTrafficPolicy is Local and node ${nodeName} has no ready endpoint`;
  return nodeRefusal(nodeName, context.nodes.get(nodeName), context);
}

function servingNodes(slices: Iterable<EndpointSlice>): Record<IpFamilyName, ServingNodes> {
  const found = {
    IPv4: { any: false, nodes: new Set<string>() },
    IPv6: { any: false, nodes: new Set<string>() },
  };
  for (const slice of slices) {
    for (const endpoint of slice.endpoints) {
      if (!endpoint.serving && !endpoint.ready) continue;
      found[slice.family].any = true;
      if (endpoint.nodeName !== undefined) found[slice.family].nodes.add(endpoint.nodeName);
    }
  }
  return found;
}

function routesOf(address: IpAddress, pool: PoolConfig, context: PlanContext): PeerRoute[] {
  const node = context.nodes.get(context.nodeName);
  const peers = peersOfNode(context.config, node);
  const routes: PeerRoute[] = [];
  for (const advertisement of pool.bgpAdvertisements) {
    if (!anySelectorMatches(advertisement.nodeSelectors, node?.labels ?? {})) continue;
    const length = address.family === 4 ? advertisement.aggregationLength : advertisement.aggregationLengthV6;
    const host = hostPrefix(address);
    const prefix = length >= host.length ? host : prefixOf(address, length);
    for (const peer of peers)
      if (advertisement.peers.length === 0 || advertisement.peers.includes(peer.name))
        routes.push({ peer: peer.name, prefix, attributes: attributesOf(advertisement) });
  }
  return routes;
}

function attributesOf(advertisement: BgpAdvertisement): RouteAttributes {
  const { localPref, med, asPathPrepend, communities, largeCommunities } = advertisement;
  return {
    ...(localPref === undefined ? {} : { localPref }),
    ...(med === undefined ? {} : { med }),
    asPathPrepend,
    communities,
    largeCommunities,
  };
}

function layer2Candidates(
  service: Service,
  pool: PoolConfig,
  endpoints: ServingNodes,
  context: PlanContext,
): Pick<UnversionedEntry, 'candidates' | 'interfaces' | 'nodeInterfaces'> {
  const interfaces = new Map<string, readonly string[]>();
  for (const node of context.nodes.values()) {
    const local = service.externalTrafficPolicy !== 'Local' || endpoints.nodes.has(node.name);
    if (!endpoints.any || !local || nodeRefusal(node.name, node, context) !== undefined) continue;
    const matching = pool.l2Advertisements.filter(({ nodeSelectors }) =>
      anySelectorMatches(nodeSelectors, node.labels),
    );
    if (matching.length === 0 && pool.l2Advertisements.length > 0) continue;
    const isAny = matching.length === 0 || matching.some((each) => each.interfaces.length === 0);
    const named = new Set(isAny ? [] : matching.flatMap((each) => each.interfaces));
    interfaces.set(node.name, [...named]);
  }
  return { candidates: [...interfaces.keys()].sort(), ...perNode(interfaces) };
}
