/** A router to peer with, as BGP sees it. Configuration formats and Kubernetes do not reach this far. */
import type { IpAddress } from '../address/index.ts';

/** What an operator can choose about a session. Durations are in seconds. */
export interface PeerSettings {
  /** For people: logs, metrics, status. It may change while the peer stays the same. */
  readonly name: string;
  /** The AS number that this speaker shows to the peer. */
  readonly localAsn: number;
  /** The AS number that the peer must have; `external` accepts any number but ours, `internal` only ours. */
  readonly peerAsn: number | 'internal' | 'external';
  readonly address: IpAddress;
  /** Zone of a link-local address, or the device that the socket is bound to. */
  readonly interface?: string;
  readonly sourceAddress?: IpAddress;
  readonly port: number;
  /** Hold time to offer; 0 for none (RFC 4271 section 4.2). */
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  /** ConnectRetryTime (RFC 4271 section 8). */
  readonly connectRetrySeconds: number;
  /** Largest number of hops to an external peer, 1 when it is directly connected. Absent: the system's TTL. */
  readonly ebgpHops?: number;
  /** RFC 5082. */
  readonly ttlSecurity: boolean;
  /** Waits for the peer to connect (PassiveTcpEstablishment, RFC 4271 section 8.1.1). */
  readonly passive: boolean;
  /** Offers graceful restart (RFC 4724). */
  readonly gracefulRestart?: { readonly restartTimeSeconds: number };
}

/** A peer with what this node adds to its settings. */
export interface ResolvedPeer {
  /** Stays the same through edits, also of the name. */
  readonly id: string;
  readonly settings: PeerSettings;
  /** TCP MD5 key (RFC 2385). */
  readonly password?: string;
  /** Why the session may not start yet, as a sentence. The peer is shown with this reason. */
  readonly waitingFor?: string;
  /** What differs from the settings although the session runs, as a sentence. */
  readonly warning?: string;
  /** BGP Identifier: 32 bits, not zero (RFC 6286). */
  readonly routerId: number;
}
