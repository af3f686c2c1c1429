/** Idle, Connect and Active: the states of RFC 4271 section 8.2.2 before an OPEN has been sent. */
import type { FsmEvent, FsmStep } from './connection-events.ts';
import type { BfdReadiness, FsmState, FsmTimer } from './connection-state.ts';
import type { Transition } from './transition.ts';

/** RFC 4271 section 8.2.2: "a HoldTimer value of 4 minutes is suggested" for OpenSent. */
export const openSentHoldMs = 240_000;

/**
 * How long BFD may stay down before the session connects without it (`bfd-strict: local`). The wait must end, because some routers start
 * BFD only when BGP connects.
 */
export const startWaitMs = 30_000;
/** BfdHoldTimer of draft-ietf-idr-bgp-bfd-strict-mode: the longest wait in OpenSent for BFD when there is no hold timer. */
export const bfdHoldMs = 30_000;

const ready: BfdReadiness = { kind: 'ready' };

/** "In this state, BGP FSM refuses all incoming BGP connections for this peer." */
export function idle(step: Transition, event: FsmEvent): FsmStep {
  const { state } = step;
  switch (event.kind) {
    // Events 1, 3 (ManualStart, AutomaticStart): ConnectRetryCounter becomes zero, ConnectRetryTimer starts, TCP is initiated;
    // to Connect. Events 4, 5 (…_with_PassiveTcpEstablishment): to Active.
    case 'start':
      step.stopTimer('idle-hold');
      return leaveIdle(step, { ...state, connectRetryCounter: 0 });
    // Event 13 (IdleHoldTimer_Expires): start again. Events 6 and 7 (…_with_DampPeerOscillations) stand for the same restart.
    case 'timer':
      if (event.timer === 'bfd' && state.bfdWait) return endWait(step);
      return event.timer === 'idle-hold' ? leaveIdle(step, state) : step.stay();
    case 'bfd-readiness':
      return state.bfdWait ? readinessChanged(step, event.readiness) : step.stay();
    // Events 2 and 8 (ManualStop, AutomaticStop) "are ignored in the Idle state". Here, however, a ManualStop ends a wait for a retry or for BFD.
    case 'stop':
      step.stopTimer('idle-hold');
      if (!state.bfdWait) return step.stay();
      step.stopTimer('bfd');
      return step.to({ ...state, bfdWait: undefined });
    case 'tcp-connected':
      step.act({ kind: 'drop' });
      return step.stay();
    // "Any other event (Events 9-12, 15-28) received in the Idle state does not cause change".
    default:
      return step.stay();
  }
}

/** Leaves Idle, or stays there while BFD does not let the session begin. */
function leaveIdle(step: Transition, state: FsmState): FsmStep {
  const readiness = step.config.startReadiness ?? ready;
  if (readiness.kind === 'ready') return begin(step, state);
  step.startTimer('bfd', readiness.kind === 'not-ready' ? startWaitMs : readiness.delayMs);
  return step.to({ ...state, bfdWait: 'before-tcp' });
}

function readinessChanged(step: Transition, readiness: BfdReadiness): FsmStep {
  if (readiness.kind === 'ready') {
    step.stopTimer('bfd');
    return begin(step, step.state);
  }
  step.startTimer('bfd', readiness.kind === 'not-ready' ? startWaitMs : readiness.delayMs);
  return step.stay();
}

/** The hold-down is over, or the wait for BFD has lasted too long. */
function endWait(step: Transition): FsmStep {
  if (step.config.startReadiness?.kind === 'not-ready') step.act({ kind: 'no-bfd' });
  return begin(step, step.state);
}

function begin(step: Transition, before: FsmState): FsmStep {
  const state = before.bfdWait ? { ...before, bfdWait: undefined } : before;
  if (step.config.passive) return step.to({ ...state, name: 'Active', tcp: 'none' });
  return connect(step, state);
}

function connect(step: Transition, state: FsmState): FsmStep {
  step.startJitteredTimer('connect-retry', step.config.connectRetryMs);
  step.act({ kind: 'connect' });
  return step.to({ ...state, name: 'Connect', tcp: 'connecting', delayOpenRunning: false });
}

