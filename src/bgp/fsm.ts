/**
 * The BGP finite state machine of one connection, as a pure function `(state, event) → { state, actions }`.
 *
 * Follows RFC 4271 section 8 state by state, with the subcodes of RFC 6608, the send hold timer of RFC 9687, and of the optional
 * attributes those that serve us: DampPeerOscillations always, DelayOpen and PassiveTcpEstablishment where configured. It is
 * total: every event in every state has an outcome, and none throws. Time and randomness come in: timers are actions and their
 * expiries events; `random` jitters what this step starts.
 *
 *   socket, timers ──events──→ step() ──actions──→ socket, timers, routes
 *
 * A peer that connects to us while our own connection is open has a machine of its own until collision.ts says which one stays.
 *
 * Where this differs from the letter of section 8:
 * - Damping. Each failure returns to Idle and waits there a delay that doubles with the failures in a row, and only a session
 *   that has *lasted* resets it: a peer that accepts and refuses at once is never asked in a hot loop, nor heard in one, for Idle
 *   refuses connections. Therefore a connection that breaks in OpenSent goes to Idle and not to Active, too.
 *   An attempt that finds nobody is no oscillation: it waits ConnectRetryTime at most and counts towards no later delay, so that
 *   a router that was away is found again soon, and its first hiccups cost what anybody's do.
 * - A NOTIFICATION is never answered by a NOTIFICATION, in OpenSent neither.
 * - In Established a dead peer's socket is not written to when the send hold timer ends it: nothing would leave.
 */
import type {
  DownCause,
  FsmAction,
  FsmConfig,
  FsmEvent,
  FsmState,
  FsmStep,
  FsmTimer,
  NotificationError,
} from './fsm-types.ts';

/** RFC 4271 section 8.2.2: "a HoldTimer value of 4 minutes is suggested" for OpenSent. */
export const openSentHoldMs = 240_000;

const nothing = new Uint8Array(0);

/** RFC 4271 section 6.5. */
const holdTimerExpired: NotificationError = { code: 4, subcode: 0, data: nothing };
/** RFC 4486 and section 6.8. */
const collisionCease: NotificationError = { code: 6, subcode: 7, data: nothing };

export const initialFsmState: FsmState = {
  name: 'Idle',
  connectRetryCounter: 0,
  oscillations: 0,
  tcp: 'none',
  delayOpenRunning: false,
  holdTimeMs: 0,
  keepaliveMs: 0,
};

/** RFC 4271 section 10: a factor of 0.75 to 1. */
function jittered(ms: number, random: number): number {
  return ms * (0.75 + 0.25 * random);
}

/** The unjittered delay after `oscillations` failures in a row. */
export function idleHoldAfter(oscillations: number, firstMs: number, maximumMs: number): number {
  return Math.min(maximumMs, firstMs * 2 ** Math.min(oscillations, 30));
}

/** One step; `random` in [0, 1). */
export function step(state: FsmState, event: FsmEvent, config: FsmConfig, random: number): FsmStep {
  return new Step(state, config, random).run(event);
}

/** The state before and the actions gathered during one step; lives no longer than the call. */
class Step {
  readonly #state: FsmState;
  readonly #config: FsmConfig;
  readonly #random: number;
  readonly #actions: FsmAction[] = [];

  constructor(state: FsmState, config: FsmConfig, random: number) {
    this.#state = state;
    this.#config = config;
    this.#random = random;
  }

  run(event: FsmEvent): FsmStep {
    switch (this.#state.name) {
      case 'Idle':
        return this.#idle(event);
      case 'Connect':
      case 'Active':
        return this.#connectOrActive(event);
      case 'OpenSent':
        return this.#openSent(event);
      case 'OpenConfirm':
        return this.#openConfirm(event);
      case 'Established':
        return this.#established(event);
    }
  }

