import { rangeOfPrefix } from '../../../src/address/index.ts';
import {
  type BgpAdvertisement,
  type Config,
  emptyConfig,
  type PeerConfig,
  type PoolConfig,
} from '../../../src/config/config.ts';
import type { EndpointSlice, Node, Service } from '../../../src/kubernetes/model.ts';
import { ip, prefix } from '../../support/addresses.ts';

export function node(name: string, over: Partial<Node> = {}): Node {
  return {
    name,
    uid: name,
    labels: {},
    annotations: {},
    ready: true,
    networkUnavailable: false,
    unschedulable: false,
    taints: [],
    conditions: [],
    internalIPs: [],
    ...over,
  };
}

export function service(name: string, ips: readonly string[], over: Partial<Service> = {}): Service {
  return {
    namespace: 'default',
    name,
    uid: name,
    resourceVersion: '1',
    labels: {},
    annotations: {},
    createdAtMs: 0,
    deleting: false,
    type: 'LoadBalancer',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    externalTrafficPolicy: 'Cluster',
    ports: [{ protocol: 'TCP', port: 80 }],
    selector: {},
    ingress: ips.map((address) => ({ ip: address })),
    ...over,
  };
}

/** A slice with one serving endpoint on each of the nodes. */
export function slice(
  serviceName: string,
  nodes: readonly string[],
  over: Partial<EndpointSlice> = {},
): EndpointSlice {
  return {
    namespace: 'default',
    name: `${serviceName}-1`,
    serviceName,
    family: 'IPv4',
    endpoints: nodes.map((nodeName, i) => ({
      addresses: [`10.1.0.${i + 1}`],
      nodeName,
      ready: true,
      serving: true,
      terminating: false,
    })),
    ...over,
  };
}

export function advertisement(over: Partial<BgpAdvertisement> = {}): BgpAdvertisement {
  return {
    aggregationLength: 32,
    aggregationLengthV6: 128,
    asPathPrepend: 0,
    communities: [],
    largeCommunities: [],
    peers: [],
    nodeSelectors: [],
    serviceSelectors: [],
    ...over,
  };
}

export function pool(name: string, cidrs: readonly string[], over: Partial<PoolConfig> = {}): PoolConfig {
  return {
    name,
    protocols: ['bgp'],
    ranges: cidrs.map((cidr) => rangeOfPrefix(prefix(cidr))),
    autoAssign: true,
    avoidBuggyIps: false,
    draining: false,
    namespaces: [],
    namespaceSelectors: [],
    serviceSelectors: [],
    shareAcrossNamespaces: false,
    bgpAdvertisements: [advertisement()],
    l2Advertisements: [],
    ...over,
  };
}

export function peer(name: string, over: Partial<PeerConfig> = {}): PeerConfig {
  return {
    name,
    myAsn: 64512,
    peerAsn: 64500,
    address: ip('10.0.0.1'),
    port: 179,
    holdTimeSeconds: 90,
    keepaliveTimeSeconds: 30,
    connectTimeSeconds: 5,
    ttlSecurity: false,
    passive: false,
    nodeSelectors: [],
    ...over,
  };
}

export function config(
  pools: readonly PoolConfig[],
  peers: readonly PeerConfig[] = [peer('router')],
): Config {
  return { ...emptyConfig, peers, pools };
}