/** Connect waits for TCP to come up, Active for the peer to connect. The two share almost every transition. */
export function connectOrActive(step: Transition, event: FsmEvent): FsmStep {
  const { state, config } = step;
  switch (event.kind) {
    // Events 1, 3-7: "start events are ignored".
    case 'start':
    case 'keepalive-interval':
    case 'bfd-readiness':
      return step.stay();
    // Event 2 (ManualStop): drop the connection, ConnectRetryCounter to zero, stop ConnectRetryTimer; to Idle.
    case 'stop':
      return step.toStopped(undefined, event.because);
    // Events 9 and 12 (ConnectRetryTimer_Expires, DelayOpenTimer_Expires).
    case 'timer':
      return connectOrActiveTimer(step, event.timer);
    // Events 16, 17 (Tcp_CR_Acked, TcpConnectionConfirmed): with DelayOpen start DelayOpenTimer and stay; otherwise send the OPEN,
    // set HoldTimer to a large value; to OpenSent.
    case 'tcp-connected':
      step.stopTimer('connect-retry');
      if (config.delayOpenMs === 0) return sendOpen(step, state);
      step.startTimer('delay-open', config.delayOpenMs);
      return step.to({ ...state, tcp: 'connected', delayOpenRunning: true });
    // Event 18 (TcpConnectionFails). Connect with DelayOpenTimer running: restart ConnectRetryTimer; to Active. Otherwise to Idle.
    case 'tcp-failed':
      if (state.name === 'Connect' && state.delayOpenRunning) {
        step.stopTimer('delay-open');
        return awaitPeer(step, { ...state, delayOpenRunning: false });
      }
      return step.toUnreachable(event.reason);
    // Event 20 (BGPOpen with DelayOpenTimer running): send OPEN and KEEPALIVE; to OpenConfirm. Event 19 belongs to "any other event".
    case 'open':
      if (!state.delayOpenRunning)
        return step.toFailed({ kind: 'tcp', reason: 'an OPEN arrived before TCP was up' });
      step.stopTimer('connect-retry');
      step.stopTimer('delay-open');
      step.act({ kind: 'send-open' });
      return openReceived(step, event);
    // Events 21, 22 (BGPHeaderErr, BGPOpenMsgErr), with SendNOTIFICATIONwithoutOPEN: send the NOTIFICATION; to Idle.
    case 'header-error':
    case 'open-error':
      return step.toFailed(
        { kind: 'sent', error: event.error },
        state.tcp === 'connected' ? event.error : undefined,
      );
    // Events 24, 25 (NotifMsgVerErr, NotifMsg): to Idle.
    case 'notification':
      return step.toFailed({ kind: 'received', error: event.error });
    // "Any other events (Events 8, 10-11, 13, 19, 23, 25-28)": drop the connection, increment ConnectRetryCounter; to Idle.
    case 'reset':
      return step.toFailed({ kind: 'reset', because: event.because });
    case 'collision-dump':
      return step.toFailed({
        kind: 'tcp',
        reason: event.because ?? 'another connection of the peer was kept',
      });
    case 'keepalive':
    case 'update':
    case 'update-error':
      return step.toFailed({ kind: 'tcp', reason: 'a message arrived before the OPEN' });
  }
}

function connectOrActiveTimer(step: Transition, timer: FsmTimer): FsmStep {
  const { state, config } = step;
  switch (timer) {
    // Event 9 (ConnectRetryTimer_Expires): drop the attempt, restart ConnectRetryTimer, initiate TCP; to Connect.
    case 'connect-retry':
      // A connection that has just come up is better than another attempt of ours.
      if (config.passive || state.tcp === 'connected') return step.stay();
      if (state.tcp === 'connecting') {
        step.act({ kind: 'no-answer' });
        step.act({ kind: 'drop' });
      }
      return connect(step, state);
    // Event 12 (DelayOpenTimer_Expires): send the OPEN, set HoldTimer to a large value; to OpenSent.
    case 'delay-open':
      return state.delayOpenRunning ? sendOpen(step, state) : step.stay();
    default:
      return step.stay();
  }
}

function sendOpen(step: Transition, state: FsmState): FsmStep {
  step.act({ kind: 'send-open' });
  step.startTimer('hold', openSentHoldMs);
  return step.to({ ...state, name: 'OpenSent', tcp: 'connected', delayOpenRunning: false });
}

/** Goes to Active and waits for the peer. Unless passive, the machine connects again when ConnectRetryTimer expires. */
function awaitPeer(step: Transition, state: FsmState): FsmStep {
  if (!step.config.passive) step.startJitteredTimer('connect-retry', step.config.connectRetryMs);
  return step.to({ ...state, name: 'Active', tcp: 'none', delayOpenRunning: false });
}

/**
 * The peer's OPEN is accepted. If BFD lets the session come up, the machine goes to OpenConfirm. Otherwise it waits for BFD in
 * OpenSentBfdUpPending, a sub-state of OpenSent (draft-ietf-idr-bgp-bfd-strict-mode). In OpenSentBfdUpPending, the machine sends no KEEPALIVE, so
 * the peer does not come up either. The hold timer runs with the negotiated time, or with `bfdHoldMs` if that time is zero.
 */
export function openReceived(
  step: Transition,
  { holdTimeMs, keepaliveMs, readiness = ready }: Extract<FsmEvent, { kind: 'open' }>,
): FsmStep {
  if (readiness.kind === 'ready') return confirm(step, holdTimeMs, keepaliveMs);
  step.startTimer('hold', holdTimeMs > 0 ? holdTimeMs : bfdHoldMs);
  if (readiness.kind === 'ready-in') startHoldDown(step, readiness.delayMs, holdTimeMs);
  return step.to({
    ...step.state,
    name: 'OpenSent',
    tcp: 'connected',
    delayOpenRunning: false,
    holdTimeMs,
    keepaliveMs,
    bfdWait: 'unconfirmed',
  });
}

/**
 * Starts the hold-down, which delays our KEEPALIVE while the peer's hold timer runs. The gate ensures that the hold-down is shorter than our
 * own hold time, but the peer may offer a shorter hold time. The delay is therefore at most two thirds of the negotiated hold time.
 */
export function startHoldDown(step: Transition, delayMs: number, holdTimeMs: number): void {
  step.startTimer('bfd', holdTimeMs > 0 ? Math.min(delayMs, Math.floor((holdTimeMs * 2) / 3)) : delayMs);
}

/** Goes to OpenConfirm: "sends a KEEPALIVE message", and starts KeepaliveTimer and HoldTimer unless the negotiated hold time is zero. */
export function confirm(step: Transition, holdTimeMs: number, keepaliveMs: number): FsmStep {
  step.act({ kind: 'send-keepalive' });
  if (holdTimeMs > 0) {
    step.startTimer('hold', holdTimeMs);
    step.startJitteredTimer('keepalive', keepaliveMs);
  } else {
    step.stopTimer('hold');
  }
  return step.to({
    ...step.state,
    name: 'OpenConfirm',
    tcp: 'connected',
    delayOpenRunning: false,
    bfdWait: undefined,
    holdTimeMs,
    keepaliveMs,
  });
}
