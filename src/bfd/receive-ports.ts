/**
 * The receive sockets of all BFD sessions. Sessions with the same listen key share one socket, which is closed with the last of them.
 *
 * The kernel filters the packets of a socket: by TTL always, and by discriminator during a flood, when more packets arrive than can be handled.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import type { BfdState } from './codec/state.ts';
import { listenKeyOf, listenKeyText, mayReceive, minimumTtlOf } from './demultiplexer.ts';
import type { BfdSessionSettings } from './session-settings.ts';
import type { BfdTransport, ListenKey, ReceivePort } from './transport/transport.ts';

/** The part of a session that its receive socket needs. */
export interface Receiver {
  readonly settings: BfdSessionSettings;
  readonly machine: { readonly localDiscriminator: number; readonly state: BfdState };
  /** `fault` says why nothing can be received; `undefined` when packets can be received. */
  setReceiveFault(fault: string | undefined): void;
}

export interface ReceivePortsOptions<Session> {
  readonly transport: Pick<BfdTransport, 'listen'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `octets` and `source` are valid until the function returns. `receivers` are the sessions to which the packet may belong. */
  readonly onPacket: (octets: Uint8Array, source: Uint8Array, receivers: ReadonlySet<Session>) => void;
  /** Called after a read that left packets in the socket. */
  readonly pause: () => void;
}

/** Packets that are read from one socket in one go. They take about a millisecond. */
export const packetsAtOnce = 256;
/** After this time, the filter against a flood is taken away. A flood that lasts brings it back within milliseconds. */
const shieldMs = 5000;

/** A socket and its sessions. */
interface Port<Session> {
  readonly key: ListenKey;
  /** The sessions for which the socket is open. */
  readonly sessions: Set<Session>;
  /** The sessions whose packets can arrive on it, those of `sessions` first. */
  receivers: ReadonlySet<Session>;
  /** Present while a flood is kept out. */
  shield: Timer | undefined;
  socket: ReceivePort | undefined;
}

export class ReceivePorts<Session extends Receiver> {
  readonly #options: ReceivePortsOptions<Session>;
  readonly #ports = new Map<string, Port<Session>>();
  /** Packets that the kernel dropped at sockets that are closed. */
  #droppedByClosed = 0;

  constructor(options: ReceivePortsOptions<Session>) {
    this.#options = options;
  }

  /** Opens the session's socket, unless another session has it open. Call `setSessions` afterwards. */
  join(session: Session): void {
    const port = this.#portFor(session.settings);
    port.sessions.add(session);
    this.#open(port);
  }

  /** Closes the session's socket, unless another session needs it. Call `setSessions` afterwards. */
  leave(session: Session): void {
    const text = listenKeyText(listenKeyOf(session.settings));
    const port = this.#ports.get(text);
    port?.sessions.delete(session);
    if (port?.sessions.size !== 0) return;
    this.#close(port);
    this.#ports.delete(text);
  }

  /** Sets all sessions that may receive. Call it after every change of them or of their settings. */
  setSessions(all: readonly Session[]): void {
    for (const port of this.#ports.values()) {
      const others = all.filter((session) => mayReceive(port.key, listenKeyOf(session.settings)));
      port.receivers = new Set([...port.sessions, ...others]);
      this.#updateFilter(port);
    }
  }

  /** Opens sockets that could not be opened, or whose interface has been replaced. Brings all filters up to date. */
  maintain(): void {
    for (const port of this.#ports.values()) this.#open(port);
  }

  /** Reads what has arrived on all sockets, at most `limit` packets from each. */
  read(limit: number): void {
    for (const port of this.#ports.values()) this.#read(port, limit);
  }

  /** Packets that the kernel has dropped since the start. */
  droppedByKernel(): number {
    let dropped = this.#droppedByClosed;
    for (const { socket } of this.#ports.values()) dropped += socket?.droppedByKernel() ?? 0;
    return dropped;
  }

  #portFor(settings: BfdSessionSettings): Port<Session> {
    const key = listenKeyOf(settings);
    const text = listenKeyText(key);
    const port = this.#ports.get(text) ?? {
      key,
      sessions: new Set<Session>(),
      receivers: new Set<Session>(),
      shield: undefined,
      socket: undefined,
    };
    this.#ports.set(text, port);
    return port;
  }

  #open(port: Port<Session>): void {
    if (port.socket && !port.socket.isAlive()) this.#close(port);
    let fault: string | undefined;
    try {
      port.socket ??= this.#options.transport.listen(port.key, () => this.#read(port, packetsAtOnce));
    } catch (error) {
      fault = reasonOf(error);
    }
    for (const session of port.sessions) session.setReceiveFault(fault);
    this.#updateFilter(port);
  }

  #close(port: Port<Session>): void {
    this.#droppedByClosed += port.socket?.droppedByKernel() ?? 0;
    port.socket?.close();
    port.socket = undefined;
    port.shield?.cancel();
    port.shield = undefined;
  }

  #read(port: Port<Session>, limit: number): void {
    const { onPacket, pause } = this.#options;
    const hasMore = port.socket?.drain(limit, (octets, source) => onPacket(octets, source, port.receivers));
    if (!hasMore) return;
    this.#raiseShield(port);
    pause();
  }

  /**
   * The sessions of a socket share its filter, so the smallest of their minimum TTLs applies. During a flood, a packet passes only when its Your
   * Discriminator is one of ours. While at least one session is not Up, 0 passes too, because that session may need the packet.
   */
  #updateFilter({ socket, receivers, shield }: Port<Session>): void {
    const machines = [...receivers].map(({ machine }) => machine);
    const minimumTtl = Math.min(255, ...[...receivers].map(({ settings }) => minimumTtlOf(settings.mode)));
    const known = machines.map(({ localDiscriminator }) => localDiscriminator);
    const discriminators = machines.every(({ state }) => state === 'Up') ? known : [...known, 0];
    socket?.setFilter({ minimumTtl, ...(shield ? { discriminators } : {}) });
  }

  /** More packets arrive than can be handled. The kernel keeps out those that no session expects, for a while. */
  #raiseShield(port: Port<Session>): void {
    if (port.shield) return;
    const { clock, logger } = this.#options;
    logger.warn(
      { port: port.key.port },
      'more BFD packets arrive than can be handled; for a while, only those with a known discriminator pass, and those with discriminator 0 while a session is not Up',
    );
    port.shield = clock.after(shieldMs, () => {
      port.shield = undefined;
      this.#updateFilter(port);
    });
    this.#updateFilter(port);
  }
}
