import type { IpAddress } from '../../address/index.ts';
import { hash32, rendezvousState, weightFromHash } from '../../hash.ts';
import { type AddressEntry, interfacesOf } from '../address-entry.ts';
import type { Eligibility } from '../ownership/eligibility.ts';
import type { NodeFacts } from '../ownership/node-facts.ts';

/** The entry of an address, and the parsed address. */
export interface RankedAddress {
  readonly entry: AddressEntry;
  readonly address: IpAddress;
}

/** Number of witnesses of an address: the one that asks, and the one that gives a second opinion. */
const witnessCount = 2;
/** Puts every candidate of an address before every other node. */
const candidateWeight = 2 ** 32;

/**
 * Chooses the witnesses of each address among the live nodes that ask questions and have a link for the address. Candidates of the address
 * come first, because the configuration says that they share the link with the owner. Among the candidates, and among the other nodes, the greatest
 * rendezvous weight decides. All nodes with the same view choose the same witnesses.
 */
export class WitnessRanking {
  readonly #nodes: ReadonlyMap<string, NodeFacts>;
  readonly #eligibility: Eligibility;
  readonly #able: readonly string[];
  readonly #states: ReadonlyMap<string, number>;
  readonly #candidates = new WeakMap<readonly string[], ReadonlySet<string>>();

  /** `nodes` holds the live nodes, and `eligibility` judges the same nodes. */
  constructor(nodes: ReadonlyMap<string, NodeFacts>, eligibility: Eligibility) {
    this.#nodes = nodes;
    this.#eligibility = eligibility;
    this.#able = [...nodes]
      .filter(([, { witness, isStarting }]) => witness !== undefined && !witness.isDeaf && !isStarting)
      .map(([node]) => node);
    this.#states = new Map(this.#able.map((node) => [node, rendezvousState(node)]));
  }

  /** The nodes that ask `subject` for the address, at most two. The first always asks. The second asks when the first gets no answer. */
  witnesses({ entry, address }: RankedAddress, subject: string): readonly string[] {
    const keyHash = hash32(entry.address);
    const candidates = this.#candidateSet(entry.candidates);
    const best: { node: string; weight: number }[] = [];
    for (const node of this.#eligibility.carriersAmong(this.#able, address, entry)) {
      if (node === subject || !this.#canAsk(node, address, entry)) continue;
      const weight =
        weightFromHash(this.#states.get(node) ?? 0, keyHash) + (candidates.has(node) ? candidateWeight : 0);
      const last = best[witnessCount - 1];
      if (last && !isBefore({ node, weight }, last)) continue;
      best.push({ node, weight });
      best.sort((a, b) => (isBefore(a, b) ? -1 : 1));
      best.length = Math.min(best.length, witnessCount);
    }
    return best.map(({ node }) => node);
  }

  /** Whether the node has an address from which it can ask. A link that the entry names may lack such an address. */
  #canAsk(node: string, address: IpAddress, entry: AddressEntry): boolean {
    const interfaces = interfacesOf(entry, node);
    if (interfaces.length === 0) return true;
    const links = this.#nodes.get(node)?.links ?? [];
    return links.some(
      ({ name, subnets }) =>
        interfaces.includes(name) && subnets.some(({ family }) => family === address.family),
    );
  }

  #candidateSet(candidates: readonly string[]): ReadonlySet<string> {
    const known = this.#candidates.get(candidates) ?? new Set(candidates);
    this.#candidates.set(candidates, known);
    return known;
  }
}

function isBefore(
  a: { readonly node: string; readonly weight: number },
  b: { readonly node: string; readonly weight: number },
): boolean {
  return a.weight !== b.weight ? a.weight > b.weight : a.node < b.node;
}
