/**
 * The session with one peer: a shell that decides nothing. It works in three stages:
 *
 *   1. Something happens: an edit, a stop, a connection made by the peer, an input of one of our connections. A method turns it into an event.
 *   2. `#step` takes one step of the peer's machine, and records the event and the actions.
 *   3. `#run` executes each action: on a connection, on the routes, or as a report to the operator.
 */
import type { Prefix } from '../../address/index.ts';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { FlightRecorder } from '../../telemetry/flight-recorder.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { PassedSession } from '../codec/index.ts';
import type { BfdReport } from '../fsm/bfd-watch.ts';
import type { InheritedSession, PeerAction, PeerEvent } from '../fsm/peer-events.ts';
import { stepPeer } from '../fsm/peer-machine.ts';
import { describePeerState, initialPeerState, type PeerState } from '../fsm/peer-state.ts';
import type { Message, NotificationError } from '../message.ts';
import type { BgpMetrics } from '../metrics.ts';
import { localOpen } from '../negotiation.ts';
import { peerMachine, type ResolvedPeer } from '../peer.ts';
import type { PeerStatus } from '../speaker-api.ts';
import type { Incoming, InheritedConnection, Transport } from '../transport/transport.ts';
import { describeNoAnswer } from './cause-text.ts';
import { Connection, type ConnectionInput, type ConnectionOwner } from './connection.ts';
import { connectionKey } from './connection-key.ts';
import { connectTargetOf, machineSettingsOf, socketRulesOf } from './connection-settings.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import type { NodeInterface } from './direct-link.ts';
import { eventOfError, eventOfMessage } from './message-event.ts';
import { peerStatus } from './peer-status.ts';
import type { Received } from './receiver.ts';
import type { RouteOutput } from './route-output.ts';
import { type SessionObserver, SessionReport } from './session-report.ts';
import { SessionRoutes } from './session-routes.ts';
import { isOtherSession, settingsChange } from './settings-change.ts';

/** The objects that all sessions of a speaker share. */
export interface SessionContext {
  readonly clock: Clock;
  /** Returns numbers in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: BgpMetrics;
  readonly guard: Guard;
  readonly recorder: FlightRecorder | undefined;
  readonly transport: Transport;
  readonly hostName: string;
  readonly interfaces: () => readonly NodeInterface[];
  /** This process took over from an earlier one while the node kept forwarding (RFC 4724). */
  readonly restarting: boolean;
  readonly onSessionChange: SessionObserver | undefined;
}

/** The session of an earlier process, and the prefixes that the peer holds. */
export interface Inheritance {
  readonly connection: InheritedConnection;
  readonly session: InheritedSession;
  readonly prefixes: readonly Prefix[];
}

/** A session that waits to be passed on. */
export interface FrozenSession {
  readonly descriptor: number;
  readonly session: PassedSession;
  readonly prefixes: Iterable<Prefix>;
}

/** Longest wait, when a session stops, until all its queued UPDATEs are written to the socket. */
const flushDeadlineMs = 2000;
const flushPollMs = 10;

export class Session implements ConnectionOwner {
  readonly clock: Clock;
  readonly random: () => number;
  readonly #context: SessionContext;
  readonly #report: SessionReport;
  readonly #output: RouteOutput;
  readonly #routes: SessionRoutes;
  /** The connections by their id in the peer's machine. */
  readonly #connections = new Map<number, Connection>();
  /** Runs while BFD is damped. Fires when BFD has reported no loss for the quiet time. */
  readonly #damping: DeadlineTimer;
  #peer: ResolvedPeer;
  #state: PeerState = initialPeerState;
  /** The connection that the peer has just made, or that was passed on, while the machine decides about it. */
  #incoming: Pick<Incoming, 'accept' | 'reject'> | undefined;

  constructor(peer: ResolvedPeer, output: RouteOutput, context: SessionContext) {
    const { clock, random, logger, metrics } = context;
    this.clock = clock;
    this.random = random;
    this.#peer = peer;
    this.#context = context;
    this.#report = new SessionReport(peer.settings.name, clock, logger, metrics, context.onSessionChange);
    this.#output = output;
    this.#routes = new SessionRoutes(output, this.#report.log);
    this.#damping = new DeadlineTimer(clock, () => this.#handle({ kind: 'bfd-damping-expired' }));
    output.showAs(peer.settings.name);
  }

