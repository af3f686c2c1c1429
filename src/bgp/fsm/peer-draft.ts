import type { BgpState, FsmState } from './connection-state.ts';
import type { PeerAction, PeerStep } from './peer-events.ts';
import type { ConnectionState, PeerState } from './peer-state.ts';

/** The draft of one step of a peer's machine: the state and the actions so far. Each step has its own draft. */
export class PeerDraft {
  #state: PeerState;
  readonly #actions: PeerAction[] = [];
  #shownState: BgpState;

  constructor(state: PeerState) {
    this.#state = state;
    this.#shownState = state.primary.fsm.name;
  }

  get state(): PeerState {
    return this.#state;
  }

  finish(): PeerStep {
    return { state: this.#state, actions: this.#actions };
  }

  act(action: PeerAction): void {
    this.#actions.push(action);
  }

  /** Applies the changes. Adds a `state-changed` action when the primary's FSM state differs from the state last reported. */
  set(changes: Partial<PeerState>): void {
    this.#state = { ...this.#state, ...changes };
    const to = this.#state.primary.fsm.name;
    if (to === this.#shownState) return;
    this.act({ kind: 'state-changed', from: this.#shownState, to });
    this.#shownState = to;
  }

  find(id: number): ConnectionState | undefined {
    const { primary, contender } = this.#state;
    if (primary.id === id) return primary;
    return contender?.id === id ? contender : undefined;
  }

  otherThan(id: number): ConnectionState | undefined {
    const { primary, contender } = this.#state;
    return primary.id === id ? contender : primary;
  }

  /** Changes a connection, if the peer still has it. */
  change(id: number, changes: Partial<ConnectionState>): void {
    const connection = this.find(id);
    if (!connection) return;
    const changed = { ...connection, ...changes };
    this.set(id === this.#state.primary.id ? { primary: changed } : { contender: changed });
  }

  discardContender(): void {
    const { contender } = this.#state;
    if (!contender) return;
    this.act({ kind: 'discard', connection: contender.id });
    this.set({ contender: undefined });
  }

  /** The primary has ended: the contender, if there is one, takes its place. */
  promoteContender(): void {
    const { primary, contender } = this.#state;
    if (!contender) return;
    this.act({ kind: 'discard', connection: primary.id });
    const fsm = inheritFailures(contender.fsm, primary.fsm);
    this.set({ primary: { ...contender, fsm }, contender: undefined });
  }
}

/**
 * Takes over each failure count that is higher on the other connection. Damping applies to the peer, so a new connection must not reset the counts.
 */
export function inheritFailures(fsm: FsmState, other: FsmState): FsmState {
  return {
    ...fsm,
    oscillations: Math.max(fsm.oscillations, other.oscillations),
    connectRetryCounter: Math.max(fsm.connectRetryCounter, other.connectRetryCounter),
  };
}
