/**
 * One BFD session as a machine that follows RFC 5880 section 6. Its inputs are received packets, new settings and the time. Its outputs are
 * actions: packets to send, and what to report. It reads no clock.
 *
 *   sockets, timer ──receive(), wake(), configure()──→ SessionMachine ──actions──→ sockets, speaker
 *
 *   state-table.ts       the transitions of section 6.2
 *   intervals.ts         our two intervals and the Poll Sequence that announces a change of them
 *   send-schedule.ts     when the next periodic packet is due
 *   verify.ts            authentication of a received packet
 *   detection.ts         when the peer counts as silent
 *   echo.ts              the echo function
 *
 * Choices where the RFC leaves one:
 * - We use the asynchronous mode only: we never ask for demand mode. When the peer asks for it, we comply.
 * - A packet without our discriminator never disturbs a session that is Up. It may come from a peer that has restarted, but it may also be
 *   forged. The Detection Time ends the session of a peer that did restart.
 * - The C bit is 0, because the BFD process ends together with the BGP speaker.
 */
import { isMeticulous, sectionOctets, sign } from '../codec/authentication.ts';
import { diagnostic } from '../codec/diagnostic.ts';
import { type BfdPacket, encodePacket, type ReceivedPacket } from '../codec/packet.ts';
import type { PassedSession } from '../codec/passed-session.ts';
import type { BfdState } from '../codec/state.ts';
import { Detection } from './detection.ts';
import { Echo } from './echo.ts';
import { Intervals } from './intervals.ts';
import { SendSchedule } from './send-schedule.ts';
import { ReceiveWindow, SendSequence } from './sequence-numbers.ts';
import { type MachineSettings, slowInterval } from './settings.ts';
import { type Transition, transitionOn } from './state-table.ts';
import { verify } from './verify.ts';

export type SessionAction =
  /** `lateMs` says how long after its due time a periodic packet is sent; absent for packets out of turn. */
  | { readonly kind: 'send'; readonly octets: Uint8Array; readonly lateMs?: number }
  | { readonly kind: 'echo'; readonly sequence: number }
  /** The state, the diagnostic, or what the peer says of itself has changed. */
  | { readonly kind: 'changed'; readonly from: BfdState }
  | { readonly kind: 'poll'; readonly is: 'started' | 'ended' }
  /** The peer seemed silent, but this process was late itself, so the peer gets a reprieve. */
  | { readonly kind: 'reprieve'; readonly lateMs: number }
  | { readonly kind: 'drop'; readonly reason: SessionDropReason; readonly detail: string };

export type SessionDropReason = 'no-discriminator' | 'authentication' | 'sequence' | 'admin-down';

/** The peer's state and settings, from its last packet. */
export interface RemoteFacts {
  readonly state: BfdState;
  readonly diagnostic: number;
  /** 0 while it is unknown. */
  readonly discriminator: number;
  readonly detectMultiplier: number;
  readonly desiredMinTxInterval: number;
  readonly requiredMinRxInterval: number;
  readonly requiredMinEchoRxInterval: number;
  readonly demand: boolean;
  readonly controlPlaneIndependent: boolean;
}

/** Initial values of section 6.8.1. */
const unknownRemote: RemoteFacts = {
  state: 'Down',
  diagnostic: diagnostic.none,
  discriminator: 0,
  detectMultiplier: 0,
  desiredMinTxInterval: 0,
  requiredMinRxInterval: 1,
  requiredMinEchoRxInterval: 0,
  demand: false,
  controlPlaneIndependent: false,
};

export interface SessionMachineOptions {
  /** Not zero, and unique among the sessions of this system. */
  readonly localDiscriminator: number;
  readonly settings: MachineSettings;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly nowMs: number;
  /** Present when an earlier process has passed the session on. The session is then Up. */
  readonly inherited?: Omit<PassedSession, 'path'>;
}

