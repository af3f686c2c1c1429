/** What the BFD process needs from the network. Tests replace it. */

/** Where packets are received. One socket serves all sessions with the same key. */
export interface ListenKey {
  readonly family: 4 | 6;
  /** 3784 for single hop (RFC 5881 section 4), 4784 for multihop (RFC 5883 section 5), 3785 for Echo packets. */
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

export interface ReceivePort {
  /** Reads what has arrived, at most `limit` packets. Returns whether more may wait. */
  drain(limit: number, handle: PacketHandler): boolean;
  /** The kernel drops packets with a smaller TTL or hop limit. */
  setMinimumTtl(ttl: number): void;
  /** Packets that the kernel has dropped: their TTL is too small, or the queue was full. */
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

/** Both functions throw an error whose message an operator can read. */
export interface BfdTransport {
  /** `onReadable` is called when packets wait. */
  listen(key: ListenKey, onReadable: () => void): ReceivePort;
  openSender(key: SendKey): SendPort;
}
