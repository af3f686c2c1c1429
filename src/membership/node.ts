import { type Clock, systemClock, type Timer } from '../clock.ts';
import { Channel, type DatagramDrop } from './channel.ts';
import { type Changes, Membership } from './membership.ts';
import type { Endpoint } from './packet.ts';
import type { PayloadRecord, PayloadStore } from './payload.ts';
import { type DatagramSocket, openDatagramSocket } from './socket.ts';
import type { MembershipSettings } from './timing.ts';

export interface MembershipNodeOptions {
  readonly name: string;
  readonly port: number;
  readonly keys: readonly [Uint8Array, ...Uint8Array[]];
  readonly metadata: string;
  readonly payloads: PayloadStore;
  readonly settings?: Partial<MembershipSettings>;
  readonly clock?: Clock;
  /** Called again and again in long work. */
  readonly breathe?: () => void;
  /** The view or the payload records have changed. */
  readonly changed: (changes: Omit<Changes, 'packets'>) => void;
  readonly count: (what: {
    readonly sent?: number;
    readonly received?: number;
    readonly dropped?: DatagramDrop;
  }) => void;
}

/** Between two breaths. */
const recordsAtOnce = 100;

/** The membership machine with its socket and its timer. */
export class MembershipNode {
  readonly #options: MembershipNodeOptions;
  readonly #clock: Clock;
  readonly #channel: Channel;
  readonly machine: Membership;
  #socket: DatagramSocket | undefined;
  #timer: Timer | undefined;

  private constructor(options: MembershipNodeOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { name, port, metadata, payloads, settings = {}, count } = options;
    this.machine = new Membership({
      ...{ name, metadata, payloads, settings, random: Math.random },
      incarnation: Date.now(),
      endpoint: { host: '', port },
    });
    this.#channel = new Channel(options.keys, {
      name,
      payloads,
      transmit: (datagram, endpoint) => {
        count({ sent: datagram.length });
        this.#socket?.send(datagram, endpoint);
      },
      deliver: (packet, source) => this.#do((now) => this.machine.receive(packet, source, now)),
      drop: (dropped) => count({ dropped }),
    });
  }

  /** Binds the port and begins. Rejects when it is taken. */
  static async start(options: MembershipNodeOptions): Promise<MembershipNode> {
    const node = new MembershipNode(options);
    node.#socket = await openDatagramSocket(options.port, (datagram, source) => {
      options.count({ received: datagram.length });
      node.#channel.receive(datagram, source);
    });
    node.#wake();
    return node;
  }

  setKeys(keys: readonly [Uint8Array, ...Uint8Array[]]): void {
    this.#channel.setKeys(keys);
  }

  know(speakers: ReadonlyMap<string, readonly Endpoint[]>): void {
    this.#do((now) => this.machine.know(speakers, now));
  }

  setMetadata(metadata: string): void {
    this.#do((now) => this.machine.setMetadata(metadata, now));
  }

  publish(records: readonly PayloadRecord[]): void {
    this.#do((now) => {
      for (let at = 0; at < records.length; at += recordsAtOnce) {
        this.#options.breathe?.();
        this.machine.publish(records.slice(at, at + recordsAtOnce), now);
      }
    });
  }

  /** Says goodbye and closes. */
  leave(): void {
    this.#do((now) => this.machine.leave(now));
    this.#timer?.cancel();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #wake(): void {
    // Timers come before sockets in a turn: after a pause, what has arrived meanwhile must be read before anybody is judged.
    setImmediate(() => {
      if (this.#socket) this.#do((now) => this.machine.wake(now));
    });
  }

  #do(step: (now: number) => void): void {
    step(this.#clock.now());
    const { packets, ...changes } = this.machine.take();
    for (const { to, endpoint, packet } of packets) {
      this.#options.breathe?.();
      this.#channel.send(to, endpoint, packet);
    }
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.machine.wakeAt() - this.#clock.now(), () => this.#wake());
    if (changes.members || changes.payloads.size > 0) this.#options.changed(changes);
  }
}
