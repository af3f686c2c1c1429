/** The shell of the echo function of one session: its socket, its counters, and the check that a returned packet is ours. */
import { reasonOf } from '../result.ts';
import { decodeEcho, encodeEcho } from './codec/echo-packet.ts';
import type { BfdSessionSettings } from './session-settings.ts';
import type { BfdTransport, EchoKey, EchoSocket } from './transport/transport.ts';

export interface EchoFunctionOptions {
  readonly settings: BfdSessionSettings;
  readonly discriminator: number;
  /** 8 unpredictable octets. */
  readonly cookie: Uint8Array;
  readonly transport: Pick<BfdTransport, 'openEcho'>;
  readonly onReadable: () => void;
}

/**
 * Errors that say only that this node is short of memory or of room in a queue. Any other error, such as a MAC that the kernel has forgotten or a
 * link without a carrier, means that the path is broken: the packet counts as lost.
 */
const congestion: ReadonlySet<string> = new Set(['EAGAIN', 'ENOBUFS', 'ENOMEM']);

export class EchoFunction {
  readonly #options: EchoFunctionOptions;
  #socket: EchoSocket | undefined;
  #hadSocket = false;
  /** A sentence that says why Echo packets are not sent. */
  fault: string | undefined;
  sent = 0;
  received = 0;

  constructor(options: EchoFunctionOptions) {
    this.#options = options;
    this.maintain();
  }

  /** Opens the socket when it is missing, or when its interface or our address has been replaced. */
  maintain(): void {
    if (this.#socket && !this.#socket.isAlive()) this.close();
    if (this.#socket) return;
    const { peerAddress, interface: device, localAddress } = this.#options.settings;
    const key: EchoKey = {
      peerAddress,
      ...(device === undefined ? {} : { interface: device }),
      ...(localAddress === undefined ? {} : { localAddress }),
    };
    try {
      this.#socket = this.#options.transport.openEcho(key, this.#options.onReadable);
      this.#hadSocket = true;
      this.fault = undefined;
    } catch (error) {
      this.fault = reasonOf(error);
    }
  }

  /** Whether this node returns the Echo packets of the peer. */
  returnsEcho(): boolean {
    return this.#socket?.returnsEcho() ?? false;
  }

  /**
   * Returns whether the packet counts as missing until it comes back. A sent packet counts. An unsent packet counts too, unless the error is a
   * congestion error or the socket has never been open.
   */
  send(sequence: number): boolean {
    const { discriminator, cookie } = this.#options;
    if (!this.#socket) return this.#hadSocket;
    const refused = this.#socket.send(encodeEcho({ discriminator, sequence, cookie }, this.#socket.address));
    this.fault = refused === undefined ? undefined : `Echo packets are not sent: ${refused}`;
    if (refused !== undefined) return !congestion.has(refused);
    this.sent++;
    return true;
  }

  /** Reads what has arrived. `handle` gets the sequence number of each packet of this session. Returns whether more may wait. */
  read(limit: number, handle: (sequence: number) => void): boolean {
    const { discriminator, cookie } = this.#options;
    if (!this.#socket) return false;
    return this.#socket.drain(limit, (octets) => {
      const packet = decodeEcho(octets);
      if (!packet.ok || packet.value.discriminator !== discriminator) return;
      if (!Buffer.from(packet.value.cookie).equals(cookie)) return;
      this.received++;
      handle(packet.value.sequence);
    });
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}
