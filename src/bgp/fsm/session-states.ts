/** OpenSent, OpenConfirm and Established: the states of RFC 4271 section 8.2.2 after our OPEN has been sent. */

import { Cease, cease } from '../cease.ts';
import { MessageType, type NotificationError } from '../message.ts';
import { bfdHoldMs, confirm, openReceived, startHoldDown } from './connecting-states.ts';
import type { FsmEvent, FsmStep } from './connection-events.ts';
import type { FsmState, FsmTimer } from './connection-state.ts';
import type { Transition } from './transition.ts';

const nothing = new Uint8Array(0);
/** RFC 4271 section 6.5. */
const holdTimerExpired: NotificationError = { code: 4, subcode: 0, data: nothing };
/** RFC 4271 section 6.8, RFC 4486: Cease/Connection Collision Resolution. */
const collisionCease: NotificationError = { code: 6, subcode: 7, data: nothing };

/** RFC 6608 section 3: subcodes of the Finite State Machine Error by the state in which the message arrived. */
const unexpectedIn = { OpenSent: 1, OpenConfirm: 2, Established: 3 } as const;
/** RFC 7313 section 5: ROUTE-REFRESH Message Error. */
const refreshErrorCode = 7;

/** The messages that are unexpected in OpenSent, OpenConfirm or Established. */
type MessageEvent = Extract<
  FsmEvent,
  { kind: 'open' | 'open-error' | 'update' | 'update-error' | 'keepalive' }
>;

/** "BGP FSM waits for an OPEN message from its peer." */
export function openSent(step: Transition, event: FsmEvent): FsmStep {
  if (step.state.bfdWait) return bfdUpPending(step, event);
  switch (event.kind) {
    // Event 10 (HoldTimer_Expires): NOTIFICATION Hold Timer Expired; to Idle.
    case 'timer':
      return event.timer === 'hold' ? holdExpired(step) : step.stay();
    // Event 18 (TcpConnectionFails). The RFC goes to Active; this machine goes to Idle, so that damping applies (see connection-fsm.ts).
    case 'tcp-failed':
      return step.toFailed({ kind: 'tcp', reason: event.reason });
    // Event 19 (BGPOpen): send a KEEPALIVE, set KeepaliveTimer and HoldTimer; to OpenConfirm.
    case 'open':
      return openReceived(step, event);
    // Event 22 (BGPOpenMsgErr): NOTIFICATION with the error; to Idle.
    case 'open-error':
      return step.toFailed({ kind: 'sent', error: event.error }, event.error);
    // "Any other event (Events 9, 11-13, 20, 25-28)": NOTIFICATION Finite State Machine Error; to Idle.
    case 'keepalive':
    case 'update':
    case 'update-error':
      return unexpected(step, event, 'OpenSent');
    default:
      return afterOpen(step, event);
  }
}

/**
 * OpenSentBfdUpPending and OpenSentConfirmedBfdUpPending of draft-ietf-idr-bgp-bfd-strict-mode: both OPENs are exchanged, and the KEEPALIVE
 * waits for BFD. In the second one the peer has already sent its KEEPALIVE.
 */
function bfdUpPending(step: Transition, event: FsmEvent): FsmStep {
  const { state } = step;
  switch (event.kind) {
    case 'bfd-readiness':
      if (event.readiness.kind === 'ready') return bfdUp(step);
      if (event.readiness.kind === 'ready-in') startHoldDown(step, event.readiness.delayMs, state.holdTimeMs);
      else step.stopTimer('bfd');
      return step.stay();
    case 'timer':
      // The hold-down is over.
      if (event.timer === 'bfd') return bfdUp(step);
      if (event.timer !== 'hold') return step.stay();
      // Event 10 (HoldTimer_Expires), or BfdHoldTimer_Expires when the negotiated hold time is zero.
      return state.holdTimeMs > 0 ? holdExpired(step) : bfdHoldExpired(step);
    // Event 26 (KeepAliveMsg): BFD is Up at the peer's end. Restart HoldTimer; to OpenSentConfirmedBfdUpPending.
    case 'keepalive':
      step.restartHoldTimer();
      return step.to({ ...state, bfdWait: 'confirmed' });
    // KeepaliveTimer does not run yet, so it need not start again with the new interval.
    case 'keepalive-interval':
      return step.to({ ...state, keepaliveMs: event.keepaliveMs });
    case 'tcp-failed':
      return step.toFailed({ kind: 'tcp', reason: event.reason });
    case 'open-error':
      return step.toFailed({ kind: 'sent', error: event.error }, event.error);
    // A second OPEN, or a message that only an Established peer sends: NOTIFICATION Finite State Machine Error; to Idle.
    case 'open':
    case 'update':
    case 'update-error':
      return unexpected(step, event, 'OpenSent');
    default:
      return afterOpen(step, event);
  }
}

