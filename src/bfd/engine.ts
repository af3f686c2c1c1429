/**
 * All BFD sessions of the node, in the BFD process: one timer, and the path of a packet from a socket to its session.
 *
 *   ReceivePorts ──→ decode ──→ demultiplexer ──→ session ──→ its send socket
 *                                                    ↑
 *   one timer, at the earliest time that a session needs
 *
 * Late timers must not kill a session. The event loop runs timers before it reads sockets, so after a pause the timer of a Detection Time
 * may fire while packets of the peer still wait in the socket. The engine therefore reads all sockets before a session judges its peer.
 */
import { formatIp, ipFromBytes } from '../address/index.ts';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { fail, ok, type Result } from '../result.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Guard } from '../telemetry/guard.ts';
import { decodePacket } from './codec/packet.ts';
import { decodePassedSession, encodePassedSession, type PassedSession } from './codec/passed-session.ts';
import { findSession, listenKeyOf, mayReceive, pathOf } from './demultiplexer.ts';
import { type Floor, floors } from './floor.ts';
import { Lateness } from './lateness.ts';
import {
  type BfdChange,
  type BfdDropReason,
  type BfdProcessStatus,
  type BfdSessionStatus,
  bfdMachine,
} from './messages.ts';
import { packetsAtOnce, ReceivePorts } from './receive-ports.ts';
import type { Scheduling } from './scheduling.ts';
import { BfdSession } from './session.ts';
import type { BfdSessionSettings } from './session-settings.ts';
import type { BfdTransport } from './transport/transport.ts';

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
  /** Lets other processes of the node run for a moment when packets arrive faster than they can be handled. */
  readonly pause: () => void;
  readonly clock?: Clock;
}

/** At most this many packets are read from each socket before a session judges whether its peer is silent. */
const packetsBeforeJudgement = 4096;
/** How often the engine tries again to open a socket that it could not open, and looks for replaced interfaces. */
const maintenanceMs = 1000;
/** A removed session goes on for at most this long, to tell its peer AdminDown. */
const maxFarewellMs = 5000;
const minFarewellMs = 1000;
/** When the process ends, it waits this long, so that each session can send AdminDown a second time. The first packet may be lost. */
const stopMs = 1000;

