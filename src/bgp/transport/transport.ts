/**
 * TCP as a session sees it: streams of octets to a peer, made by us or by the peer. The speaker uses tcp.ts; tests use a transport in
 * memory.
 */
import type { Family, IpAddress } from '../../address/index.ts';

/** Rules of a TCP connection that follow from the peer's configuration. */
export interface SocketRules {
  /** TTL or hop limit of outgoing segments; absent means the system's default. */
  readonly ttl?: number;
  /** RFC 5082: the kernel drops segments that arrive with a lower TTL. */
  readonly minimumTtl?: number;
  /** TCP_USER_TIMEOUT: the kernel resets the connection when the peer takes no octet for this long; 0 is the system's default. */
  readonly userTimeoutMs: number;
}

/** Both ends of a connection to be made. */
export interface ConnectTarget extends SocketRules {
  readonly address: IpAddress;
  readonly port: number;
  readonly sourceAddress?: IpAddress;
  /** The interface that the socket is bound to. It is also the zone of a link-local address. */
  readonly interface?: string;
  /** TCP MD5 key (RFC 2385). If the key cannot be set, no connection is made. */
  readonly password?: string;
}

/** A peer that may connect to us. */
export interface AcceptedPeer {
  readonly address: IpAddress;
  readonly interface?: string;
  readonly password?: string;
  readonly minimumTtl?: number;
}

/** Receives the events of a stream. */
export interface StreamHandler {
  onConnected(): void;
  /** Octets in the order in which the peer sent them. They are valid during the call only. */
  onData(bytes: Uint8Array): void;
  /** The kernel has taken everything that was written. */
  onDrain(): void;
  /** Called once when the connection has closed or could not be made. Not called after `destroy` or `end`. */
  onClosed(reason: string): void;
}

/** One TCP connection, made or being made. */
export interface Stream {
  /** Our end; `undefined` until connected. */
  readonly localAddress: IpAddress | undefined;
  /** Octets written that the kernel has not taken yet. */
  readonly queuedBytes: number;
  /** Octets that the peer's TCP has acknowledged so far. */
  acknowledgedBytes(): number;
  write(bytes: Uint8Array): void;
  /** Replaces the rules of the open connection. */
  apply(rules: SocketRules): void;
  /** Closes once everything written has left and the peer has closed its end, or after a second. Resolves when the connection is closed. */
  end(): Promise<void>;
  /** Closes this end of the connection at once. */
  destroy(): void;
  /**
   * Stops reading, after everything that has been read is handed over. Returns the descriptor of the connection; `undefined` when the
   * connection is closed, or when written octets have not reached the kernel.
   */
  freeze(): number | undefined;
  /** Reads again after `freeze`. */
  thaw(): void;
}

/** A connection that an earlier process made or accepted, and that waits to be taken. */
export interface InheritedConnection {
  /** Takes the connection. The handler first gets the octets that the earlier process has read but not handled. */
  accept(rules: SocketRules, handler: StreamHandler): Stream;
  reject(): void;
}

/** A connection that a peer has made and that waits to be accepted. */
export interface Incoming {
  readonly remoteAddress: IpAddress;
  /** The address of this node that the peer connected to. */
  readonly localAddress: IpAddress;
  /** Zone of a link-local address. */
  readonly interface?: string;
  /** The password in force for `remoteAddress`. The kernel has checked the connection against it, and against no other password. */
  readonly password: string | undefined;
  accept(rules: SocketRules, handler: StreamHandler): Stream;
  reject(): void;
}

export interface Listener {
  close(): void;
}

/** A failure to listen. If `peer` is given, only that peer cannot connect to us; otherwise all peers of the family cannot. */
export interface ListenFailure {
  readonly family: Family;
  readonly peer?: AcceptedPeer;
  readonly reason: string;
}

export interface Transport {
  /** Opens a connection. Failures, including those of socket options, arrive at `onClosed`. */
  connect(target: ConnectTarget, handler: StreamHandler): Stream;
  /**
   * Listens for the peers. A peer with a password must sign its segments with it, and segments below the peer's minimum TTL are dropped.
   * When several peers share an address, the password of the first one is in force, and ttl-filter.ts chooses the minimum TTL. `onFailed`
   * reports a port that is taken or a key that cannot be set.
   */
  listen(
    port: number,
    peers: readonly AcceptedPeer[],
    onIncoming: (incoming: Incoming) => void,
    onFailed: (failure: ListenFailure) => void,
  ): Listener;
  /**
   * Holds a connection of an earlier process by its descriptor. From now on, the transport is responsible for closing the descriptor.
   * `unread` holds the octets that the earlier process read but did not handle.
   */
  inherit(descriptor: number, family: Family, unread: Uint8Array): InheritedConnection;
}
