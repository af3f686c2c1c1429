/** Records an event of the Node when a BGP session goes down, and another one when it comes up again. */
import type { SessionChange } from '../../bgp/index.ts';
import { type EventRecord, regardingNode } from '../../kubernetes/events.ts';
import type { Node } from '../../kubernetes/model.ts';

export interface SessionEventsOptions {
  readonly events: { record(event: EventRecord): void };
  /** The Node of this speaker; `undefined` while it is not known. */
  readonly node: () => Node | undefined;
}

export class SessionEvents {
  readonly #options: SessionEventsOptions;
  /** Names of the peers whose session went down. */
  readonly #down = new Set<string>();

  constructor(options: SessionEventsOptions) {
    this.#options = options;
  }

  /** The first start of a session is not recorded. Otherwise every start of a speaker would record an event for each peer. */
  handle(change: SessionChange): void {
    const { peer } = change;
    if (change.kind === 'down') {
      this.#down.add(peer);
      this.#record('Warning', 'BGPSessionDown', `BGP session with peer ${peer} went down: ${change.reason}`);
    } else if (this.#down.delete(peer))
      this.#record('Normal', 'BGPSessionUp', `BGP session with peer ${peer} is up again`);
  }

  #record(type: EventRecord['type'], reason: 'BGPSessionUp' | 'BGPSessionDown', message: string): void {
    const node = this.#options.node();
    if (node) this.#options.events.record({ regarding: regardingNode(node), type, reason, message });
  }
}
