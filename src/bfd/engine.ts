/**
 * All BFD sessions of the node, in the BFD process: their sockets, one timer, and the path of a packet from a socket to its session.
 *
 *   receive sockets ──→ decode ──→ demultiplexer ──→ session ──→ its send socket
 *                                                       ↑
 *   one timer, at the earliest time that a session needs
 *
 * Late timers must not kill a session. The event loop runs timers before it reads sockets, so after a pause the timer of a Detection Time
 * may fire while the packets that refute it wait in the socket. The engine therefore reads all sockets before a session judges its peer.
 */
import { formatIp, ipFromBytes } from '../address/index.ts';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { ok, type Result } from '../result.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Guard } from '../telemetry/guard.ts';
import { decodePacket } from './codec/packet.ts';
import { decodePassedSession, encodePassedSession, type PassedSession } from './codec/passed-session.ts';
import {
  findSession,
  listenKeyOf,
  listenKeyText,
  mayReceive,
  minimumTtlOf,
  pathOf,
} from './demultiplexer.ts';
import { type Floor, floors } from './floor.ts';
import { Lateness } from './lateness.ts';
import type { BfdChange, BfdDropReason, BfdProcessStatus, BfdSessionStatus } from './messages.ts';
import type { Scheduling } from './scheduling.ts';
import { BfdSession } from './session.ts';
import type { BfdSessionSettings } from './session-settings.ts';
import type { BfdTransport, ListenKey, ReceivePort } from './transport/transport.ts';

export interface EngineOptions {
  readonly transport: BfdTransport;
  readonly scheduling: Scheduling;
  readonly guard: Guard;
  readonly recorder: FlightRecorder;
  readonly logger: Logger;
  readonly onChange: (change: BfdChange) => void;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Unpredictable octets. */
  readonly randomOctets: (length: number) => Uint8Array;
  /** Gives the rest of the node a moment when packets arrive faster than they can be handled. */
  readonly pause: () => void;
  readonly clock?: Clock;
}

/** Packets that are read from one socket in one go. They take about a millisecond. */
const packetsAtOnce = 256;
/** Packets that are read from one socket before a peer is called silent. */
const packetsBeforeJudgement = 4096;
/** How often the engine tries again to open a socket that it could not open, and looks for replaced interfaces. */
const maintenanceMs = 1000;
/** After this time, the filter against a flood is taken away. A flood that lasts brings it back within milliseconds. */
const shieldMs = 5000;
/** A session that was removed goes on for at most this long, to tell the peer. */
const maxFarewellMs = 5000;
const minFarewellMs = 1000;
/** When the process ends, it waits this long for the second AdminDown packet. */
const stopMs = 1000;

/** A receive socket and its sessions. */
interface Port {
  readonly key: ListenKey;
  /** The sessions for which the socket is open. */
  readonly sessions: Set<BfdSession>;
  /** The sessions whose packets can arrive on it. */
  receivers: ReadonlySet<BfdSession>;
  /** Present while a flood is kept out. */
  shield: Timer | undefined;
  socket: ReceivePort | undefined;
}