/**
 * How many sequence numbers a successor leaves out, in multiples of a Detect Mult. The earlier process goes on sending for a moment after it has
 * told us its last number. Our first number must be higher than the numbers of those packets, but at most 3 × Detect Mult ahead of the last
 * number that the peer has accepted. Some peers take the Detect Mult of our packet (RFC 5880 section 6.7.3), and others their own (BIRD), so we
 * take the smaller of the two. One of the three Detect Mults is left for packets that were lost.
 */
const skippedDetectMults = 2;

const microsecondsPerMs = 1000;

export class SessionMachine {
  readonly localDiscriminator: number;
  #settings: MachineSettings;
  #state: BfdState = 'Down';
  #diagnostic: number = diagnostic.none;
  #remote: RemoteFacts = unknownRemote;
  readonly #intervals: Intervals;
  readonly #schedule: SendSchedule;
  readonly #detection = new Detection();
  readonly #sequence: SendSequence;
  readonly #window = new ReceiveWindow();
  readonly #echo: Echo;
  #actions: SessionAction[] = [];

  constructor({ localDiscriminator, settings, random, nowMs, inherited }: SessionMachineOptions) {
    this.localDiscriminator = localDiscriminator;
    this.#settings = settings;
    this.#echo = new Echo(random);
    if (inherited) {
      this.#state = 'Up';
      this.#remote = remoteFactsOf(inherited.remote);
      if (inherited.receivedSequence !== undefined) this.#window.accept(inherited.receivedSequence);
      this.#detection.received(nowMs);
    }
    const wanted = this.#wantedIntervals();
    // If the echo function worked in the earlier process, that process asked the peer for slow packets. This process does not know whether
    // the function worked, so it expects slow packets until the peer has answered a Poll Sequence with our shorter interval.
    const isSlow = inherited !== undefined && settings.echoInterval !== undefined;
    const requiredMinRx = isSlow ? Math.max(slowInterval, wanted.requiredMinRx) : wanted.requiredMinRx;
    this.#intervals = new Intervals({ ...wanted, requiredMinRx });
    this.#intervals.set(wanted, isSlow);
    this.#schedule = new SendSchedule(random);
    this.#sequence = new SendSequence(
      inherited
        ? inherited.sentSequence +
            skippedDetectMults * Math.min(settings.detectMultiplier, this.#remote.detectMultiplier)
        : Math.floor(random() * 2 ** 32),
    );
    this.#schedulePackets(nowMs);
  }

