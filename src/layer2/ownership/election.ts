import { rendezvousWeight } from '../../hash.ts';
import type { Steps } from './steps.ts';

/** An address that has lost its owner, or never had one. */
export interface VacantAddress {
  readonly address: string;
  readonly group: string;
  /** Nodes that could answer for it. */
  readonly eligible: readonly string[];
  /**
   * The node that has already claimed the address after the same loss. The election includes such addresses so that a node that
   * learns of the loss late elects the same owners for the rest as the earlier nodes did.
   */
  readonly takenBy?: string;
}

/** The ownership that an election starts from. */
export interface Standing {
  /** Number of addresses that the node owns, except those with `takenBy` in this election. */
  load(node: string): number;
  /** Owners of the group's other addresses. */
  ownersOf(group: string): Iterable<string>;
}

/**
 * Elects an owner for each vacant address, group by group. A node that owns an address of the same group is preferred; otherwise
 * the node with the fewest addresses wins, and among equals the one with the greatest rendezvous weight (Thaler and Ravishankar,
 * 1998). The result depends only on state that all members share, so all members elect the same owners without asking each other.
 * Addresses without an eligible node are missing from the result. Costs O(vacant addresses × eligible nodes).
 */
export function* electOwners(
  vacant: readonly VacantAddress[],
  standing: Standing,
): Steps<Map<string, string>> {
  const elected = new Map<string, string>();
  const added = new Map<string, number>();
  const ownersOfGroup = new Map<string, Set<string>>();
  for (const { address, group, eligible, takenBy } of [...vacant].sort(byGroup)) {
    yield;
    const groupOwners = ownersOfGroup.get(group) ?? new Set(standing.ownersOf(group));
    ownersOfGroup.set(group, groupOwners);
    const preferred = groupOwners.size === 0 ? [] : eligible.filter((node) => groupOwners.has(node));
    const load = (node: string) => standing.load(node) + (added.get(node) ?? 0);
    const owner = takenBy ?? leastLoaded(preferred.length > 0 ? preferred : eligible, address, load);
    if (owner === undefined) continue;
    elected.set(address, owner);
    added.set(owner, (added.get(owner) ?? 0) + 1);
    groupOwners.add(owner);
  }
  return elected;
}

function leastLoaded(
  nodes: readonly string[],
  address: string,
  load: (node: string) => number,
): string | undefined {
  let best: string | undefined;
  let bestLoad = 0;
  for (const node of nodes) {
    const nodeLoad = load(node);
    const isBetter =
      best === undefined || nodeLoad < bestLoad || (nodeLoad === bestLoad && outweighs(node, best, address));
    if (!isBetter) continue;
    best = node;
    bestLoad = nodeLoad;
  }
  return best;
}

function outweighs(node: string, other: string, address: string): boolean {
  const difference = rendezvousWeight(node, address) - rendezvousWeight(other, address);
  return difference > 0 || (difference === 0 && node < other);
}

/** Keeps a group together, so that all its addresses are counted before the next group is placed. */
function byGroup(a: VacantAddress, b: VacantAddress): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
