import type { Family, IpAddress, IpRange } from '../address/index.ts';

/** A valid configuration as plain data, with defaults filled in. Peers and BFD profiles still refer to Secrets by name. */
export interface Config {
  readonly peers: readonly PeerConfig[];
  readonly pools: readonly PoolConfig[];
  /** Unique by name. */
  readonly bfdProfiles: readonly BfdProfile[];
  /** When true, nodes labelled `node.kubernetes.io/exclude-from-external-load-balancers` announce like all others. */
  readonly ignoreExcludedNodes: boolean;
  /** Taints that make a node leave. */
  readonly leaveOnTaints: readonly TaintMatch[];
  /**
   * A leaving node stops announcing an address by BGP only while at least this many nodes that stay could announce the address. In layer 2
   * one such node is enough.
   */
  readonly minAnnouncers: number;
  readonly drain: DrainConfig;
  /**
   * How long a node waits before it announces a Service with `externalTrafficPolicy: Local` whose first endpoint on this node has become
   * ready. The node waits only while another node can announce the Service. 0 for no wait.
   */
  readonly announceDelaySeconds: number;
  /** When present, the controller sets the Pods of dead nodes to not ready. */
  readonly deadNodes?: DeadNodesConfig;
}

/** The meaning of an empty document. */
export const emptyConfig: Config = {
  peers: [],
  pools: [],
  bfdProfiles: [],
  ignoreExcludedNodes: false,
  leaveOnTaints: [],
  minAnnouncers: 1,
  drain: { delaySeconds: 10, communities: [0xffff0000], largeCommunities: [], asPathPrepend: 0 },
  announceDelaySeconds: 0,
};

/** The effects of taints that can make a node leave. A taint with the effect `PreferNoSchedule` never makes a node leave. */
export type LeavingTaintEffect = 'NoSchedule' | 'NoExecute';

/** Matches taints that make a node leave. An absent field matches every value. */
export interface TaintMatch {
  readonly key?: string;
  readonly value?: string;
  readonly effect?: LeavingTaintEffect;
  /** A taint that one of these tolerates does not make the node leave. */
  readonly tolerations: readonly Toleration[];
}

/** Has the meaning of a toleration of a Pod (`core/v1`). Without a key it tolerates every taint, and without an effect every effect. */
export interface Toleration {
  readonly key?: string;
  readonly operator: 'Exists' | 'Equal';
  /** Only for `Equal`; empty for `Exists`. */
  readonly value: string;
  readonly effect?: LeavingTaintEffect;
}

/** How a node marks the routes of an address that it drains, and when it withdraws them. */
export interface DrainConfig {
  /** Time from the marking of the routes to their withdrawal. */
  readonly delaySeconds: number;
  /**
   * The community by which routers recognize the routes, by default GRACEFUL_SHUTDOWN (RFC 8326). If the configuration names a large
   * community instead, this list is empty and `largeCommunities` holds the community.
   */
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
  /** The smallest MULTI_EXIT_DISC that the routes may have. */
  readonly med?: number;
  /** Number of additional times that our AS number is prepended. */
  readonly asPathPrepend: number;
}

/** Largest number of nodes whose Pods the controller may set to not ready at the same time. */
export interface DeadNodesConfig {
  readonly maxNodes:
    | { readonly kind: 'number'; readonly nodes: number }
    /** A percentage of the nodes that have a speaker. The number is rounded down, but is at least one. */
    | { readonly kind: 'percentage'; readonly percent: number };
}

/** Has the meaning of `metav1.LabelSelectorRequirement`. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** Has the meaning of `metav1.LabelSelector`: all requirements must hold, and an empty selector matches everything. */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly LabelRequirement[];
}

export interface SecretReference {
  readonly name: string;
  /** Key inside the Secret; default `password`. */
  readonly key: string;
}

/** A router to peer with. A node has a session with it when one of `nodeSelectors` matches the node, or when that list is empty. */
export interface PeerConfig {
  /** Unique. The `name` key, or else a name made of the address and the port (see `resolve/peers.ts`). */
  readonly name: string;
  readonly myAsn: number;
  /** The AS number that the session shows to the peer in place of `myAsn` (`local-as` of RFC 7705). */
  readonly localAsn?: number;
  readonly peerAsn: number | 'internal' | 'external';
  readonly address: IpAddress;
  /** Zone of a link-local address, or the interface that the socket is bound to. */
  readonly interface?: string;
  readonly sourceAddress?: IpAddress;
  readonly port: number;
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly connectTimeSeconds: number;
  /** The BGP Identifier: 32 bits, not zero (RFC 6286). */
  readonly routerId?: number;
  readonly password?: string;
  readonly passwordSecret?: SecretReference;
  /**
   * Largest number of hops to an eBGP peer; 1 means directly connected. When absent, packets have the system's TTL, unless `ttlSecurity` is
   * set.
   */
  readonly ebgpMultihop?: number;
  /** Accepts only packets that crossed no router (RFC 5082). */
  readonly ttlSecurity: boolean;
  readonly passive: boolean;
  readonly gracefulRestart?: GracefulRestartConfig;
  /** Families that the session may carry, sorted. When absent, it carries every family that the peer speaks. */
  readonly families?: readonly Family[];
  readonly bfd?: PeerBfd;
  readonly nodeSelectors: readonly LabelSelector[];
}

