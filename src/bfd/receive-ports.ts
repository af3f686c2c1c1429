/**
 * The receive sockets of all BFD sessions. Sessions with the same listen key share one socket, which is closed with the last of them.
 *
 * The kernel filters the packets of a socket: by TTL always, and by discriminator during a flood, when more packets arrive than can be handled.
 * It has little memory for filters (net.core.optmem_max). Where a filter does not fit, a simpler one lets more packets through.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import type { BfdState } from './codec/state.ts';
import { listenKeyOf, listenKeyText, mayReceive, minimumTtlOf } from './demultiplexer.ts';
import type { BfdSessionSettings } from './session-settings.ts';
import type { BfdTransport, ListenKey, PacketFilter, ReceivePort } from './transport/transport.ts';

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
  /** Called after a read that reached its limit. More packets may then wait in the socket. */
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
  /** The sessions whose packets can arrive on the socket. Those of `sessions` come first. */
  receivers: ReadonlySet<Session>;
  /** Present while a flood is kept out. */
  shield: Timer | undefined;
  socket: ReceivePort | undefined;
  /** The filter that `receivers` need, as text. The socket has this filter, or a simpler one that fits. `undefined` while it has neither. */
  filter: string | undefined;
  /** Says how much the simpler filter checks, when the kernel had no room for the whole one. */
  checks: string | undefined;
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
      filter: undefined,
      checks: undefined,
    };
    this.#ports.set(text, port);
    return port;
  }

  #open(port: Port<Session>): void {
    if (port.socket && !port.socket.isAlive()) this.#close(port);
    let fault: string | undefined;
    try {
      port.socket ??= this.#options.transport.listen(port.key, () => this.#read(port, packetsAtOnce));
      fault = this.#updateFilter(port);
    } catch (error) {
      fault = reasonOf(error);
    }
    for (const session of port.sessions) session.setReceiveFault(fault);
  }

  #close(port: Port<Session>): void {
    this.#droppedByClosed += port.socket?.droppedByKernel() ?? 0;
    port.socket?.close();
    port.socket = undefined;
    port.filter = undefined;
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

  /** Attaches the best filter that the kernel has room for. Returns why it has room for none. */
  #updateFilter(port: Port<Session>): string | undefined {
    const { key, receivers, shield, socket } = port;
    const wanted = filterOf(receivers, shield !== undefined);
    const text = JSON.stringify(wanted);
    if (!socket || port.filter === text) return undefined;
    const { discriminators: _, ...withoutDiscriminators } = wanted;
    const filters: readonly (readonly [PacketFilter, checks: string | undefined])[] = [
      [wanted, undefined],
      [withoutDiscriminators, 'only the TTL'],
      [{ minimumTtl: wanted.minimumTtl }, 'only the smallest minimum-ttl'],
    ];
    port.filter = undefined;
    let reason: string | undefined;
    for (const [filter, checks] of filters)
      try {
        socket.setFilter(filter);
        // While `checks` stays the same, one warning is enough: a change of a session brings another filter, which often does not fit either.
        if (checks !== undefined && checks !== port.checks)
          this.#options.logger.warn(
            { port: key.port, reason: `${reason}; the simpler filter checks ${checks}` },
            'the kernel has no room for the filter of BFD packets; a simpler one lets more packets through',
          );
        port.filter = text;
        port.checks = checks;
        return undefined;
      } catch (error) {
        reason = reasonOf(error);
      }
    return `the kernel has no room for the filter of BFD packets: ${reason}`;
  }

  /** More packets arrive than can be handled. The kernel keeps out those that no session expects, for a while. */
  #raiseShield(port: Port<Session>): void {
    if (port.shield) return;
    const { clock, logger } = this.#options;
    logger.warn(
      { port: port.key.port },
      'more BFD packets arrive than can be handled; for a while, only those with a known discriminator pass, and those with discriminator 0 while any session of the port is not Up',
    );
    port.shield = clock.after(shieldMs, () => {
      port.shield = undefined;
      this.#updateFilter(port);
    });
    this.#updateFilter(port);
  }
}

/**
 * The sessions of a socket share its filter. A packet needs the smallest minimum TTL of the sessions with its sender. During a flood, it passes
 * only when its Your Discriminator is one of ours. While at least one session is not Up, 0 passes too, because that session may need the packet.
 */
function filterOf(receivers: ReadonlySet<Receiver>, isFlooded: boolean): PacketFilter {
  const ttls = new Map<string, number>();
  for (const { peerAddress, mode } of [...receivers].map(({ settings }) => settings))
    ttls.set(peerAddress, Math.min(ttls.get(peerAddress) ?? 255, minimumTtlOf(mode)));
  const minimumTtl = Math.min(255, ...ttls.values());
  const peerMinimumTtls = [...ttls]
    .filter(([, ttl]) => ttl > minimumTtl)
    .map(([peerAddress, ttl]) => ({ peerAddress, minimumTtl: ttl }));
  const machines = [...receivers].map(({ machine }) => machine);
  const known = machines.map(({ localDiscriminator }) => localDiscriminator);
  const discriminators = machines.every(({ state }) => state === 'Up') ? known : [...known, 0];
  return {
    minimumTtl,
    ...(peerMinimumTtls.length > 0 ? { peerMinimumTtls } : {}),
    ...(isFlooded ? { discriminators } : {}),
  };
}
