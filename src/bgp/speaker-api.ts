/** The interface between the node's BGP speaker and the rest of the speaker process. */
import type { IpAddress, Prefix } from '../address/index.ts';
import type { Result } from '../result.ts';
import type { BfdReport } from './fsm/bfd-watch.ts';
import type { BgpState } from './fsm/connection-state.ts';
import type { LargeCommunity } from './message.ts';
import type { ResolvedPeer } from './peer.ts';

/**
 * The route attributes that the plan chooses. The session adds ORIGIN, AS_PATH and NEXT_HOP. codec/attribute-rows.ts lists the files to
 * change for a new attribute.
 */
export interface RouteAttributes {
  /** Sent to internal peers only; 100 when absent. */
  readonly localPref?: number;
  readonly med?: number;
  /** How many extra times our AS number stands in AS_PATH; external peers only. */
  readonly asPathPrepend: number;
  /** RFC 1997. */
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
}

export interface PeerStatus {
  readonly name: string;
  readonly address: IpAddress;
  readonly state: BgpState;
  /** The sub-state while the session waits for BFD, such as `OpenSentBfdUpPending`. */
  readonly subState?: string;
  /** Last change of state, RFC 3339. */
  readonly since: string;
  readonly peerAsn?: number;
  readonly peerRouterId?: string;
  readonly holdTimeSeconds?: number;
  readonly families: readonly string[];
  readonly capabilities: readonly string[];
  /**
   * One sentence for each address family that the session should carry but does not. More sentences say how else the session differs from
   * the settings.
   */
  readonly warnings: readonly string[];
  readonly routesDesired: number;
  readonly routesSent: number;
  /** Why the last session ended or did not start. */
  readonly lastError?: string;
  /** Time of `lastError`, RFC 3339. */
  readonly lastErrorAt?: string;
}

/** Why the speaker stops. This decides how its sessions end (RFC 4486, 4724, 8538). */
export type StopMode =
  /** Withdraw all routes, then send Cease/Administrative Shutdown with the reason. */
  | { readonly kind: 'shutdown'; readonly reason: string }
  /** Peers with graceful restart keep our routes. The sessions with all other peers are shut down. */
  | { readonly kind: 'restart' };

/** One item that a process passes on to another (codec/passed-session.ts). An item that is a session has the descriptor of its connection. */
export interface OfferedItem {
  readonly octets: Uint8Array;
  readonly descriptor?: number;
}

/** The sessions of this process, ready to be passed on. */
export interface Offer {
  readonly items: readonly OfferedItem[];
  readonly sessions: number;
  /**
   * The other process has the sessions. Closes their sockets in this process and sends nothing to their peers. Ends the sessions that could
   * not be passed on, as the stop mode `restart` does.
   */
  letGo(): Promise<void>;
  /** The sessions stay with this process. */
  keep(): void;
}

/** All BGP sessions of a node. Changes take effect in the same or the next turn of the event loop. */
export interface BgpSpeaker {
  /**
   * Sets the peers. Starts the sessions of new peers, stops those of removed peers, and changes a session only when its peer has changed.
   */
  setPeers(peers: readonly ResolvedPeer[]): void;
  /** Announces a prefix to a peer, and replaces an earlier announcement of the prefix. The peer need not be configured yet. */
  announce(peerId: string, prefix: Prefix, attributes: RouteAttributes): void;
  withdraw(peerId: string, prefix: Prefix): void;
  /**
   * BFD reports a change of its session with the peer. When BFD has lost the peer and is not damped, the BGP session ends with Cease/BFD
   * Down (RFC 9384), and the speaker tries to start the BGP session again.
   */
  bfdChanged(peerId: string, report: BfdReport): void;
  /**
   * A hint that interfaces of the node have changed: the speaker reads them at once instead of within a second. It then ends each session
   * whose link or local address is gone, and adapts the next hops to the node's addresses.
   */
  interfacesChanged(): void;
  /** The desired routes are complete: from now on End-of-RIB may be sent (RFC 4724 section 4.1). */
  synced(): void;
  status(): readonly PeerStatus[];
  /** Resolves when every session has ended. A peer that stops reading delays this by a few seconds at most. */
  stop(mode: StopMode): Promise<void>;
}

/** Passes the sessions of one process on to another. */
export interface SessionSuccession {
  /**
   * Prepares all Established sessions for another process: sends the waiting routes, then reads nothing and sends no more routes. Resolves to
   * `undefined` when the routes are not complete yet, or when the speaker has stopped. Nothing is final before {@link Offer.letGo}.
   */
  offer(): Promise<Offer | undefined>;
  /**
   * Takes the sessions that an earlier process has passed on. The next call of `setPeers` goes on with the sessions whose peers it sets, and
   * closes the connections of the rest. Returns the number of sessions, or what is wrong. After an error, the descriptors still belong to the
   * caller.
   */
  inherit(items: readonly OfferedItem[]): Result<number, string>;
  /** Closes the connections of `inherit`, because this process does not take the sessions over after all. */
  disinherit(): void;
}