/** BFD lets the session come up: send the KEEPALIVE. To OpenConfirm, or to Established if the peer has sent its KEEPALIVE. */
function bfdUp(step: Transition): FsmStep {
  const { holdTimeMs, keepaliveMs, bfdWait } = step.state;
  step.stopTimer('bfd');
  const confirmed = confirm(step, holdTimeMs, keepaliveMs);
  return bfdWait === 'confirmed' ? establish(step, confirmed.state) : confirmed;
}

function bfdHoldExpired(step: Transition): FsmStep {
  const error = cease(Cease.bfdDown);
  const because = `BFD did not come up within ${bfdHoldMs / 1000} s`;
  return step.toFailed({ kind: 'reset', error, because }, error);
}

/** "BGP waits for a KEEPALIVE or NOTIFICATION message." */
export function openConfirm(step: Transition, event: FsmEvent): FsmStep {
  switch (event.kind) {
    // Events 10 and 11 (HoldTimer_Expires, KeepaliveTimer_Expires).
    case 'timer':
      return sessionTimer(step, event.timer);
    // Event 18 (TcpConnectionFails): to Idle.
    case 'tcp-failed':
      return step.toFailed({ kind: 'tcp', reason: event.reason });
    // Event 19 (BGPOpen): the RFC asks for the collision check of section 6.8, which the peer machine makes. A second OPEN on one
    // connection is an unexpected message (RFC 6608 section 4).
    case 'open':
      return unexpected(step, event, 'OpenConfirm');
    // Event 22 (BGPOpenMsgErr): NOTIFICATION with the error; to Idle.
    case 'open-error':
      return step.toFailed({ kind: 'sent', error: event.error }, event.error);
    // Event 26 (KeepAliveMsg): restart HoldTimer; to Established.
    case 'keepalive':
      step.restartHoldTimer();
      return establish(step, step.state);
    // "Any other event (Events 9, 12-13, 20, 27-28)": NOTIFICATION Finite State Machine Error; to Idle.
    case 'update':
    case 'update-error':
      return unexpected(step, event, 'OpenConfirm');
    default:
      return afterOpen(step, event);
  }
}

function establish(step: Transition, state: FsmState): FsmStep {
  const { lastingMs, sendHoldMs } = step.config;
  step.act({ kind: 'up' });
  step.startTimer('lasting', lastingMs);
  // RFC 9687 section 6: SendHoldTime is at least twice the hold time.
  if (state.holdTimeMs > 0) step.startTimer('send-hold', Math.max(sendHoldMs, 2 * state.holdTimeMs));
  return step.to({ ...state, name: 'Established' });
}

/** "BGP FSM can exchange UPDATE, NOTIFICATION, and KEEPALIVE messages with its peer." */
export function established(step: Transition, event: FsmEvent): FsmStep {
  switch (event.kind) {
    // Events 10, 11, and SendHoldTimer_Expires (RFC 9687).
    case 'timer':
      // The session has lasted: its next failure counts as the first.
      if (event.timer === 'lasting')
        return step.to({ ...step.state, oscillations: 0, connectRetryCounter: 0 });
      // RFC 9687 makes the NOTIFICATION optional. It is left out here, because it would only wait behind octets that the peer does not
      // read.
      if (event.timer === 'send-hold') return step.toFailed({ kind: 'send-hold-timer' });
      return sessionTimer(step, event.timer);
    // Event 18 (TcpConnectionFails): to Idle.
    case 'tcp-failed':
      return step.toFailed({ kind: 'tcp', reason: event.reason });
    // Events 26, 27 (KeepAliveMsg, UpdateMsg): restart HoldTimer if the negotiated hold time is not zero.
    case 'keepalive':
    case 'update':
      step.restartHoldTimer();
      return step.stay();
    // Event 28 (UpdateMsgErr): NOTIFICATION with the UPDATE error; to Idle.
    case 'update-error':
      return step.toFailed({ kind: 'sent', error: event.error }, event.error);
    // "Any other event (Events 9, 12-13, 20-22)": NOTIFICATION Finite State Machine Error; to Idle.
    case 'open':
    case 'open-error':
      return unexpected(step, event, 'Established');
    default:
      return afterOpen(step, event);
  }
}