  /** "In this state, BGP FSM refuses all incoming BGP connections for this peer." */
  #idle(event: FsmEvent): FsmStep {
    switch (event.kind) {
      case 'start':
        this.#stopTimer('idle-hold');
        return this.#begin({ ...this.#state, connectRetryCounter: 0 });
      case 'timer':
        return event.timer === 'idle-hold' ? this.#begin(this.#state) : this.#stay();
      case 'stop':
        this.#stopTimer('idle-hold');
        return this.#stay();
      case 'tcp-connected':
        this.#act({ kind: 'drop' });
        return this.#stay();
      default:
        return this.#stay();
    }
  }

  /** Leaves Idle: connects, or waits for the peer. */
  #begin(state: FsmState): FsmStep {
    if (this.#config.passive) return this.#to({ ...state, name: 'Active', tcp: 'none' });
    return this.#connect(state);
  }

  #connect(state: FsmState): FsmStep {
    this.#startTimer('connect-retry', jittered(this.#config.connectRetryMs, this.#random));
    this.#act({ kind: 'connect' });
    return this.#to({ ...state, name: 'Connect', tcp: 'connecting', delayOpenRunning: false });
  }

  /** The two states differ in what they wait for, and in nothing else that an event could show. */
  #connectOrActive(event: FsmEvent): FsmStep {
    const state = this.#state;
    switch (event.kind) {
      case 'start':
      case 'keepalive-interval':
        return this.#stay();
      case 'stop':
        return this.#stopped(undefined);
      case 'tcp-connected':
        this.#stopTimer('connect-retry');
        if (this.#config.delayOpenMs === 0) return this.#open(state);
        this.#startTimer('delay-open', this.#config.delayOpenMs);
        return this.#to({ ...state, tcp: 'connected', delayOpenRunning: true });
      case 'tcp-failed':
        if (state.name === 'Connect' && state.delayOpenRunning) {
          this.#stopTimer('delay-open');
          return this.#awaitPeer({ ...state, delayOpenRunning: false });
        }
        return this.#unreachable(event.cause);
      case 'open':
        if (!state.delayOpenRunning) return this.#fail({ kind: 'tcp', cause: 'OPEN before the connection' });
        this.#stopTimer('connect-retry');
        this.#stopTimer('delay-open');
        this.#act({ kind: 'send-open' });
        return this.#confirm(event.holdTimeMs, event.keepaliveMs);
      case 'notification':
        return this.#fail({ kind: 'received', error: event.error });
      case 'message-error':
        return this.#fail(
          { kind: 'sent', error: event.error },
          state.tcp === 'connected' ? event.error : undefined,
        );
      case 'collision-dump':
        return this.#fail({ kind: 'tcp', cause: 'another connection of the peer was kept' });
      case 'reset':
        return this.#fail({ kind: 'reset', cause: event.cause });
      case 'timer':
        return this.#connectOrActiveTimer(event.timer);
      default:
        return this.#fail({ kind: 'tcp', cause: 'message before the OPEN' });
    }
  }

  #connectOrActiveTimer(timer: FsmTimer): FsmStep {
    const state = this.#state;
    switch (timer) {
      case 'connect-retry':
        // The peer that just connected is a better way than one more attempt of ours.
        if (this.#config.passive || state.tcp === 'connected') return this.#stay();
        if (state.tcp === 'connecting') this.#act({ kind: 'drop' });
        return this.#connect(state);
      case 'delay-open':
        return state.delayOpenRunning ? this.#open(state) : this.#stay();
      default:
        return this.#stay();
    }
  }

  /** Sends our OPEN. */
  #open(state: FsmState): FsmStep {
    this.#stopTimer('connect-retry');
    this.#act({ kind: 'send-open' });
    this.#startTimer('hold', openSentHoldMs);
    return this.#to({ ...state, name: 'OpenSent', tcp: 'connected', delayOpenRunning: false });
  }

  #openSent(event: FsmEvent): FsmStep {
    switch (event.kind) {
      case 'tcp-failed':
        return this.#fail({ kind: 'tcp', cause: event.cause });
      case 'open':
        return this.#confirm(event.holdTimeMs, event.keepaliveMs);
      case 'keepalive':
      case 'update':
        return this.#unexpected(1);
      case 'timer':
        return event.timer === 'hold' ? this.#holdExpired() : this.#stay();
      default:
        return this.#connected(event);
    }
  }

  /** Answers the peer's OPEN by a KEEPALIVE, and starts the negotiated timers. */
  #confirm(holdTimeMs: number, keepaliveMs: number): FsmStep {
    this.#act({ kind: 'send-keepalive' });
    if (holdTimeMs > 0) {
      this.#startTimer('hold', holdTimeMs);
      this.#startTimer('keepalive', jittered(keepaliveMs, this.#random));
    } else {
      this.#stopTimer('hold');
    }
    return this.#to({
      ...this.#state,
      name: 'OpenConfirm',
      tcp: 'connected',
      delayOpenRunning: false,
      holdTimeMs,
      keepaliveMs,
    });
  }

  #openConfirm(event: FsmEvent): FsmStep {
    switch (event.kind) {
      case 'keepalive':
        this.#restartHold();
        this.#act({ kind: 'up' });
        this.#startTimer('lasting', this.#config.lastingMs);
        if (this.#state.holdTimeMs > 0)
          this.#startTimer('send-hold', Math.max(this.#config.sendHoldMs, 2 * this.#state.holdTimeMs));
        return this.#to({ ...this.#state, name: 'Established' });
      case 'open':
      case 'update':
        return this.#unexpected(2);
      case 'tcp-failed':
        return this.#fail({ kind: 'tcp', cause: event.cause });
      case 'timer':
        return this.#sessionTimer(event.timer);
      default:
        return this.#connected(event);
    }
  }

  #established(event: FsmEvent): FsmStep {
    switch (event.kind) {
      case 'keepalive':
      case 'update':
        this.#restartHold();
        return this.#stay();
      case 'open':
        return this.#unexpected(3);
      case 'tcp-failed':
        return this.#fail({ kind: 'tcp', cause: event.cause });
      case 'timer':
        if (event.timer === 'lasting')
          return this.#to({ ...this.#state, oscillations: 0, connectRetryCounter: 0 });
        if (event.timer === 'send-hold') return this.#fail({ kind: 'send-hold-timer' });
        return this.#sessionTimer(event.timer);
      default:
        return this.#connected(event);
    }
  }

  #sessionTimer(timer: FsmTimer): FsmStep {
    if (timer === 'hold') return this.#holdExpired();
    if (timer !== 'keepalive' || this.#state.holdTimeMs === 0) return this.#stay();
    this.#act({ kind: 'send-keepalive' });
    this.#startTimer('keepalive', jittered(this.#state.keepaliveMs, this.#random));
    return this.#stay();
  }

  /** What OpenSent, OpenConfirm and Established have in common. */
  #connected(
    event: Exclude<FsmEvent, { kind: 'open' | 'update' | 'keepalive' | 'tcp-failed' | 'timer' }>,
  ): FsmStep {
    switch (event.kind) {
      case 'keepalive-interval':
        return this.#newInterval(event.keepaliveMs);
      case 'start':
      case 'tcp-connected':
        return this.#stay();
      case 'stop':
        return this.#stopped(event.error);
      case 'reset':
        return this.#fail(
          { kind: 'reset', cause: event.cause, ...(event.error ? { error: event.error } : {}) },
          event.error,
        );
      case 'message-error':
        return this.#fail({ kind: 'sent', error: event.error }, event.error);
      case 'collision-dump':
        return this.#fail({ kind: 'sent', error: collisionCease }, collisionCease);
      case 'notification':
        return this.#fail({ kind: 'received', error: event.error });
    }
  }

  #newInterval(keepaliveMs: number): FsmStep {
    if (this.#state.holdTimeMs === 0) return this.#stay();
    this.#startTimer('keepalive', jittered(keepaliveMs, this.#random));
    return this.#to({ ...this.#state, keepaliveMs });
  }

  #holdExpired(): FsmStep {
    return this.#fail({ kind: 'hold-timer' }, holdTimerExpired);
  }

  /** RFC 6608: 1 in OpenSent, 2 in OpenConfirm, 3 in Established. */
  #unexpected(subcode: number): FsmStep {
    const error = { code: 5, subcode, data: nothing };
    return this.#fail({ kind: 'sent', error }, error);
  }

  #restartHold(): void {
    if (this.#state.holdTimeMs > 0) this.#startTimer('hold', this.#state.holdTimeMs);
  }

  /** The administrator's stop: no retry. */
  #stopped(error: NotificationError | undefined): FsmStep {
    this.#close(error);
    this.#act({ kind: 'down', cause: { kind: 'stopped', ...(error ? { error } : {}) } });
    return this.#to(initialFsmState);
  }

  /** To Idle by a failure: closes, counts, and waits the damped delay. */
  #fail(cause: DownCause, tell?: NotificationError): FsmStep {
    const { oscillations } = this.#state;
    const { idleHoldMs, idleHoldMaximumMs } = this.#config;
    this.#close(tell);
    return this.#rest(cause, idleHoldAfter(oscillations, idleHoldMs, idleHoldMaximumMs), oscillations + 1);
  }

  /** To Idle because TCP found nobody: asked again within ConnectRetryTime, and no oscillation. */
  #unreachable(cause: string): FsmStep {
    const { oscillations, connectRetryCounter } = this.#state;
    const { idleHoldMs, idleHoldMaximumMs, connectRetryMs } = this.#config;
    this.#close(undefined);
    const maximumMs = Math.min(connectRetryMs, idleHoldMaximumMs);
    return this.#rest(
      { kind: 'tcp', cause },
      idleHoldAfter(connectRetryCounter, idleHoldMs, maximumMs),
      oscillations,
    );
  }

  /** Idle, for the jittered delay. */
  #rest(cause: DownCause, delayMs: number, oscillations: number): FsmStep {
    this.#startTimer('idle-hold', jittered(delayMs, this.#random));
    this.#act({ kind: 'down', cause });
    const connectRetryCounter = this.#state.connectRetryCounter + 1;
    return this.#to({ ...initialFsmState, connectRetryCounter, oscillations });
  }

  /** Active: listens, and connects again when ConnectRetry expires. */
  #awaitPeer(state: FsmState): FsmStep {
    if (!this.#config.passive)
      this.#startTimer('connect-retry', jittered(this.#config.connectRetryMs, this.#random));
    return this.#to({ ...state, name: 'Active', tcp: 'none', delayOpenRunning: false });
  }

  /** Tells the peer why where there is something to tell, drops the connection, and stops every timer but the damping. */
  #close(tell: NotificationError | undefined): void {
    const { name, tcp } = this.#state;
    if (tell) this.#act({ kind: 'send-notification', error: tell });
    if (tcp !== 'none') this.#act({ kind: 'drop' });
    for (const timer of timersOf[name]) this.#stopTimer(timer);
  }

  #act(action: FsmAction): void {
    this.#actions.push(action);
  }

  #startTimer(timer: FsmTimer, delayMs: number): void {
    this.#act({ kind: 'start-timer', timer, delayMs });
  }

  #stopTimer(timer: FsmTimer): void {
    this.#act({ kind: 'stop-timer', timer });
  }

  #stay(): FsmStep {
    return { state: this.#state, actions: this.#actions };
  }

  #to(state: FsmState): FsmStep {
    return { state, actions: this.#actions };
  }
}

/** Timers that may run in a state. */
const timersOf: Readonly<Record<FsmState['name'], readonly FsmTimer[]>> = {
  Idle: ['idle-hold'],
  Connect: ['connect-retry', 'delay-open'],
  Active: ['connect-retry', 'delay-open'],
  OpenSent: ['hold'],
  OpenConfirm: ['hold', 'keepalive'],
  Established: ['hold', 'keepalive', 'send-hold', 'lasting'],
};