export class BfdEngine {
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #floor: Floor;
  readonly #lateness = new Lateness();
  /** By id of the session. */
  readonly #sessions = new Map<string, BfdSession>();
  /** Removed sessions that still tell their peers AdminDown. */
  readonly #leaving = new Map<BfdSession, Timer>();
  /** `#sessions` and `#leaving` in one list; `undefined` after a change. The list is kept because every wake-up goes through it. */
  #allSessions: readonly BfdSession[] | undefined;
  readonly #byDiscriminator = new Map<number, BfdSession>();
  readonly #ports: ReceivePorts<BfdSession>;
  /** Sessions of an earlier process, by path. */
  readonly #inherited = new Map<string, PassedSession>();
  #mayInherit = true;
  readonly #dropped: Partial<Record<BfdDropReason, number>> = {};
  readonly #timerFired = () => this.#wake();
  #timer: Timer | undefined;
  #maintenance: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#floor = options.scheduling.scheduling === 'fifo' ? floors.realtime : floors.ordinary;
    const { transport, logger, pause } = options;
    this.#ports = new ReceivePorts({
      ...{ transport, logger, pause, clock: this.#clock },
      onPacket: (octets, source, receivers) => this.#receive(octets, source, receivers),
    });
    this.#maintain();
  }

  setSessions(wanted: readonly BfdSessionSettings[]): void {
    const names = new Map(wanted.map(({ id, name }) => [id, name]));
    for (const [id, session] of this.#sessions) if (!names.has(id)) this.#remove(id, session);
    // Sessions may swap names, so the traces of all old names are forgotten before any session records under a new name.
    for (const { settings } of this.#all())
      if ((names.get(settings.id) ?? settings.name) !== settings.name)
        this.#options.recorder.forget(bfdMachine(settings.name));
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

  /** Closes all sessions and sends nothing to the peers, because the successor has the sessions. */
  letGo(): void {
    for (const session of [...this.#sessions.values(), ...this.#leaving.keys()]) this.#forget(session);
    this.#sessions.clear();
    this.#sessionsChanged();
    this.#timer?.cancel();
    this.#maintenance?.cancel();
  }

  /**
   * Accepts the sessions that an earlier process passed on. Each of them goes on as soon as a call of `setSessions` contains it. Returns their
   * number, or why all of them are refused.
   */
  inherit(items: readonly Uint8Array[]): Result<number, string> {
    if (!this.#mayInherit) return fail('they come too late: this process has begun its own sessions');
    const sessions: PassedSession[] = [];
    for (const octets of items) {
      const passed = decodePassedSession(octets);
      if (!passed.ok) return passed;
      sessions.push(passed.value);
    }
    for (const session of sessions) this.#inherited.set(session.path, session);
    return ok(sessions.length);
  }

  /**
   * Forgets the inherited sessions that no call of `setSessions` has contained yet, and accepts no more. If such a session went on much later,
   * it would begin in the state Up, although the peer would have given it up by then.
   */
  disinherit(): void {
    this.#mayInherit = false;
    this.#inherited.clear();
  }

  status(): readonly BfdSessionStatus[] {
    const nowMs = this.#clock.now();
    return [...this.#sessions.values()].map((session) => session.status(nowMs));
  }

  processStatus(): Omit<BfdProcessStatus, 'inputFailures' | 'lostLogLines'> {
    const ttl = this.#ports.droppedByKernel();
    return {
      ...this.#options.scheduling,
      ...this.#floor,
      lateness: this.#lateness.report(),
      dropped: { ...this.#dropped, ...(ttl > 0 ? { ttl } : {}) },
    };
  }

  /** Tells all peers AdminDown. Resolves when they have had time to receive it. */
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
    this.#ports.join(session);
    this.#sessionsChanged();
    if (inherited) session.wentOn();
  }

  /**
   * Ends the farewells whose AdminDown packets would take the new session down. The peer has only one session for a path (RFC 5881 section 2). A
   * removed session and the new one are on one path when, for instance, an edit has only added a local address.
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
    this.#ports.setSessions(this.#all());
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
    this.#ports.leave(session);
    this.#sessionsChanged();
    // Another session may record under the same name, for instance after an edit of the peer's address. The trace must then stay.
    const { name } = session.settings;
    if (!this.#all().some((other) => other !== session && other.settings.name === name))
      this.#options.recorder.forget(bfdMachine(name));
  }

  #newDiscriminator(): number {
    for (;;) {
      const candidate = Buffer.from(this.#options.randomOctets(4)).readUInt32BE();
      if (candidate !== 0 && !this.#byDiscriminator.has(candidate)) return candidate;
    }
  }

  /** Call it after every change of `#sessions` and `#leaving`. */
  #sessionsChanged(): void {
    this.#allSessions = undefined;
    this.#ports.setSessions(this.#all());
  }

  #maintain(): void {
    this.#ports.maintain();
    for (const session of this.#sessions.values()) session.maintain();
    this.#maintenance = this.#clock.after(maintenanceMs, () => this.#maintain());
  }

  #receive(octets: Uint8Array, source: Uint8Array, receivers: ReadonlySet<BfdSession>): void {
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
      const found = findSession(packet.value, source, receivers, this.#byDiscriminator);
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
      this.#ports.read(packetsBeforeJudgement);
      for (const session of this.#sessions.values()) this.#readEcho(session, packetsBeforeJudgement);
    }
    // A deadline after `firedAtMs` waits for the next wake, because a packet may have arrived since its socket was read.
    for (const session of this.#all()) session.wake(firedAtMs);
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

  /** A timer that fires too early does no harm, so it moves only when a session wants an earlier time. */
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
