/** The settings of one BFD session. They are plain JSON, because they go to the BFD process over its IPC channel. */
export interface BfdSessionSettings {
  /**
   * Identifies the path of the session. BGP peers on the same path share one session. A session keeps its state while its settings change, as
   * long as the id, the addresses, the interface and the kind of path (single hop or multihop) stay.
   */
  readonly id: string;
  /** The name of the BGP peer, for logs and metrics. When peers share the session, the name of the first of them. */
  readonly name: string;
  /** Canonical text, without a zone. */
  readonly peerAddress: string;
  /** The source address, as canonical text. Multihop sessions with one peer differ in it (RFC 5883 section 4.1). The kernel chooses it if absent. */
  readonly localAddress?: string;
  /** Sockets are bound to this interface. A link-local address needs it. */
  readonly interface?: string;
  readonly mode: BfdMode;
  /** DesiredMinTxInterval (RFC 5880 section 6.8.1), the interval at which we want to send. */
  readonly transmitIntervalMs: number;
  /** RequiredMinRxInterval, the shortest interval at which the peer may send. */
  readonly receiveIntervalMs: number;
  /** The peer declares the session down after this number of intervals without a packet from us. 1 to 255. */
  readonly detectMultiplier: number;
  /** Sends nothing before the peer does (RFC 5880 section 6.1). */
  readonly passive: boolean;
  /** Asks for the echo function (RFC 5881 section 4). A session over several hops or over IPv6 warns in its status that it has none. */
  readonly echo?: { readonly intervalMs: number };
  readonly authentication?: BfdAuthentication;
}

/**
 * Single hop (RFC 5881) or multihop (RFC 5883). The receive socket of a multihop session drops packets with a TTL below `minimumTtl`. When several
 * sessions with one peer share the socket, the smallest `minimumTtl` of these sessions applies to the packets of this peer. If the kernel has no
 * room for a filter with a limit for each peer, the smallest `minimumTtl` of all sessions on the socket applies to every packet.
 */
export type BfdMode =
  | { readonly kind: 'single-hop' }
  | { readonly kind: 'multihop'; readonly minimumTtl: number };

/** Authentication of every packet (RFC 5880 section 6.7). */
export interface BfdAuthentication {
  readonly type: BfdAuthenticationType;
  /** The key that signs our packets. It is one of `keys`. */
  readonly sendKeyId: number;
  /** Every key that a packet from the peer may use, so that keys can be replaced without a flap. */
  readonly keys: readonly BfdKey[];
}

export type BfdAuthenticationType = 'keyed-md5' | 'meticulous-md5' | 'keyed-sha1' | 'meticulous-sha1';

export interface BfdKey {
  /** 0 to 255. */
  readonly id: number;
  /** The octets of the key in base64: 1 to 16 octets for MD5, 1 to 20 for SHA1. */
  readonly secret: string;
}
