import { formatIp, ipFromBytes } from '../../src/address/index.ts';
import { octetsOf } from '../../src/bfd/transport/address-octets.ts';
import type {
  BfdTransport,
  EchoSocket,
  ListenKey,
  PacketFilter,
  ReceivePort,
  SendKey,
} from '../../src/bfd/transport/transport.ts';

interface Waiting {
  readonly octets: Uint8Array;
  readonly source: Uint8Array;
}

/** A receive socket in memory. */
export class MemoryPort implements ReceivePort {
  readonly key: ListenKey;
  readonly #onReadable: () => void;
  readonly #waiting: Waiting[] = [];
  filter: PacketFilter = { minimumTtl: 0 };
  /** `setFilter` throws if the filter has one of these parts, as if the kernel had no room for it. */
  noRoomFor: readonly (keyof PacketFilter)[] = [];
  dropped = 0;
  isReplaced = false;
  isClosed = false;

  constructor(key: ListenKey, onReadable: () => void) {
    this.key = key;
    this.#onReadable = onReadable;
  }

  /** Puts a packet into the socket, without telling the reader yet. */
  arrive(octets: Uint8Array, source: string): void {
    const { discriminators } = this.filter;
    const isKnown = octets.length >= 12 && discriminators?.includes(Buffer.from(octets).readUInt32BE(8));
    if (discriminators && !isKnown) {
      this.dropped++;
      return;
    }
    this.#waiting.push({ octets, source: octetsOf(source) });
  }

  /** Tells the reader that packets wait, as the event loop does. */
  poll(): void {
    this.#onReadable();
  }

  drain(limit: number, handle: (octets: Uint8Array, source: Uint8Array) => void): boolean {
    for (const { octets, source } of this.#waiting.splice(0, limit)) handle(octets, source);
    return this.#waiting.length > 0;
  }

  setFilter(filter: PacketFilter): void {
    const part = this.noRoomFor.find((each) => filter[each]);
    // An attempt that fails may leave a filter that drops everything.
    this.filter = part ? { minimumTtl: 256 } : filter;
    if (part) throw new Error(`no room for ${part}`);
  }

  droppedByKernel(): number {
    return this.dropped;
  }

  isAlive(): boolean {
    return !this.isReplaced;
  }

  close(): void {
    this.isClosed = true;
  }
}

/** The network of one node in memory. */
export class MemoryBfdTransport implements BfdTransport {
  readonly ports: MemoryPort[] = [];
  readonly sent: { readonly key: SendKey; readonly octets: Uint8Array }[] = [];
  /** While this is set, `listen` and `openSender` throw an error with this text. */
  fault: string | undefined;
  /** While this is set, each `send` fails with this errno. */
  refusal: string | undefined;
  /** While this is set, each `send` of an Echo packet fails with this errno. */
  echoRefusal: string | undefined;
  /** Echo packets that wait to be read. */
  readonly echoes: Uint8Array[] = [];
  /** Echo packets that were sent. */
  readonly sentEchoes: Uint8Array[] = [];
  returnsEcho = true;
  onSent: (key: SendKey, octets: Uint8Array) => void = () => undefined;

  listen(key: ListenKey, onReadable: () => void): ReceivePort {
    if (this.fault !== undefined) throw new Error(this.fault);
    const port = new MemoryPort(key, onReadable);
    this.ports.push(port);
    return port;
  }

  openSender(key: SendKey) {
    if (this.fault !== undefined) throw new Error(this.fault);
    return {
      send: (octets: Uint8Array) => {
        if (this.refusal !== undefined) return this.refusal;
        this.sent.push({ key, octets });
        this.onSent(key, octets);
        return undefined;
      },
      isAlive: () => true,
      close: () => undefined,
    };
  }

  openEcho(): EchoSocket {
    return {
      address: octetsOf('192.0.2.1'),
      returnsEcho: () => this.returnsEcho,
      drain: (_limit, handle) => {
        for (const packet of this.echoes.splice(0)) handle(packet);
        return false;
      },
      send: (packet) => {
        const refusal = this.refusal ?? this.echoRefusal;
        if (refusal !== undefined) return refusal;
        this.sentEchoes.push(packet);
        return undefined;
      },
      isAlive: () => true,
      close: () => undefined,
    };
  }

  /** The open receive socket for this UDP port. */
  port(number = 3784): MemoryPort {
    const port = this.ports.find(({ key, isClosed }) => key.port === number && !isClosed);
    if (!port) throw new Error(`no socket on port ${number}`);
    return port;
  }
}

/** Connects two nodes, so that each one receives the packets that the other one sends. */
export function connect(
  [a, aAddress]: readonly [MemoryBfdTransport, string],
  [b, bAddress]: readonly [MemoryBfdTransport, string],
): void {
  const carry = (to: MemoryBfdTransport, source: string) => (key: SendKey, octets: Uint8Array) => {
    const port = to.ports.find((each) => each.key.port === key.port && !each.isClosed);
    port?.arrive(octets, formatIp(ipFromBytes(octetsOf(source))));
    port?.poll();
  };
  a.onSent = carry(b, aAddress);
  b.onSent = carry(a, bAddress);
}
