import { diagnostic } from '../codec/diagnostic.ts';
import type { BfdState } from '../codec/state.ts';

/** A change of state, with the diagnostic that explains it. */
export interface Transition {
  readonly state: BfdState;
  readonly diagnostic: number;
}

const toInit: Transition = { state: 'Init', diagnostic: diagnostic.none };
const toUp: Transition = { state: 'Up', diagnostic: diagnostic.none };
const signaledDown: Transition = { state: 'Down', diagnostic: diagnostic.neighborSignaledSessionDown };

/** The state machine of RFC 5880 section 6.2: local state, then received state. An absent entry changes nothing. */
const table: Readonly<Record<BfdState, Readonly<Partial<Record<BfdState, Transition>>>>> = {
  AdminDown: {},
  Down: { Down: toInit, Init: toUp },
  Init: { AdminDown: signaledDown, Init: toUp, Up: toUp },
  Up: { AdminDown: signaledDown, Down: signaledDown },
};

/** The transition that a received packet causes (RFC 5880 section 6.8.6); `undefined` when the state stays. */
export function transitionOn(local: BfdState, received: BfdState): Transition | undefined {
  return table[local][received];
}