export interface GracefulRestartConfig {
  /** How long the peer keeps our routes while a speaker restarts (RFC 4724). */
  readonly restartTimeSeconds: number;
  /** How long the peer keeps our routes as its last choice after the restart time (RFC 9494). When absent, the peer drops the routes then. */
  readonly longLivedStaleTimeSeconds?: number;
}

/** How a peer uses BFD. */
export interface PeerBfd {
  /** Name of a profile of `bfdProfiles`. */
  readonly profile: string;
  readonly strict: BfdStrict;
  /** How long BFD must be Up before the session may come up; 0 for no wait. */
  readonly holdDownSeconds: number;
}

/**
 * Whether the BGP session waits for BFD. `off`: it never waits. `negotiate`: it waits if the peer, like this speaker, offers the capability
 * of draft-ietf-idr-bgp-bfd-strict-mode. `local`: this speaker makes and accepts no connection until BFD is Up or 30 s are over.
 */
export type BfdStrict = 'off' | 'negotiate' | 'local';

/** The settings of BFD sessions, under a name. Times are in milliseconds. */
export interface BfdProfile {
  readonly name: string;
  /** RequiredMinRxInterval (RFC 5880 section 6.8.1). */
  readonly receiveIntervalMs: number;
  /** DesiredMinTxInterval. */
  readonly transmitIntervalMs: number;
  readonly detectMultiplier: number;
  readonly echoIntervalMs: number;
  readonly echoMode: boolean;
  /** The passive role (RFC 5880 section 6.1): send nothing before the peer does. */
  readonly passiveMode: boolean;
  /** Packets of a multihop session that arrive with a smaller TTL are dropped. */
  readonly minimumTtl: number;
  readonly authentication?: BfdAuthenticationConfig;
}

/** Authentication of BFD packets (RFC 5880 section 6.7). */
export interface BfdAuthenticationConfig {
  readonly type: 'keyed-md5' | 'meticulous-md5' | 'keyed-sha1' | 'meticulous-sha1';
  /** Name of the Secret. Its data holds the keys, each under its key id as a decimal number. */
  readonly keySecret: string;
  /** The key id that our packets carry. */
  readonly keyId: number;
}

/** A way to announce the addresses of a pool. */
export type Protocol = 'bgp' | 'layer2';

export interface PoolConfig {
  readonly name: string;
  /** Sorted. An empty list means that another program announces the addresses, or nothing does. */
  readonly protocols: readonly Protocol[];
  /** In the order of the text. No two ranges overlap, neither in this pool nor across pools. */
  readonly ranges: readonly IpRange[];
  readonly autoAssign: boolean;
  /** Assigns no IPv4 address that ends in .0 or .255. */
  readonly avoidBuggyIps: boolean;
  /** Keeps assigned addresses and assigns no new ones. */
  readonly draining: boolean;
  /**
   * Pools with lower numbers are tried first, and pools without a number last. Pools with namespaces or selectors come before all others,
   * whatever their numbers are.
   */
  readonly priority?: number;
  /** Namespaces that may use the pool. When both this list and `namespaceSelectors` are empty, all namespaces may use it. */
  readonly namespaces: readonly string[];
  readonly namespaceSelectors: readonly LabelSelector[];
  readonly serviceSelectors: readonly LabelSelector[];
  /** Largest number of addresses of this pool that the Services of one namespace may hold. */
  readonly limitPerNamespace?: number;
  /** When true, Services of different namespaces may share an address under one sharing key. */
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
  /** Number of additional times that our AS number is prepended (eBGP only). */
  readonly asPathPrepend: number;
  /** 32-bit values (RFC 1997), sorted, unique. */
  readonly communities: readonly number[];
  /** Sorted, unique. */
  readonly largeCommunities: readonly LargeCommunity[];
  /** Names of peers. An empty list means all peers. */
  readonly peers: readonly string[];
  readonly nodeSelectors: readonly LabelSelector[];
  /** These select the Services whose addresses are announced. An empty list means all Services. */
  readonly serviceSelectors: readonly LabelSelector[];
}

export interface Layer2Advertisement {
  /** Names of interfaces. An empty list means the interfaces whose subnet holds the address. */
  readonly interfaces: readonly string[];
  readonly nodeSelectors: readonly LabelSelector[];
  /** These select the Services for whose addresses the nodes answer. An empty list means all Services. */
  readonly serviceSelectors: readonly LabelSelector[];
  readonly preferredNodes: readonly NodePreference[];
}

/** The weights of all selectors that match a node add up. The address goes to an eligible node with the greatest sum. */
export interface NodePreference {
  /** 1 to 100. */
  readonly weight: number;
  readonly selector: LabelSelector;
}