  get peer(): ResolvedPeer {
    return this.#peer;
  }

  /** Starts the session, or goes on with the session of an earlier process. */
  start(inherited?: Inheritance): void {
    const settings = machineSettingsOf(this.#peer, this.#context.hostName);
    const { restarting } = this.#context;
    this.#incoming = inherited?.connection;
    this.#handle({
      kind: 'start',
      ...{ settings, restarting },
      ...(inherited ? { inherited: inherited.session } : {}),
    });
    this.#incoming = undefined;
    if (inherited && this.#isEstablished) this.#output.inherit(inherited.prefixes);
    this.#reportWaiting();
  }

  /**
   * Stops reading, and sends no more routes, so that another process can go on with the session. Returns the state of the session; `undefined`
   * when the session cannot be passed on. `thaw` undoes this.
   */
  freeze(): FrozenSession | undefined {
    const { primary } = this.#state;
    const prefixes = this.#isEstablished ? this.#output.sentPrefixes() : undefined;
    const frozen = prefixes && this.#connections.get(primary.id)?.freeze();
    // Octets that were read meanwhile may have ended the session.
    const { local, remote, initiator } = this.#state.primary;
    if (!frozen || !local || !remote || !this.#isEstablished) return undefined;
    this.#output.hold(true);
    return {
      descriptor: frozen.descriptor,
      prefixes,
      session: {
        connectionKey: connectionKey(this.#peer),
        initiator,
        sentOpen: localOpen(local),
        receivedOpen: remote,
        unread: frozen.unread,
      },
    };
  }

  thaw(): void {
    this.#connections.get(this.#state.primary.id)?.thaw();
    this.#output.hold(false);
  }

  /** Ends the session in this process and sends nothing to the peer, because another process goes on with it. */
  letGo(): void {
    for (const [id, connection] of this.#connections)
      if (id === this.#state.primary.id) connection.letGo();
      else connection.discard();
    this.#connections.clear();
    this.#damping.stop();
    this.#routes.down();
    this.#output.showAs(undefined);
  }

  /** Applies an edit of the peer. Before an edit that renames the peer, call `forget`. */
  update(peer: ResolvedPeer): void {
    const change = settingsChange(this.#peer, peer);
    const isOther = isOtherSession(this.#peer, peer);
    this.#peer = peer;
    this.#report.rename(peer.settings.name);
    this.#output.showAs(peer.settings.name);
    if (change === 'none') return;
    const settings = machineSettingsOf(peer, this.#context.hostName);
    this.#handle({
      ...{ kind: 'configure', settings, restart: change === 'restart' },
      ...(isOther ? { isOtherSession: true } : {}),
    });
    if (change !== 'restart') return;
    this.#report.startedOver();
    this.#reportWaiting();
  }

  /** BFD reports a change of its session with the peer. */
  bfdChanged({ state, remoteState, diagnostic, remoteControlPlaneIndependent }: BfdReport): void {
    const report = { state, remoteState, diagnostic, remoteControlPlaneIndependent };
    this.#handle({ kind: 'bfd', report });
  }

  /** The interfaces of the node or their addresses have changed. */
  interfacesChanged(interfaces: readonly NodeInterface[]): void {
    const loss = this.#routes.lossOf(interfaces);
    if (loss) this.#handle(loss);
    this.#routes.interfacesChanged(interfaces);
  }

  /** Reports why the peer cannot reach this speaker. */
  unreachable(reason: string): void {
    if (!this.#isEstablished) this.#report.failed(reason);
  }

  /** Takes or rejects a connection that the peer has made. */
  incoming(incoming: Incoming): void {
    this.#incoming = incoming;
    this.#handle({ kind: 'incoming' });
    this.#incoming = undefined;
  }

  /** Ends the session for good; resolves when its connection is closed. Without an error, no NOTIFICATION is sent. */
  async close(error: NotificationError | undefined): Promise<void> {
    const connection = this.#connections.get(this.#state.primary.id);
    this.#handle({ kind: 'shutdown', ...(error ? { error } : {}) });
    this.#routes.down();
    this.#damping.stop();
    this.#output.showAs(undefined);
    await connection?.closing;
  }

  /** Waits until all queued UPDATEs are written to the socket, or until the deadline. */
  async flush(deadlineMs = flushDeadlineMs): Promise<void> {
    const deadline = this.clock.now() + deadlineMs;
    while (this.#isEstablished && !this.#output.isIdle && this.clock.now() < deadline)
      await new Promise<void>((resolve) => void this.clock.after(flushPollMs, resolve));
  }

  /** True when the peer will keep our routes while this process is away. */
  get keepsRoutes(): boolean {
    return this.#isEstablished && this.#state.primary.negotiated?.gracefulRestart !== undefined;
  }

  status(): PeerStatus {
    const { fsm, negotiated } = this.#state.primary;
    return peerStatus({
      peer: this.#peer,
      fsm,
      sinceEpochMs: this.#report.sinceEpochMs,
      negotiated,
      isBfdDamped: this.#state.bfd.isDamped,
      carried: this.#routes.carried,
      routesDesired: this.#output.desiredCount,
      routesSent: this.#output.sentCount,
      routesRefused: this.#output.refusedCount,
      lastError: this.#report.lastError,
    });
  }

  /** Removes the peer's metrics and recordings. */
  forget(): void {
    this.#report.metrics.forget();
    this.#context.recorder?.forget(peerMachine(this.#peer.settings.name));
  }

  /** An input of one of the connections. */
  input(connection: Connection, input: ConnectionInput): void {
    const { id } = connection;
    switch (input.kind) {
      case 'connected':
        this.#step({ kind: 'tcp-connected', connection: id });
        return;
      case 'closed':
        this.#step({ kind: 'tcp-failed', connection: id, reason: input.reason });
        return;
      case 'expired':
        this.#step({ kind: 'timer', connection: id, timer: input.timer });
        return;
      case 'octets':
        this.#report.metrics.receivedOctets(input.count);
        return;
      case 'received':
        this.#received(id, input.received);
        return;
      case 'drained':
        if (id === this.#state.primary.id) this.#output.drained();
    }
  }

  /** Runs `handle`. An exception is a bug: it ends this connection, is counted and logged, and reaches nothing else. */
  guard({ id }: Connection, octets: Uint8Array | undefined, handle: () => void): void {
    const error = this.#failureOf(octets, handle);
    if (error === undefined) return;
    this.#handle({ kind: 'internal-error', connection: id, reason: error.message });
  }

  #received(connection: number, received: Received): void {
    if (received.kind === 'error') {
      this.#step(eventOfError(connection, received.error));
      return;
    }
    const { message, faults } = received;
    this.#report.metrics.received(message);
    if (message.kind === 'update') this.#report.updateReceived(message, faults);
    this.#step(eventOfMessage(connection, message));
  }

  /**
   * Takes a step for an event that is not an input of a connection, and catches its exceptions. `guard` catches the exceptions of the
   * inputs of connections.
   */
  #handle(event: PeerEvent): void {
    this.#failureOf(undefined, () => this.#step(event));
  }

  /** Runs `handle`. Counts, logs and returns what it throws. */
  #failureOf(octets: Uint8Array | undefined, handle: () => void): Error | undefined {
    try {
      handle();
      return undefined;
    } catch (error) {
      const source = this.#peer.settings.name;
      this.#context.guard.failed({ entrance: 'bgp', source, ...(octets ? { octets } : {}) }, error);
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /**
   * One step of the peer's machine. Every action is run, even if an earlier action throws, because sockets and timers must match the state.
   */
  #step(event: PeerEvent): void {
    const { state, actions } = stepPeer(this.#state, event, this.clock.now());
    if (state !== this.#state || !isRoutine(event)) this.#record(state, event, actions);
    this.#state = state;
    const failures: unknown[] = [];
    for (const action of actions)
      try {
        this.#run(action);
      } catch (error) {
        failures.push(error);
      }
    if (failures.length > 0) throw failures[0];
  }

  #record(state: PeerState, event: PeerEvent, actions: readonly PeerAction[]): void {
    const machine = peerMachine(this.#peer.settings.name);
    this.#context.recorder?.record(machine, describePeerState(state), event, actions);
  }

  #run(action: PeerAction): void {
    switch (action.kind) {
      case 'connect': {
        const { transport } = this.#context;
        const target = connectTargetOf(this.#peer);
        this.#connection(action.connection).attach((handler) => transport.connect(target, handler));
        return;
      }
      case 'accept': {
        const incoming = this.#incoming;
        const rules = socketRulesOf(this.#peer.settings);
        if (incoming)
          this.#connection(action.connection).attach((handler) => incoming.accept(rules, handler));
        return;
      }
      case 'reject':
        this.#incoming?.reject();
        this.#report.action(action);
        return;
      case 'agree':
        this.#connection(action.connection).agree(action.negotiated);
        return;
      case 'send-open':
        this.#send(action.connection, action.open);
        return;
      case 'send-keepalive':
        this.#send(action.connection, { kind: 'keepalive' });
        return;
      case 'send-notification':
        this.#send(action.connection, { kind: 'notification', ...action.error });
        return;
      case 'start-timer':
        this.#connection(action.connection).timers.start(action);
        return;
      case 'stop-timer':
        this.#connection(action.connection).timers.stop(action.timer);
        return;
      case 'drop':
        this.#connection(action.connection).end();
        return;
      case 'discard':
        this.#connections.get(action.connection)?.discard();
        this.#connections.delete(action.connection);
        return;
      case 'apply-socket-rules':
        this.#applySocketRules(action.connection);
        return;
      case 'session-up':
        this.#report.action(action);
        this.#startRoutes(action.connection);
        return;
      case 'session-down':
        this.#routes.down();
        this.#report.action(action);
        return;
      case 'refresh':
        this.#output.refresh(action.family);
        return;
      case 'no-answer':
        this.#report.failed(describeNoAnswer(this.#peer));
        return;
      case 'bfd-damping':
      case 'bfd-loss-ignored':
        this.#damping.start(action.quietMs);
        this.#report.action(action);
        return;
      case 'no-bfd':
      case 'bfd-damping-over':
      case 'state-changed':
      case 'attempt-failed':
      case 'connection-lost':
      case 'capabilities-refused':
        this.#report.action(action);
    }
  }

  /** Returns the `Connection` that the machine knows by this id. Creates it if there is none yet. */
  #connection(id: number): Connection {
    const known = this.#connections.get(id);
    if (known) return known;
    const connection = new Connection(id, this);
    this.#connections.set(id, connection);
    return connection;
  }

  #send(connection: number, message: Message): void {
    const octets = this.#connection(connection).send(message);
    this.#report.metrics.sent(message, octets);
  }

  #startRoutes(connection: number): void {
    const { stream } = this.#connection(connection);
    const { negotiated } = this.#state.primary;
    if (!stream || !negotiated) return;
    this.#applySocketRules(connection);
    this.#routes.up({ stream, negotiated, settings: this.#peer.settings }, this.#context.interfaces());
  }

  #applySocketRules(connection: number): void {
    const rules = socketRulesOf(this.#peer.settings, this.#state.primary.negotiated?.holdTimeSeconds);
    this.#connection(connection).stream?.apply(rules);
  }

  #reportWaiting(): void {
    if (this.#peer.waitingFor !== undefined) this.#report.waiting(this.#peer.waitingFor);
  }

  get #isEstablished(): boolean {
    return this.#state.primary.fsm.name === 'Established';
  }
}

/**
 * Events that a session repeats for as long as it lasts. Such an event is not recorded unless it changes the state. It would displace the
 * events that brought the session up, and a replay does not need it.
 */
function isRoutine({ kind }: PeerEvent): boolean {
  return kind === 'update' || kind === 'keepalive' || kind === 'timer';
}
