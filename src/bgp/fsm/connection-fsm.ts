/**
 * The BGP finite state machine of one TCP connection, as a pure function `(state, event) → { state, actions }`.
 *
 * The machine follows RFC 4271 section 8.2.2 state by state. A comment above each branch gives the event's number and name and what the
 * RFC asks for. Of the RFC's optional attributes, DampPeerOscillations is always on; DelayOpen and PassiveTcpEstablishment are on where
 * configured. RFC 6608 gives the subcodes of unexpected messages, RFC 9687 the send hold timer. The function is total: every event in
 * every state has an outcome. It reads no clock: timers are actions, their expiries are events.
 *
 *   socket, timers ──events──→ stepConnection() ──actions──→ socket, timers
 *
 *   connecting-states.ts   Idle, Connect, Active
 *   session-states.ts      OpenSent, OpenConfirm, Established
 *   peer-machine.ts        the one or two connections of a peer, each with a machine of this kind
 *
 * Departures from section 8.2.2:
 * - Damping. Each failure returns to Idle and waits there; the delay doubles with each failure in a row, and only a session that has
 *   lasted resets it. A peer that accepts a connection and refuses the session at once is therefore never retried in a tight loop. It
 *   cannot make us accept its own connections in a tight loop either, because Idle refuses them. For the same reason, a connection that
 *   breaks in OpenSent goes to Idle, not Active. An attempt for which TCP does not come up is not an oscillation: it is retried within
 *   ConnectRetryTime and lengthens no later delay, so that a router that was away is found soon after it returns.
 * - A NOTIFICATION is never answered by a NOTIFICATION.
 */
import { connectOrActive, idle } from './connecting-states.ts';
import type { FsmEvent, FsmStep } from './connection-events.ts';
import type { FsmConfig, FsmState } from './connection-state.ts';
import { established, openConfirm, openSent } from './session-states.ts';
import { Transition } from './transition.ts';

/** One step of the machine. */
export function stepConnection(state: FsmState, event: FsmEvent, config: FsmConfig): FsmStep {
  const step = new Transition(state, config);
  switch (state.name) {
    case 'Idle':
      return idle(step, event);
    case 'Connect':
    case 'Active':
      return connectOrActive(step, event);
    case 'OpenSent':
      return openSent(step, event);
    case 'OpenConfirm':
      return openConfirm(step, event);
    case 'Established':
      return established(step, event);
  }
}
