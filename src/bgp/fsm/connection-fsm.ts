/**
 * The BGP finite state machine of one TCP connection, as a pure function `(state, event) → { state, actions }`.
 *
 * The machine follows RFC 4271 section 8.2.2 state by state. A comment above each branch gives the event's number and name and what the RFC
 * asks for. Of the RFC's optional attributes, DampPeerOscillations and SendNOTIFICATIONwithoutOPEN are always on. FsmConfig turns DelayOpen
 * and PassiveTcpEstablishment on or off. The subcodes of unexpected messages come from RFC 6608, and the send hold timer comes from RFC
 * 9687. The function is total: every event in every state has an outcome. It reads no clock: starting a timer is an action, and the expiry
 * of a timer is an event.
 *
 *   socket, timers ──events──→ stepConnection() ──actions──→ socket, timers
 *
 *   connecting-states.ts   Idle, Connect, Active
 *   session-states.ts      OpenSent, OpenConfirm, Established
 *   peer-machine.ts        the one or two connections of a peer, each with a machine of this kind
 *
 * Departures from section 8.2.2:
 * - Damping. After each failure the machine waits in Idle. The delay doubles with each failure in a row. Only a session that has lasted, or a
 *   ManualStop outside Idle, resets the delay. A peer that accepts a connection and refuses the session at once is therefore never retried in a
 *   tight loop. Such a peer cannot make us accept its own connections in a tight loop either, because Idle refuses them. When a connection
 *   breaks in OpenSent, the RFC goes to Active. This machine goes to Idle, so that the delay applies there too. An attempt for which TCP does
 *   not come up is not one of these failures, and it does not lengthen the delay after a later failure. The delay after such an attempt grows
 *   to ConnectRetryTime at most, so a router that was away is found soon after it returns.
 * - A NOTIFICATION is never answered by a NOTIFICATION.
 *
 * draft-ietf-idr-bgp-bfd-strict-mode adds two sub-states to OpenSent (session-states.ts). The hold-down of the draft runs there too. Our
 * KEEPALIVE is sent only when the hold-down is over, so that the peer is not Established while we still wait. With `bfd-strict: local`, the
 * machine waits in Idle instead (connecting-states.ts).
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
