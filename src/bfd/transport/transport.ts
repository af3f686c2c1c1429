/** The sockets of the BFD process, as interfaces. Tests replace them. */

/** Where packets are received. One socket serves all sessions with the same key. */
export interface ListenKey {
  readonly family: 4 | 6;
  /** 3784 for single hop (RFC 5881 section 4), 4784 for multihop (RFC 5883 section 5). */
  readonly port: number;
  /** The interface that the socket is bound to. */
  readonly interface?: string;
  /** The local address that the socket is bound to, as canonical text. */
  readonly localAddress?: string;
}

/** Where a session sends. */
export interface SendKey {
  /** Canonical text, like `localAddress`. */
  readonly peerAddress: string;
  readonly port: number;
  readonly interface?: string;
  readonly localAddress?: string;
}

/** `octets` and `source` are valid until the handler returns. `source` is an address of 4 or 16 octets. */
export type PacketHandler = (octets: Uint8Array, source: Uint8Array) => void;

export interface PacketFilter {
  /** The smallest TTL or hop limit. */
  readonly minimumTtl: number;
  /** Peers whose packets need a greater TTL than `minimumTtl`. The addresses are canonical text. */
  readonly peerMinimumTtls?: readonly { readonly peerAddress: string; readonly minimumTtl: number }[];
  /** When present, only packets with one of these values of Your Discriminator pass. */
  readonly discriminators?: readonly number[];
}

export interface ReceivePort {
  /** Reads what has arrived, at most `limit` packets. Returns true when it has read `limit` packets, because more may wait then. */
  drain(limit: number, handle: PacketHandler): boolean;
  /**
   * The kernel drops packets that the filter does not let pass. Throws an error when the kernel has no room for the filter. Then the port may
   * receive nothing until a call succeeds.
   */
  setFilter(filter: PacketFilter): void;
  /** Packets that the kernel has dropped: the filter did not let them pass, or the queue was full. */
  droppedByKernel(): number;
  /** Whether the interface that the port is bound to still exists. */
  isAlive(): boolean;
  close(): void;
}

export interface SendPort {
  /** Returns the name of the errno when the system refuses the packet. */
  send(octets: Uint8Array): string | undefined;
  /** Whether the interface that the port is bound to still exists. */
  isAlive(): boolean;
  close(): void;
}

/**
 * Where a session sends its Echo packets. When the interface or our address is absent, the interface and address of the link to the peer
 * are used.
 */
export interface EchoKey {
  readonly peerAddress: string;
  readonly interface?: string;
  readonly localAddress?: string;
}

/** Carries the Echo packets of one session (RFC 5881 section 4), IPv4 only. */
export interface EchoSocket {
  /** Our address on the link, 4 octets. */
  readonly address: Uint8Array;
  /** Whether the node returns the Echo packets that arrive on the interface. */
  returnsEcho(): boolean;
  /** As for a receive port. The handler gets whole IPv4 packets, including the Echo packets of other sessions on the interface. */
  drain(limit: number, handle: (packet: Uint8Array) => void): boolean;
  /** Sends an IPv4 packet to the peer's MAC. Returns why it could not be sent, such as the name of the errno. */
  send(packet: Uint8Array): string | undefined;
  /** Whether the interface still exists, and our address is still ours. */
  isAlive(): boolean;
  close(): void;
}

/** The functions that open a socket throw an error whose message an operator can read. */
export interface BfdTransport {
  /** `onReadable` is called when packets wait. */
  listen(key: ListenKey, onReadable: () => void): ReceivePort;
  openSender(key: SendKey): SendPort;
  openEcho(key: EchoKey, onReadable: () => void): EchoSocket;
}
