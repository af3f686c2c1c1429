/**
 * The process that waits beside the one that serves, as a pure machine.
 *
 *   greeting ──hello──→ waiting ──in-sync, sends ready──→ waiting ──item …, offered──→ checking
 *   checking ──valid, sends accepted──→ accepting ──committed──→ inherited
 *   a closed connection, a broken protocol, or an invalid item ──→ without
 *
 * The waiting process owns no session before it has read `committed`. If the connection ends earlier, the waiting process closes the descriptors
 * that it got, and the sessions stay with the process that serves.
 */
import { type SuccessionRecord, successionVersion } from './record.ts';

/** Bounds the cost of a process that does not follow the protocol. An item holds up to 2048 prefixes, so a million prefixes are 489 items. */
const maxItems = 65_536;

export interface SuccessorState {
  readonly phase: 'greeting' | 'waiting' | 'checking' | 'accepting' | 'inherited' | 'without';
  readonly isInSync: boolean;
  readonly items: number;
}

export type SuccessorEvent =
  | { readonly kind: 'record'; readonly record: SuccessionRecord }
  /** This process knows the cluster, and can serve. */
  | { readonly kind: 'in-sync' }
  /** The answer to `check`. */
  | { readonly kind: 'valid' | 'invalid' }
  | { readonly kind: 'closed' };

export type SuccessorAction =
  | { readonly kind: 'send'; readonly record: SuccessionRecord }
  | { readonly kind: 'keep-item'; readonly octets: Uint8Array }
  /** All items have arrived: check them, and answer with `valid` or `invalid`. */
  | { readonly kind: 'check' }
  /** The sessions belong to this process now. */
  | { readonly kind: 'inherit' }
  /** Close the connection and all descriptors that came over it. */
  | { readonly kind: 'give-up' };

export interface SuccessorStep {
  readonly state: SuccessorState;
  readonly actions: readonly SuccessorAction[];
}

export const initialSuccessorState: SuccessorState = { phase: 'greeting', isInSync: false, items: 0 };

/** The first record of a successor. */
export const greeting: SuccessionRecord = { kind: 'hello', version: successionVersion };

export function stepSuccessor(state: SuccessorState, event: SuccessorEvent): SuccessorStep {
  if (state.phase === 'inherited' || state.phase === 'without') return { state, actions: [] };
  switch (event.kind) {
    case 'in-sync': {
      if (state.isInSync) return { state, actions: [] };
      const actions = state.phase === 'waiting' ? [ready] : [];
      return { state: { ...state, isInSync: true }, actions };
    }
    case 'record':
      return received(state, event.record);
    case 'valid':
      if (state.phase !== 'checking') return giveUp(state);
      return {
        state: { ...state, phase: 'accepting' },
        actions: [{ kind: 'send', record: { kind: 'accepted' } }],
      };
    case 'invalid':
    case 'closed':
      return giveUp(state);
  }
}

const ready: SuccessorAction = { kind: 'send', record: { kind: 'ready' } };

function received(state: SuccessorState, record: SuccessionRecord): SuccessorStep {
  const { phase, isInSync, items } = state;
  switch (record.kind) {
    case 'hello':
      if (phase !== 'greeting' || record.version !== successionVersion) return giveUp(state);
      return { state: { ...state, phase: 'waiting' }, actions: isInSync ? [ready] : [] };
    case 'item':
      if (phase !== 'waiting' || !isInSync || items === maxItems) return giveUp(state);
      return {
        state: { ...state, items: items + 1 },
        actions: [{ kind: 'keep-item', octets: record.octets }],
      };
    case 'offered':
      if (phase !== 'waiting' || !isInSync || items !== record.items) return giveUp(state);
      return { state: { ...state, phase: 'checking' }, actions: [{ kind: 'check' }] };
    case 'committed':
      if (phase !== 'accepting') return giveUp(state);
      return { state: { ...state, phase: 'inherited' }, actions: [{ kind: 'inherit' }] };
    default:
      return giveUp(state);
  }
}

function giveUp(state: SuccessorState): SuccessorStep {
  return { state: { ...state, phase: 'without' }, actions: [{ kind: 'give-up' }] };
}
