import type { Family, IpAddress } from '../../address/index.ts';

/** What a session asks of its TCP connection beyond bytes. */
export interface SocketRules {
  /** TTL or hop limit of what we send; absent is the system's default. */
  readonly ttl?: number;
  /** RFC 5082: what arrives with less is dropped by the kernel. */
  readonly minimumTtl?: number;
  /** TCP_USER_TIMEOUT; 0 is the system's default. */
  readonly userTimeoutMs: number;
}

/** The peer's end of a connection to be made, and ours where it is set. */
export interface ConnectTarget extends SocketRules {
  readonly address: IpAddress;
  readonly port: number;
  readonly sourceAddress?: IpAddress;
  /** Zone of a link-local address, and the device the socket is bound to. */
  readonly interface?: string;
  /** RFC 2385; a connection without the key is never made. */
  readonly password?: string;
}

/** A peer that may connect to us. */
export interface AcceptedPeer {
  readonly address: IpAddress;
  readonly interface?: string;
  readonly password?: string;
  readonly minimumTtl?: number;
}

export interface StreamHandler {
  onConnected(): void;
  /** The bytes are the handler's only during the call. */
  onData(bytes: Uint8Array): void;
  /** Everything written has left for the kernel. */
  onDrain(): void;
  /** Called once, also for a connection that was never made; not after `destroy` or `end`. */
  onClosed(reason: string): void;
}

/** One TCP connection, made or on its way. */
export interface Stream {
  /** Our end; `undefined` until connected. */
  readonly localAddress: IpAddress | undefined;
  /** Bytes written that the kernel has not taken yet. */
  readonly queuedBytes: number;
  /** Bytes the peer's TCP has acknowledged so far. */
  acknowledgedBytes(): number;
  write(bytes: Uint8Array): void;
  /** Applies the rules to the connection as it is. */
  apply(rules: SocketRules): void;
  /** Closes after what was written has left, or after a second; resolves when it is closed. */
  end(): Promise<void>;
  destroy(): void;
}

/** A connection that a peer has made. */
export interface Incoming {
  readonly remoteAddress: IpAddress;
  /** Which of our addresses it was made to. */
  readonly localAddress: IpAddress;
  /** The zone of a link-local address. */
  readonly interface?: string;
  /** Takes the connection; whoever does not accepts nothing of it. */
  accept(rules: SocketRules, handler: StreamHandler): Stream;
  reject(): void;
}

export interface Listener {
  close(): void;
}

/** What keeps peers from connecting to us: all of a family, or the one whose key cannot be set. */
export interface ListenFailure {
  readonly family: Family;
  readonly peer?: AcceptedPeer;
  readonly reason: string;
}

export interface Transport {
  /** Failures, also of the socket's options, arrive at `onClosed`. */
  connect(target: ConnectTarget, handler: StreamHandler): Stream;
  /**
   * Listens for these peers, those with a key only with their key. `onFailed` is called for what is impossible: the port is
   * taken, or a key cannot be set.
   */
  listen(
    port: number,
    peers: readonly AcceptedPeer[],
    onIncoming: (incoming: Incoming) => void,
    onFailed: (failure: ListenFailure) => void,
  ): Listener;
}
