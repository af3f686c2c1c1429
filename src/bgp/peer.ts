/** A router to peer with, as the BGP code sees it. These types depend neither on the configuration format nor on Kubernetes. */
import type { Family, IpAddress } from '../address/index.ts';

/** The settings of a session that an operator can choose. Durations are in seconds. */
export interface PeerSettings {
  /** The name in logs, metrics and status. It may change while the peer stays the same. */
  readonly name: string;
  /** The AS number that this speaker shows to the peer. */
  readonly localAsn: number;
  /** The AS number that the peer must have; `external` accepts any number but ours, `internal` only ours. */
  readonly peerAsn: number | 'internal' | 'external';
  readonly address: IpAddress;
  /** The interface that the socket is bound to. It is also the zone of a link-local address. */
  readonly interface?: string;
  readonly sourceAddress?: IpAddress;
  readonly port: number;
  /** Hold time to offer; 0 for none (RFC 4271 section 4.2). */
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  /** ConnectRetryTime (RFC 4271 section 8). */
  readonly connectRetrySeconds: number;
  /**
   * Largest number of hops to an external peer, 1 when the peer is directly connected. When `ebgpHops` is absent and `ttlSecurity` is false,
   * packets carry the system's TTL.
   */
  readonly ebgpHops?: number;
  /** Generalized TTL security mechanism (RFC 5082). */
  readonly ttlSecurity: boolean;
  /** Waits for the peer to connect (PassiveTcpEstablishment, RFC 4271 section 8.1.1). */
  readonly passive: boolean;
  /** Families that the session may carry; all when absent. */
  readonly families?: readonly Family[];
  /** Offers graceful restart (RFC 4724). */
  readonly gracefulRestart?: GracefulRestartSettings;
  /** Present when BFD watches the peer. */
  readonly bfd?: PeerBfdSettings;
}

export interface GracefulRestartSettings {
  readonly restartTimeSeconds: number;
  /** How long the peer keeps our routes after the restart time (RFC 9494). When absent, the peer drops them. */
  readonly longLivedStaleTimeSeconds?: number;
}

export interface PeerBfdSettings {
  /**
   * Whether the session waits for BFD. `negotiate`: it waits if the peer offers BFD strict mode too (draft-ietf-idr-bgp-bfd-strict-mode). `local`:
   * it waits before TCP comes up, and goes on without BFD when BFD stays down for too long (`startWaitMs`).
   */
  readonly strict: 'off' | 'negotiate' | 'local';
  /** How long BFD must be Up before the session may come up. */
  readonly holdDownSeconds: number;
}

/** The settings of a peer, and what this node adds to them. */
export interface ResolvedPeer {
  /** Identifies the peer. It stays the same when settings change, even the name. */
  readonly id: string;
  readonly settings: PeerSettings;
  /** TCP MD5 key (RFC 2385). */
  readonly password?: string;
  /** A sentence that says why the session may not start yet. Status shows it. */
  readonly waitingFor?: string;
  /** A sentence that says how the running session differs from the settings. */
  readonly warning?: string;
  /** A sentence that says how the peer's BFD session differs from the settings. */
  readonly bfdWarning?: string;
  /** BGP Identifier: 32 bits, not zero (RFC 6286). */
  readonly routerId: number;
}

/** The name of a peer's machine in the flight recorder. */
export function peerMachine(peer: string): string {
  return `peer ${peer}`;
}
