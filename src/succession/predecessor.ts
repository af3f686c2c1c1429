/**
 * The process that serves, and that passes its sessions on when it has to stop, as a pure machine.
 *
 *   alone ──connected──→ greeting ──hello──→ standby ──ready──→ standby, ready
 *                                               │ stop                │ stop
 *                                               ↓                     ↓
 *                                       standby, stopping ──ready──→ offering ──accepted──→ passed
 *   stop while alone with no successor awaited ──→ kept
 *   after the stop: a closed connection, a broken protocol, a failed offer, or a deadline ──→ kept
 *
 * Until this process has read `accepted`, it owns the sessions. If anything fails before that, it keeps them, and ends them as it would without a
 * successor. From `passed` on, only the successor owns them. The two processes therefore never both speak on one session.
 */
import { type SuccessionRecord, successionVersion } from './record.ts';

/** How long a stopping process waits for a successor that is still reading the cluster. The kubelet gives the Pod 30 s to end. */
export const readyDeadlineMs = 10_000;
/** How long a stopping process waits when its successor has yet to connect. The successor must be ready by then. */
export const connectDeadlineMs = 12_000;
/** Time limit for the successor to accept. Meanwhile nothing is read from the BGP peers, so this limit must be shorter than any hold time. */
export const acceptDeadlineMs = 2000;

export interface PredecessorState {
  readonly phase: 'alone' | 'greeting' | 'standby' | 'offering' | 'passed' | 'kept';
  readonly isReady: boolean;
  readonly isStopping: boolean;
}

export type PredecessorEvent =
  /** A process of the same user has connected. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'record'; readonly record: SuccessionRecord }
  /** The connection has ended, or the other end has broken the protocol. */
  | { readonly kind: 'closed' }
  /** This process has to stop. `awaitsSuccessor`: a successor is about to connect. */
  | { readonly kind: 'stop'; readonly awaitsSuccessor: boolean }
  /** The sessions could not be offered. */
  | { readonly kind: 'offer-failed' }
  | { readonly kind: 'deadline' };

export type PredecessorAction =
  | { readonly kind: 'send'; readonly record: SuccessionRecord }
  /** Close the connection with the successor. */
  | { readonly kind: 'disconnect' }
  /** Prepare the sessions and send them, then send `offered`. */
  | { readonly kind: 'offer' }
  /** Let the sessions go, then send `committed`. */
  | { readonly kind: 'commit' }
  /** The sessions stay here. */
  | { readonly kind: 'keep' }
  | { readonly kind: 'start-deadline'; readonly delayMs: number }
  | { readonly kind: 'stop-deadline' };

export interface PredecessorStep {
  readonly state: PredecessorState;
  readonly actions: readonly PredecessorAction[];
}

export const initialPredecessorState: PredecessorState = {
  phase: 'alone',
  isReady: false,
  isStopping: false,
};

export function stepPredecessor(state: PredecessorState, event: PredecessorEvent): PredecessorStep {
  if (state.phase === 'passed' || state.phase === 'kept') return { state, actions: [] };
  switch (event.kind) {
    case 'connected':
      // The newest successor counts, because an earlier one may hang. An offer, however, is never interrupted.
      if (state.phase === 'offering') return { state, actions: [] };
      return {
        state: { ...state, phase: 'greeting', isReady: false },
        actions: [{ kind: 'send', record: { kind: 'hello', version: successionVersion } }],
      };
    case 'record':
      return received(state, event.record);
    case 'closed':
      return lost(state);
    case 'offer-failed':
      return state.phase === 'offering' ? keep(state) : { state, actions: [] };
    case 'deadline':
      return state.isStopping ? keep(state) : { state, actions: [] };
    case 'stop':
      return stop(state, event.awaitsSuccessor);
  }
}

function received(state: PredecessorState, record: SuccessionRecord): PredecessorStep {
  const { phase, isStopping } = state;
  switch (record.kind) {
    case 'hello':
      if (phase !== 'greeting' || record.version !== successionVersion) return lost(state);
      return { state: { ...state, phase: 'standby' }, actions: [] };
    case 'ready':
      if (phase !== 'standby' || state.isReady) return lost(state);
      return isStopping ? offer(state) : { state: { ...state, isReady: true }, actions: [] };
    case 'accepted':
      if (phase !== 'offering') return lost(state);
      return {
        state: { ...state, phase: 'passed' },
        actions: [{ kind: 'stop-deadline' }, { kind: 'commit' }],
      };
    default:
      return lost(state);
  }
}

function stop(state: PredecessorState, awaitsSuccessor: boolean): PredecessorStep {
  if (state.isStopping) return { state, actions: [] };
  const stopping = { ...state, isStopping: true };
  if (state.phase === 'alone' && !awaitsSuccessor) return keep(stopping);
  if (state.isReady) return offer(stopping);
  const delayMs = state.phase === 'alone' ? connectDeadlineMs : readyDeadlineMs;
  return { state: stopping, actions: [{ kind: 'start-deadline', delayMs }] };
}

function offer(state: PredecessorState): PredecessorStep {
  return {
    state: { ...state, phase: 'offering', isReady: true },
    actions: [
      { kind: 'stop-deadline' },
      { kind: 'start-deadline', delayMs: acceptDeadlineMs },
      { kind: 'offer' },
    ],
  };
}

/** The connection has ended, or the other end has broken the protocol. */
function lost(state: PredecessorState): PredecessorStep {
  if (state.phase === 'alone') return { state, actions: [] };
  if (state.isStopping) return keep(state);
  return { state: { ...state, phase: 'alone', isReady: false }, actions: [{ kind: 'disconnect' }] };
}

function keep(state: PredecessorState): PredecessorStep {
  return {
    state: { ...state, phase: 'kept' },
    actions: [{ kind: 'stop-deadline' }, { kind: 'disconnect' }, { kind: 'keep' }],
  };
}
