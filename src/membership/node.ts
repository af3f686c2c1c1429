import { randomBytes } from 'node:crypto';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import { systemRandom } from '../random.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Guard } from '../telemetry/guard.ts';
import type { Changes } from './change-log.ts';
import { Channel, type DatagramDrop, type Transmission } from './channel.ts';
import type { Endpoint } from './endpoint.ts';
import type { Keys } from './keyring.ts';
import { Membership } from './membership.ts';
import type { MembershipEvent } from './membership-event.ts';
import type { PayloadRecord, PayloadStore } from './payload.ts';
import { type DatagramSocket, openDatagramSocket } from './socket.ts';
import type { MembershipSettings } from './timing.ts';

export interface MembershipNodeOptions {
  readonly name: string;
  readonly port: number;
  readonly keys: Keys;
  readonly metadata: string;
  readonly payloads: PayloadStore;
  readonly settings?: Partial<MembershipSettings>;
  /** Catches an exception that a datagram causes, so that only that datagram is lost. */
  readonly guard: Guard;
  /** Receives each suspicion, refutation, death, join and departure, under the name `membership`. */
  readonly recorder?: FlightRecorder;
  readonly clock?: Clock;
  /** From 0 to below 1. */
  readonly random?: () => number;
  readonly randomOctets?: (length: number) => Buffer;
  /** Runs the callback once the sockets have been read. */
  readonly afterSockets?: (callback: () => void) => void;
  /** Called between the steps of long work. Answers the ARP and NDP frames that have arrived meanwhile. */
  readonly drainCaptures?: () => void;
  /** Called when members or `isSynced` have changed, or when another member has sent a newer payload record. */
  readonly changed: (changes: Omit<Changes, 'packets'>) => void;
  readonly count: (datagram: {
    readonly sent?: number;
    readonly received?: number;
    readonly dropped?: DatagramDrop;
  }) => void;
  /** Called when a listed speaker seals a datagram with a key that this node does not have. */
  readonly onUnknownKey?: (speaker: string) => void;
}

/** Records merged between two calls of `drainCaptures`. */
const recordsAtOnce = 100;

/** The shell around the membership machine: its socket, its timer, and the channel between socket and machine. */
export class MembershipNode {
  readonly #options: MembershipNodeOptions;
  readonly #clock: Clock;
  readonly #afterSockets: (callback: () => void) => void;
  readonly #channel: Channel;
  readonly machine: Membership;
  #socket: DatagramSocket | undefined;
  #timer: Timer | undefined;

  private constructor(options: MembershipNodeOptions) {
    const { name, port, keys, metadata, payloads, settings = {} } = options;
    const { clock = systemClock, random = systemRandom, randomOctets = randomBytes } = options;
    this.#options = options;
    this.#clock = clock;
    this.#afterSockets = options.afterSockets ?? setImmediate;
    this.machine = new Membership({
      ...{ name, port, metadata, payloads, settings, random },
      incarnation: clock.epochMs(),
    });
    this.#channel = new Channel({ name, keys, payloads, randomOctets });
  }

  /** Binds the port and joins. Rejects when the port is taken. */
  static async start(options: MembershipNodeOptions): Promise<MembershipNode> {
    const node = new MembershipNode(options);
    node.#socket = await openDatagramSocket(options.port, (datagram, source) => {
      options.count({ received: datagram.length });
      const input = {
        entrance: 'membership',
        source: `${source.host} ${source.port}`,
        octets: datagram,
      } as const;
      options.guard.run(input, () => node.#receive(datagram, source));
    });
    node.#wakeSoon();
    return node;
  }

  setKeys(keys: Keys): void {
    this.#channel.setKeys(keys, this.#clock.now());
  }

  /** Sets the speakers that Kubernetes lists. `isCertain` says that the list is complete. */
  setSpeakers(speakers: ReadonlyMap<string, readonly Endpoint[]>, isCertain = false): void {
    this.#channel.setListedHosts(
      new Set([...speakers.values()].flatMap((all) => all.map(({ host }) => host))),
    );
    this.#step((nowMs) => this.machine.setSpeakers(speakers, nowMs, isCertain));
  }

  setMetadata(metadata: string): void {
    this.#step((nowMs) => this.machine.setMetadata(metadata, nowMs));
  }

  /** Merges this node's own records and sends them to the others. */
  publish(records: readonly PayloadRecord[]): void {
    this.#step((nowMs) => {
      for (let at = 0; at < records.length; at += recordsAtOnce) {
        this.#options.drainCaptures?.();
        this.machine.publish(records.slice(at, at + recordsAtOnce), nowMs);
      }
    });
  }

  /** Tells the others that this node leaves, and closes the socket. */
  leave(): void {
    this.#step((nowMs) => this.machine.leave(nowMs));
    this.#timer?.cancel();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #receive(datagram: Buffer, source: Endpoint): void {
    const instant = { nowMs: this.#clock.now(), epochMs: this.#clock.epochMs() };
    const received = this.#channel.receive(datagram, source, instant, (name) =>
      this.machine.endpointsOf(name),
    );
    const { packet, dropped, transmissions } = received;
    if (dropped) this.#options.count({ dropped });
    if (dropped === 'unknown-key') this.#reportUnknownKey(source);
    this.#transmit(transmissions);
    if (packet) this.#step((nowMs) => this.machine.receive(packet, source, nowMs));
  }

  #reportUnknownKey({ host }: Endpoint): void {
    const speaker = this.machine.speakerAt(host);
    if (speaker !== undefined) this.#options.onUnknownKey?.(speaker);
  }

  /**
   * Wakes the machine only after the sockets have been read. After a pause, the event loop runs timers before it reads sockets. If a timer
   * woke the machine directly, the machine would consider members silent although their packets have arrived.
   */
  #wakeSoon(): void {
    this.#afterSockets(() => {
      if (this.#socket) this.#step((nowMs) => this.machine.wake(nowMs));
    });
  }

  #step(step: (nowMs: number) => void): void {
    const nowMs = this.#clock.now();
    step(nowMs);
    const { packets, ...changes } = this.machine.take();
    this.#record(changes.events);
    for (const name of changes.forgotten) this.#channel.forget(name);
    for (const { to, endpoint, packet } of packets) {
      this.#options.drainCaptures?.();
      this.#transmit(this.#channel.send(to, endpoint, packet, nowMs));
    }
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.machine.wakeAtMs() - this.#clock.now(), () => this.#wakeSoon());
    if (changes.members.size > 0 || changes.sync || changes.payloads.size > 0) this.#options.changed(changes);
  }

  #record(events: readonly MembershipEvent[]): void {
    const { recorder } = this.#options;
    if (!recorder || events.length === 0) return;
    const { liveCount, suspects, isSynced } = this.machine;
    const state = `${liveCount} live, ${suspects} of them suspect, ${isSynced ? 'synced' : 'not synced'}`;
    for (const event of events) recorder.record('membership', state, event, []);
  }

  #transmit(transmissions: readonly Transmission[]): void {
    for (const { datagram, endpoint } of transmissions) {
      this.#options.count({ sent: datagram.length });
      this.#socket?.send(datagram, endpoint);
    }
  }
}