  /** The session for a successor of this process; `undefined` unless it is Up. */
  passOn(): Omit<PassedSession, 'path'> | undefined {
    if (this.#state !== 'Up') return undefined;
    const { discriminator, ...facts } = this.#remote;
    return {
      remote: {
        ...facts,
        ...{ poll: false, final: false },
        ...{ myDiscriminator: discriminator, yourDiscriminator: this.localDiscriminator },
      },
      sentSequence: this.#sequence.value,
      receivedSequence: this.#window.last,
    };
  }

  get state(): BfdState {
    return this.#state;
  }

  get diagnostic(): number {
    return this.#diagnostic;
  }

  get remote(): RemoteFacts {
    return this.#remote;
  }

  /** Our intervals, and whether a Poll Sequence announces a change of them. */
  get intervals(): Pick<Intervals, 'advertised' | 'inForce' | 'isPolling'> {
    return this.#intervals;
  }

  get settings(): MachineSettings {
    return this.#settings;
  }

  /** The negotiated interval between our packets in microseconds, before jitter (section 6.8.2). */
  get transmitInterval(): number {
    return Math.max(this.#intervals.inForce.desiredMinTx, this.#remote.requiredMinRxInterval);
  }

  /** The Detection Time in microseconds (section 6.8.4); 0 before the first packet. */
  get detectionTime(): number {
    const { detectMultiplier, desiredMinTxInterval } = this.#remote;
    return detectMultiplier * Math.max(this.#intervals.inForce.requiredMinRx, desiredMinTxInterval);
  }

  /** Time of the last accepted packet. */
  get lastReceivedMs(): number | undefined {
    return this.#detection.lastReceivedMs;
  }

  /** The time of the next call of `wake`; infinite when there is none. */
  get wakeAtMs(): number {
    return Math.min(this.#schedule.dueMs, this.#detection.dueMs, this.#echo.wakeAtMs);
  }

  get echo(): Pick<Echo, 'isActive' | 'isProven' | 'intervalMs'> {
    return this.#echo;
  }

  /** Whether `wake` may judge the peer silent. If so, deliver the packets that have already arrived before you call `wake`. */
  isDetectionDue(nowMs: number): boolean {
    return nowMs >= this.#detection.dueMs || this.#echo.isDetectionDue(nowMs);
  }

  /** Replaces the settings. The session goes on. */
  configure(settings: MachineSettings, nowMs: number): readonly SessionAction[] {
    this.#settings = settings;
    this.#scheduleEcho(nowMs);
    this.#updateIntervals();
    return this.#finish(nowMs);
  }

  /** Takes the session administratively down, or lets it come up again (section 6.8.16). */
  setAdminDown(isDown: boolean, nowMs: number): readonly SessionAction[] {
    if (isDown === (this.#state === 'AdminDown')) return [];
    this.#change(
      isDown
        ? { state: 'AdminDown', diagnostic: diagnostic.administrativelyDown }
        : { state: 'Down', diagnostic: diagnostic.none },
      nowMs,
    );
    this.#sendExtra(nowMs);
    return this.#finish(nowMs);
  }

  /** Handles a packet that belongs to this session by discriminator or by addresses. `octets` is the packet as received (section 6.8.6). */
  receive(packet: ReceivedPacket, octets: Uint8Array, nowMs: number): readonly SessionAction[] {
    if (packet.yourDiscriminator === 0 && this.#state === 'Up')
      return drop('no-discriminator', 'Your Discriminator is 0, but the session is Up');
    const refusal = verify(packet, octets, this.#settings.authentication, this.#window);
    if (refusal) return drop(refusal.reason, refusal.detail);
    this.#storeRemote(packet);
    if (packet.final && this.#intervals.confirm()) {
      this.#actions.push({ kind: 'poll', is: 'ended' });
      if (this.#intervals.isPolling) this.#actions.push({ kind: 'poll', is: 'started' });
    }
    this.#detection.received(nowMs);
    if (this.#state === 'AdminDown') {
      this.#actions.push(...drop('admin-down', 'this end is administratively down'));
      return this.#finish(nowMs);
    }
    const transition = transitionOn(this.#state, packet.state);
    if (transition) this.#change(transition, nowMs);
    // An answer to a poll carries the new state too, so no extra packet is necessary.
    if (packet.poll) this.#send({ final: true }, nowMs);
    else if (transition) this.#sendExtra(nowMs);
    return this.#finish(nowMs);
  }

  /** An Echo packet of this session has come back. */
  echoReturned(sequence: number, nowMs: number): readonly SessionAction[] {
    const wasProven = this.#echo.isProven;
    if (!this.#echo.returned(sequence)) return [];
    if (!wasProven) this.#updateIntervals();
    return this.#finish(nowMs);
  }

  /** The Echo packet that the last `wake` asked for was not sent, for a reason inside this node, such as a full queue. */
  echoNotSent(nowMs: number): readonly SessionAction[] {
    const wasProven = this.#echo.isProven;
    this.#echo.notSent();
    if (wasProven && !this.#echo.isProven) this.#updateIntervals();
    return this.#finish(nowMs);
  }

  /** Sends what is due, and judges whether the peer is silent. The caller has delivered the packets that arrived before `nowMs`. */
  wake(nowMs: number): readonly SessionAction[] {
    if (this.#detection.isWindowDue(nowMs)) {
      this.#detection.windowForgotten();
      this.#window.forget();
    }
    const expiry = this.#detection.expire(nowMs);
    if (expiry === 'late') this.#actions.push({ kind: 'reprieve', lateMs: this.#detection.lateMs });
    if (expiry === 'silent') this.#peerIsSilent(nowMs);
    if (this.#state === 'Up' && this.#echo.isDetectionDue(nowMs)) {
      this.#change({ state: 'Down', diagnostic: diagnostic.echoFunctionFailed }, nowMs);
      this.#sendExtra(nowMs);
    }
    const echoSequence = this.#echo.wake(nowMs);
    if (echoSequence !== undefined) this.#actions.push({ kind: 'echo', sequence: echoSequence });
    const { dueMs } = this.#schedule;
    if (nowMs >= dueMs) {
      this.#send({ poll: this.#intervals.isPolling, lateMs: nowMs - dueMs }, nowMs);
      this.#schedule.sentPeriodic(nowMs);
    }
    return this.#finish(nowMs);
  }

  #storeRemote(packet: ReceivedPacket): void {
    const before = this.#remote;
    this.#remote = remoteFactsOf(packet);
    if (
      before.state !== packet.state ||
      before.diagnostic !== packet.diagnostic ||
      before.controlPlaneIndependent !== packet.controlPlaneIndependent
    )
      this.#reportChange(this.#state);
  }

  /** The Detection Time has passed without a packet (section 6.8.4). The peer's discriminator is forgotten in every state (section 6.8.1). */
  #peerIsSilent(nowMs: number): void {
    // Required Min RX 0 means "send nothing". If it stayed in force, a peer that sent it and then went away would never get a packet again.
    this.#remote = {
      ...this.#remote,
      state: 'Down',
      discriminator: 0,
      requiredMinRxInterval: 1,
      demand: false,
    };
    if (this.#state === 'Init' || this.#state === 'Up') {
      this.#change({ state: 'Down', diagnostic: diagnostic.controlDetectionTimeExpired }, nowMs);
      this.#sendExtra(nowMs);
    } else this.#reportChange(this.#state);
  }

  #change({ state, diagnostic: code }: Transition, nowMs: number): void {
    const from = this.#state;
    this.#state = state;
    this.#diagnostic = code;
    this.#reportChange(from);
    this.#scheduleEcho(nowMs);
    this.#updateIntervals();
  }

  /** Each input reports at most one change. `from` is the state before the input. */
  #reportChange(from: BfdState): void {
    const index = this.#actions.findIndex(({ kind }) => kind === 'changed');
    if (index < 0) this.#actions.push({ kind: 'changed', from });
  }

  #wantedIntervals() {
    const { desiredMinTxInterval, requiredMinRxInterval } = this.#settings;
    return {
      desiredMinTx:
        this.#state === 'Up' ? desiredMinTxInterval : Math.max(slowInterval, desiredMinTxInterval),
      // Section 6.8.3: while the echo function watches the path, control packets can be slow.
      requiredMinRx:
        this.#state === 'Up' && this.#echo.isProven
          ? Math.max(slowInterval, requiredMinRxInterval)
          : requiredMinRxInterval,
    };
  }

  #updateIntervals(): void {
    const wasPolling = this.#intervals.isPolling;
    this.#intervals.set(this.#wantedIntervals(), this.#state === 'Up');
    const { isPolling } = this.#intervals;
    if (isPolling !== wasPolling) this.#actions.push({ kind: 'poll', is: isPolling ? 'started' : 'ended' });
  }

  /** Section 6.8.7: whether we send periodic packets now. */
  #sendsPeriodically(): boolean {
    const { requiredMinRxInterval, demand, state } = this.#remote;
    if (!this.#maySend() || requiredMinRxInterval === 0) return false;
    return !(demand && this.#state === 'Up' && state === 'Up') || this.#intervals.isPolling;
  }

  /** A passive end is silent until it knows the peer's discriminator. */
  #maySend(): boolean {
    return !this.#settings.passive || this.#remote.discriminator !== 0;
  }

  #schedulePackets(nowMs: number): void {
    this.#scheduleEcho(nowMs);
    const interval = this.#sendsPeriodically() ? this.transmitInterval / microsecondsPerMs : undefined;
    this.#schedule.setInterval(interval, nowMs);
    this.#detection.setTime(this.detectionTime / microsecondsPerMs, this.#remote.discriminator !== 0);
  }

  /** Section 6.8.9: Echo packets are sent while the session is Up and the peer offers to return them. */
  #scheduleEcho(nowMs: number): void {
    const { echoInterval, detectMultiplier } = this.#settings;
    const { requiredMinEchoRxInterval: peerInterval } = this.#remote;
    const isActive = echoInterval !== undefined && this.#state === 'Up' && peerInterval > 0;
    const intervalMs = isActive ? Math.max(echoInterval, peerInterval) / microsecondsPerMs : undefined;
    const wasProven = this.#echo.isProven;
    this.#echo.setInterval(intervalMs, detectMultiplier, nowMs);
    // Control packets watch the path again, so they must not stay slow.
    if (wasProven && !this.#echo.isProven) this.#updateIntervals();
  }

  /** The contents have changed, so one packet goes out at once (section 6.8.7). */
  #sendExtra(nowMs: number): void {
    if (!this.#maySend()) return;
    this.#send({ poll: this.#intervals.isPolling }, nowMs);
    // The new state may have another interval.
    this.#schedulePackets(nowMs);
    this.#schedule.sentExtra(nowMs);
  }

  #send(
    { poll = false, final = false, lateMs }: { poll?: boolean; final?: boolean; lateMs?: number },
    nowMs: number,
  ): void {
    const { desiredMinTx, requiredMinRx } = this.#intervals.advertised;
    const packet: BfdPacket = {
      diagnostic: this.#diagnostic,
      state: this.#state,
      poll,
      final,
      controlPlaneIndependent: false,
      demand: false,
      detectMultiplier: this.#settings.detectMultiplier,
      myDiscriminator: this.localDiscriminator,
      yourDiscriminator: this.#remote.discriminator,
      desiredMinTxInterval: desiredMinTx,
      requiredMinRxInterval: requiredMinRx,
      requiredMinEchoRxInterval: this.#settings.returnsEcho ? (this.#settings.echoInterval ?? 0) : 0,
    };
    this.#actions.push({
      kind: 'send',
      octets: this.#encode(packet, nowMs),
      ...(lateMs === undefined ? {} : { lateMs }),
    });
  }

  #encode(packet: BfdPacket, nowMs: number): Uint8Array {
    const { authentication } = this.#settings;
    if (!authentication) return encodePacket(packet);
    const { type, sendKey } = authentication;
    const octets = encodePacket(packet, sectionOctets(type));
    const contents = Buffer.from(octets).toString('latin1');
    sign(octets, type, sendKey, this.#sequence.next(isMeticulous(type), contents, nowMs));
    return octets;
  }

  #finish(nowMs: number): readonly SessionAction[] {
    this.#schedulePackets(nowMs);
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}

function remoteFactsOf(packet: BfdPacket): RemoteFacts {
  return {
    state: packet.state,
    diagnostic: packet.diagnostic,
    discriminator: packet.myDiscriminator,
    detectMultiplier: packet.detectMultiplier,
    desiredMinTxInterval: packet.desiredMinTxInterval,
    requiredMinRxInterval: packet.requiredMinRxInterval,
    requiredMinEchoRxInterval: packet.requiredMinEchoRxInterval,
    demand: packet.demand,
    controlPlaneIndependent: packet.controlPlaneIndependent,
  };
}

function drop(reason: SessionDropReason, detail: string): readonly SessionAction[] {
  return [{ kind: 'drop', reason, detail }];
}
