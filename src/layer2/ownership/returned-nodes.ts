import type { Claim } from './claim.ts';
import type { NodeFacts } from './node-facts.ts';

/**
 * Nodes that this node had lost and hears again. Neighbours may still send the traffic of some addresses to them:
 *
 * - A node that was declared dead may have answered for its addresses until it learned of that.
 * - A node that ran in another part of a partition may have answered for any address whose owner it had lost, without a claim. A node that
 *   has restarted did not.
 */
export class ReturnedNodes {
  readonly #self: string;
  readonly #nodes: ReadonlyMap<string, NodeFacts>;
  readonly #haveRun: boolean;

  constructor(self: string, nodes: ReadonlyMap<string, NodeFacts>) {
    this.#self = self;
    this.#nodes = nodes;
    this.#haveRun = [...nodes.values()].some(({ isStarting }) => !isStarting);
  }

  /** Whether one of the nodes may have announced the address, although this node owns it. `claim` is the newest claim on the address. */
  mayHaveAnnounced(claim: Claim | undefined): boolean {
    if (claim?.owner !== this.#self) return false;
    return this.#haveRun || this.#nodes.has(claim.from);
  }
}
