import type { IpAddress, IpRange } from '../address/index.ts';

/** A judged configuration: every default filled in, every reference resolved, all readonly plain data. */
export interface Config {
  readonly peers: readonly PeerConfig[];
  readonly pools: readonly PoolConfig[];
}

/** As `metav1.LabelSelectorRequirement`. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** As `metav1.LabelSelector`: all must hold; an empty selector matches everything. */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly LabelRequirement[];
}

export interface SecretReference {
  readonly name: string;
  /** Key inside the Secret; default `password`. */
  readonly key: string;
}

/** A router to peer with. Lists of selectors: one that matches is enough; an empty list matches every node. */
export interface PeerConfig {
  /** Unique; the `name` key, or `peer-address` (with `:port` when two peers differ only by it). */
  readonly name: string;
  readonly myAsn: number;
  /** What the session itself shows to the peer instead of `myAsn` (RFC 7705 `local-as`). */
  readonly localAsn?: number;
  readonly peerAsn: number | 'internal' | 'external';
  readonly address: IpAddress;
  /** Zone of a link-local address, or the interface the socket is bound to. */
  readonly interface?: string;
  readonly sourceAddress?: IpAddress;
  readonly port: number;
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly connectTimeSeconds: number;
  /** 32 bits, not zero (RFC 6286). */
  readonly routerId?: number;
  readonly password?: string;
  readonly passwordSecret?: SecretReference;
  /** Largest number of hops to an eBGP peer, 1 when it is directly connected. Absent: packets leave with the system's TTL. */
  readonly ebgpMultihop?: number;
  /** RFC 5082. */
  readonly ttlSecurity: boolean;
  readonly passive: boolean;
  readonly gracefulRestart?: { readonly restartTimeSeconds: number };
  readonly nodeSelectors: readonly LabelSelector[];
}

export interface PoolConfig {
  readonly name: string;
  readonly protocol: 'bgp' | 'layer2';
  /** Disjoint within and between pools, in the order written. */
  readonly ranges: readonly IpRange[];
  readonly autoAssign: boolean;
  /** IPv4 addresses that end in .0 or .255 are not handed out. */
  readonly avoidBuggyIps: boolean;
  /** Keeps what is assigned, hands out nothing new. */
  readonly draining: boolean;
  /** Lower is tried first; pools without one come last. */
  readonly priority?: number;
  /** Names of namespaces that may use the pool; with `namespaceSelectors` empty too: all. */
  readonly namespaces: readonly string[];
  readonly namespaceSelectors: readonly LabelSelector[];
  readonly serviceSelectors: readonly LabelSelector[];
  /** Most addresses that Services of one namespace may hold from this pool. */
  readonly limitPerNamespace?: number;
  /** Services of different namespaces may share an address under one key. */
  readonly shareAcrossNamespaces: boolean;
  readonly bgpAdvertisements: readonly BgpAdvertisement[];
  readonly l2Advertisements: readonly Layer2Advertisement[];
}

/** A large community (RFC 8092): global administrator, local data 1, local data 2. */
export type LargeCommunity = readonly [number, number, number];

export interface BgpAdvertisement {
  readonly aggregationLength: number;
  readonly aggregationLengthV6: number;
  readonly localPref?: number;
  readonly med?: number;
  /** How many times our AS number is put in front once more (eBGP only). */
  readonly asPathPrepend: number;
  /** 32-bit values (RFC 1997), sorted, unique. */
  readonly communities: readonly number[];
  /** Sorted, unique. */
  readonly largeCommunities: readonly LargeCommunity[];
  /** Names of peers; empty: all. */
  readonly peers: readonly string[];
  readonly nodeSelectors: readonly LabelSelector[];
}

export interface Layer2Advertisement {
  /** Names of interfaces; empty: those whose subnet holds the address. */
  readonly interfaces: readonly string[];
  readonly nodeSelectors: readonly LabelSelector[];
}
