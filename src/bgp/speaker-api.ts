import type { IpAddress, Prefix } from '../address/index.ts';
import type { BgpState } from './fsm/connection-state.ts';
import type { LargeCommunity } from './message.ts';
import type { ResolvedPeer } from './peer.ts';

/** What the plan decides about a route; ORIGIN, AS_PATH and NEXT_HOP follow from the session. */
export interface RouteAttributes {
  /** Sent on iBGP only; 100 when absent. */
  readonly localPref?: number;
  readonly med?: number;
  readonly asPathPrepend: number;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
}

export interface PeerStatus {
  readonly name: string;
  readonly address: IpAddress;
  readonly state: BgpState;
  /** RFC 3339, of the last change of state. */
  readonly since: string;
  readonly peerAsn?: number;
  readonly peerRouterId?: string;
  readonly holdTimeSeconds?: number;
  readonly families: readonly string[];
  readonly capabilities: readonly string[];
  /** One sentence for each address family that the session does not carry, and for what else is not as configured. */
  readonly warnings: readonly string[];
  readonly routesDesired: number;
  readonly routesSent: number;
  /** What ended or prevented the last session, in the words of the RFC. */
  readonly lastError?: string;
  /** RFC 3339, of `lastError`. */
  readonly lastErrorAt?: string;
}

/** Why the speaker ends: it decides what peers are told (RFC 4724, RFC 8538, RFC 4486). */
export type StopMode =
  /** Withdraw, Cease/Administrative Shutdown with the reason. */
  | { readonly kind: 'shutdown'; readonly reason: string }
  /** Leave the routes in place at peers that negotiated graceful restart; shut down at the others. */
  | { readonly kind: 'restart' };

/** All BGP sessions of a node. Changes take effect in the same turn of the loop or the next. */
export interface BgpSpeaker {
  /** The peers that should be: the difference is started, changed or stopped, the rest is not touched. */
  setPeers(peers: readonly ResolvedPeer[]): void;
  /** Announces a prefix to a peer, replacing what was announced for it before; peers not configured yet are remembered. */
  announce(peerId: string, prefix: Prefix, attributes: RouteAttributes): void;
  withdraw(peerId: string, prefix: Prefix): void;
  /** BFD has lost the peer: its session ends with Cease/BFD Down (RFC 9384) and is tried again. */
  bfdDown(peerId: string): void;
  /** The desired routes are complete: from now on End-of-RIB may be sent (RFC 4724 section 4.1). */
  synced(): void;
  status(): readonly PeerStatus[];
  /** Resolves when every peer has been told or its deadline has passed. */
  stop(mode: StopMode): Promise<void>;
}