export class BfdEngine {
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #floor: Floor;
  readonly #lateness = new Lateness();
  /** By peer id. */
  readonly #sessions = new Map<string, BfdSession>();
  /** Removed sessions that still tell their peers AdminDown. */
  readonly #leaving = new Map<BfdSession, Timer>();
  /** `#sessions` and `#leaving` in one list; `undefined` after a change. It is kept because every wake-up goes through it. */
  #allSessions: readonly BfdSession[] | undefined;
  readonly #byDiscriminator = new Map<number, BfdSession>();
  readonly #ports = new Map<string, Port>();
  /** Sessions of an earlier process, by path. */
  readonly #inherited = new Map<string, PassedSession>();
  readonly #dropped: Partial<Record<BfdDropReason, number>> = {};
  /** Packets that the kernel dropped at sockets that are closed. */
  #droppedByClosed = 0;
  readonly #timerFired = () => this.#wake();
  #timer: Timer | undefined;
  #maintenance: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#floor = options.scheduling.scheduling === 'fifo' ? floors.realtime : floors.ordinary;
    this.#maintain();
  }

  setSessions(wanted: readonly BfdSessionSettings[]): void {
    const ids = new Set(wanted.map(({ id }) => id));
    for (const [id, session] of this.#sessions) if (!ids.has(id)) this.#remove(id, session);
    for (const settings of wanted) {
      const present = this.#sessions.get(settings.id);
      if (present && identityOf(present.settings) === identityOf(settings))
        this.#configure(present, settings);
      else {
        if (present) this.#remove(settings.id, present);
        this.#add(settings);
      }
    }
    this.#setTimer();
  }

  /** The sessions that are Up, for a successor of this process. They go on here until `letGo`. */
  passOn(): Uint8Array[] {
    return [...this.#sessions.values()].flatMap((session) => {
      const passed = session.passOn();
      return passed ? [encodePassedSession(passed)] : [];
    });
  }

  /** Closes all sessions without a packet, because the successor has them. */
  letGo(): void {
    for (const session of [...this.#sessions.values(), ...this.#leaving.keys()]) this.#forget(session);
    this.#sessions.clear();
    this.#sessionsChanged();
    this.#timer?.cancel();
    this.#maintenance?.cancel();
  }

  /**
   * Accepts the sessions that an earlier process passed on. Each of them goes on as soon as `setSessions` contains it. Returns their number,
   * or why one of them cannot be read.
   */
  inherit(items: readonly Uint8Array[]): Result<number, string> {
    const sessions: PassedSession[] = [];
    for (const octets of items) {
      const passed = decodePassedSession(octets);
      if (!passed.ok) return passed;
      sessions.push(passed.value);
    }
    for (const session of sessions) this.#inherited.set(session.path, session);
    return ok(sessions.length);
  }

  /** Forgets the inherited sessions that no `setSessions` has contained. */
  disinherit(): void {
    this.#inherited.clear();
  }

  status(): readonly BfdSessionStatus[] {
    const nowMs = this.#clock.now();
    return [...this.#sessions.values()].map((session) => session.status(nowMs));
  }

  processStatus(): Omit<BfdProcessStatus, 'inputFailures' | 'lostLogLines'> {
    let ttl = this.#droppedByClosed;
    for (const { socket } of this.#ports.values()) ttl += socket?.droppedByKernel() ?? 0;
    return {
      ...this.#options.scheduling,
      ...this.#floor,
      lateness: this.#lateness.report(),
      dropped: { ...this.#dropped, ...(ttl > 0 ? { ttl } : {}) },
    };
  }

  /** Tells all peers AdminDown. Resolves when they had time to receive it. */
  async stop(): Promise<void> {
    const wereUp = [...this.#sessions.values()].filter(({ machine }) => machine.state === 'Up');
    for (const session of this.#sessions.values()) session.setAdminDown(true);
    if (wereUp.length > 0) await new Promise<void>((resolve) => void this.#clock.after(stopMs, resolve));
    for (const session of [...this.#sessions.values(), ...this.#leaving.keys()]) this.#forget(session);
    this.#sessions.clear();
    this.#allSessions = undefined;
    this.#timer?.cancel();
    this.#maintenance?.cancel();
  }

  #add(settings: BfdSessionSettings): void {
    const returning = [...this.#leaving.keys()].find(
      (session) => identityOf(session.settings) === identityOf(settings),
    );
    if (returning) {
      this.#leaving.get(returning)?.cancel();
      this.#leaving.delete(returning);
      this.#sessions.set(settings.id, returning);
      this.#sessionsChanged();
      this.#configure(returning, settings);
      returning.setAdminDown(false);
      return;
    }
    this.#endFarewells(settings);
    const { transport, recorder, logger, onChange, random } = this.#options;
    const inherited = this.#inherited.get(pathOf(settings));
    this.#inherited.delete(pathOf(settings));
    const session = new BfdSession({
      settings,
      localDiscriminator: inherited?.remote.yourDiscriminator ?? this.#newDiscriminator(),
      ...(inherited ? { inherited } : {}),
      floor: this.#floor,
      clock: this.#clock,
      ...{ random, transport, recorder, logger, onChange },
      lateness: this.#lateness,
      echoCookie: this.#options.randomOctets(8),
      onEcho: (from) => this.#readEcho(from),
    });
    this.#sessions.set(settings.id, session);
    this.#byDiscriminator.set(session.machine.localDiscriminator, session);
    this.#join(session);
    if (inherited) session.wentOn();
  }

  /**
   * The peer has one session for a path (RFC 5881 section 2). So AdminDown packets of a session that leaves would take down the new session
   * on the same path.
   */
  #endFarewells(settings: BfdSessionSettings): void {
    const own = listenKeyOf(settings);
    for (const session of [...this.#leaving.keys()])
      if (
        session.settings.peerAddress === settings.peerAddress &&
        mayReceive(listenKeyOf(session.settings), own)
      )
        this.#forget(session);
  }

  #configure(session: BfdSession, settings: BfdSessionSettings): void {
    if (JSON.stringify(session.settings) === JSON.stringify(settings)) return;
    session.configure(settings);
    this.#updateReceivers();
  }

  #remove(id: string, session: BfdSession): void {
    this.#sessions.delete(id);
    const farewellMs = Math.min(maxFarewellMs, Math.max(minFarewellMs, session.peerDetectionMs));
    session.setAdminDown(true);
    this.#leaving.set(
      session,
      this.#clock.after(farewellMs, () => this.#forget(session)),
    );
    this.#sessionsChanged();
  }

  #forget(session: BfdSession): void {
    this.#leaving.get(session)?.cancel();
    this.#leaving.delete(session);
    this.#byDiscriminator.delete(session.machine.localDiscriminator);
    session.close();
    const text = listenKeyText(listenKeyOf(session.settings));
    const port = this.#ports.get(text);
    port?.sessions.delete(session);
    if (port?.sessions.size === 0) {
      this.#closeSocket(port);
      this.#ports.delete(text);
    }
    this.#sessionsChanged();
  }

  #newDiscriminator(): number {
    for (;;) {
      const candidate = Buffer.from(this.#options.randomOctets(4)).readUInt32BE();
      if (candidate !== 0 && !this.#byDiscriminator.has(candidate)) return candidate;
    }
  }

  #join(session: BfdSession): void {
    const port = this.#portFor(session.settings);
    port.sessions.add(session);
    this.#open(port);
    this.#sessionsChanged();
  }

  #portFor(settings: BfdSessionSettings): Port {
    const key = listenKeyOf(settings);
    const text = listenKeyText(key);
    const port = this.#ports.get(text) ?? {
      key,
      sessions: new Set<BfdSession>(),
      receivers: new Set<BfdSession>(),
      shield: undefined,
      socket: undefined,
    };
    this.#ports.set(text, port);
    return port;
  }

  /** Opens the port's socket when it is missing, or when its interface has been replaced. */
  #open(port: Port): void {
    if (port.socket && !port.socket.isAlive()) this.#closeSocket(port);
    let fault: string | undefined;
    try {
      port.socket ??= this.#options.transport.listen(port.key, () => this.#read(port));
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error);
    }
    for (const session of port.sessions) session.setReceiveFault(fault);
    this.#updateFilter(port);
  }

  /** Call it after every change of `#sessions` and `#leaving`. */
  #sessionsChanged(): void {
    this.#allSessions = undefined;
    this.#updateReceivers();
  }

  #updateReceivers(): void {
    const all = this.#all();
    for (const port of this.#ports.values()) {
      const others = all.filter((session) => mayReceive(port.key, listenKeyOf(session.settings)));
      port.receivers = new Set([...port.sessions, ...others]);
      this.#updateFilter(port);
    }
  }

  /**
   * The sessions of a socket share its filter, so the smallest minimum of them applies. During a flood, only packets with our discriminators
   * pass, and those with none while a session that is not Up may need them.
   */
  #updateFilter({ socket, receivers, shield }: Port): void {
    const machines = [...receivers].map(({ machine }) => machine);
    const minimumTtl = Math.min(255, ...[...receivers].map(({ settings }) => minimumTtlOf(settings.mode)));
    const known = machines.map(({ localDiscriminator }) => localDiscriminator);
    const discriminators = machines.every(({ state }) => state === 'Up') ? known : [...known, 0];
    socket?.setFilter({ minimumTtl, ...(shield ? { discriminators } : {}) });
  }

  /** More packets arrive than can be handled. The kernel keeps out those that no session expects, for a while. */
  #raiseShield(port: Port): void {
    if (port.shield) return;
    this.#options.logger.warn(
      { port: port.key.port },
      'more BFD packets arrive than can be handled; only those of known sessions pass for a while',
    );
    port.shield = this.#clock.after(shieldMs, () => {
      port.shield = undefined;
      this.#updateFilter(port);
    });
    this.#updateFilter(port);
  }

  #closeSocket(port: Port): void {
    this.#droppedByClosed += port.socket?.droppedByKernel() ?? 0;
    port.socket?.close();
    port.socket = undefined;
    port.shield?.cancel();
    port.shield = undefined;
  }

  #maintain(): void {
    for (const port of this.#ports.values()) this.#open(port);
    for (const session of this.#sessions.values()) session.maintain();
    this.#maintenance = this.#clock.after(maintenanceMs, () => this.#maintain());
  }

  #read(port: Port, limit = packetsAtOnce): void {
    const hasMore = port.socket?.drain(limit, (octets, source) => this.#receive(port, octets, source));
    if (!hasMore) return;
    this.#raiseShield(port);
    this.#options.pause();
  }

  #receive(port: Port, octets: Uint8Array, source: Uint8Array): void {
    const input = {
      entrance: 'bfd',
      // Thousands of packets arrive in a second, and the text is needed only for a failure.
      get source() {
        return sourceText(source);
      },
      octets,
    } as const;
    this.#options.guard.run(input, () => {
      const packet = decodePacket(octets);
      if (!packet.ok) return this.#countDrop('malformed');
      const found = findSession(packet.value, source, port.receivers, this.#byDiscriminator);
      if ('session' in found) {
        found.session.receive(packet.value, octets);
        this.#setTimerFor(found.session);
      } else if (found.reason === 'wrong-source')
        found.claimed.dropped('wrong-source', `the packet comes from ${sourceText(source)}`);
      else this.#countDrop(found.reason);
    });
  }

  #readEcho(session: BfdSession, limit = packetsAtOnce): void {
    this.#options.guard.run({ entrance: 'bfd', source: session.settings.peerAddress }, () => {
      if (session.readEcho(limit)) this.#options.pause();
      this.#setTimerFor(session);
    });
  }

  #countDrop(reason: BfdDropReason): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }

  #wake(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const firedAtMs = this.#clock.now();
    if (this.#all().some(({ machine }) => machine.isDetectionDue(firedAtMs))) {
      for (const port of this.#ports.values()) this.#read(port, packetsBeforeJudgement);
      for (const session of this.#sessions.values()) this.#readEcho(session, packetsBeforeJudgement);
    }
    const nowMs = this.#clock.now();
    for (const session of this.#all()) session.wake(nowMs);
    this.#setTimer();
  }

  #all(): readonly BfdSession[] {
    this.#allSessions ??= [...this.#sessions.values(), ...this.#leaving.keys()];
    return this.#allSessions;
  }

  #setTimer(): void {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { machine } of this.#all()) earliestMs = Math.min(earliestMs, machine.wakeAtMs);
    this.#moveTimer(earliestMs);
  }

  /** A timer that fires too early only finds nothing to do. So it needs to move only when a session wants it earlier. */
  #setTimerFor({ machine }: BfdSession): void {
    if (machine.wakeAtMs < this.#timerAtMs) this.#moveTimer(machine.wakeAtMs);
  }

  #moveTimer(atMs: number): void {
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = Number.isFinite(atMs)
      ? this.#clock.after(atMs - this.#clock.now(), this.#timerFired)
      : undefined;
  }
}

/** Settings that cannot change within a session. */
function identityOf({ id, peerAddress, localAddress, interface: device, mode }: BfdSessionSettings): string {
  return JSON.stringify([id, peerAddress, localAddress, device, mode.kind]);
}

function sourceText(source: Uint8Array): string {
  return formatIp(ipFromBytes(source));
}