/** Handles the events that OpenSent, OpenConfirm and Established answer in the same way. */
function afterOpen(
  step: Transition,
  event: Exclude<
    FsmEvent,
    { kind: 'open' | 'open-error' | 'update' | 'update-error' | 'keepalive' | 'tcp-failed' | 'timer' }
  >,
): FsmStep {
  switch (event.kind) {
    // Events 1, 3-7: "any start event is ignored". Events 16, 17 (a second connection) belong to the peer machine.
    case 'start':
    case 'tcp-connected':
    case 'bfd-readiness':
      return step.stay();
    // Event 2 (ManualStop): NOTIFICATION Cease, ConnectRetryCounter to zero; to Idle.
    case 'stop':
      return step.toStopped(event.error, event.because);
    // Event 8 (AutomaticStop): NOTIFICATION Cease, increment ConnectRetryCounter, damp; to Idle.
    case 'reset':
      return step.toFailed(
        { kind: 'reset', because: event.because, ...(event.error ? { error: event.error } : {}) },
        event.error,
      );
    // Event 21 (BGPHeaderErr): NOTIFICATION with the error; to Idle. For Established, section 8.2.2 lists it under "any other event", but
    // section 6.1 asks for the header error, and implementations send that.
    case 'header-error':
      return step.toFailed({ kind: 'sent', error: event.error }, event.error);
    // Event 23 (OpenCollisionDump): NOTIFICATION Cease; to Idle.
    case 'collision-dump': {
      const error = event.because === undefined ? collisionCease : { ...collisionCease, text: event.because };
      return step.toFailed({ kind: 'sent', error }, error);
    }
    // Events 24, 25 (NotifMsgVerErr, NotifMsg): to Idle. A NOTIFICATION is never answered by one, not even in OpenSent.
    case 'notification':
      return step.toFailed({ kind: 'received', error: event.error });
    case 'keepalive-interval':
      return changeInterval(step, event.keepaliveMs);
  }
}

function sessionTimer(step: Transition, timer: FsmTimer): FsmStep {
  const { holdTimeMs, keepaliveMs } = step.state;
  // Event 10 (HoldTimer_Expires): NOTIFICATION Hold Timer Expired; to Idle.
  if (timer === 'hold') return holdExpired(step);
  // Event 11 (KeepaliveTimer_Expires): send a KEEPALIVE, restart KeepaliveTimer.
  if (timer !== 'keepalive' || holdTimeMs === 0) return step.stay();
  step.act({ kind: 'send-keepalive' });
  step.startJitteredTimer('keepalive', keepaliveMs);
  return step.stay();
}

function changeInterval(step: Transition, keepaliveMs: number): FsmStep {
  const { state } = step;
  // Each edit leads here. One that keeps the interval must not delay the next KEEPALIVE.
  if (state.holdTimeMs === 0 || state.keepaliveMs === keepaliveMs) return step.stay();
  step.startJitteredTimer('keepalive', keepaliveMs);
  return step.to({ ...state, keepaliveMs });
}

function holdExpired(step: Transition): FsmStep {
  return step.toFailed({ kind: 'hold-timer' }, holdTimerExpired);
}

/** RFC 6608 section 4: the data is the type of the unexpected message. */
function unexpected(step: Transition, event: MessageEvent, state: keyof typeof unexpectedIn): FsmStep {
  const error = { code: 5, subcode: unexpectedIn[state], data: Uint8Array.of(typeOf(event)) };
  return step.toFailed({ kind: 'sent', error }, error);
}

function typeOf(event: MessageEvent): number {
  switch (event.kind) {
    case 'open':
    case 'open-error':
      return MessageType.Open;
    case 'keepalive':
      return MessageType.Keepalive;
    case 'update':
      return event.isRefresh ? MessageType.RouteRefresh : MessageType.Update;
    case 'update-error':
      return event.error.code === refreshErrorCode ? MessageType.RouteRefresh : MessageType.Update;
  }
}
