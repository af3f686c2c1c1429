import { rendezvousWeight } from '../../hash.ts';
import type { Steps } from './steps.ts';

/** An address that has lost its owner, or never had one. */
export interface VacantAddress {
  readonly address: string;
  readonly group: string;
  /** Nodes that could answer for the address. */
  readonly eligible: readonly string[];
  /**
   * The node that has already claimed the address after the same loss. Nodes that learned of the loss earlier elected owners for all its
   * addresses together. The election therefore includes the claimed addresses, so that this node elects the same owners for the remaining
   * addresses.
   */
  readonly takenBy?: string;
  /** The eligible node that the Service's record names as the owner. Present only if no node has claimed the address. */
  readonly recordedOwner?: string;
}

/** The ownership that an election starts from. */
export interface Standing {
  /** Number of addresses that the node owns, except those with `takenBy` in this election. */
  load(node: string): number;
  /** Owners of the group's other addresses. */
  ownersOf(group: string): Iterable<string>;
}

/**
 * Elects an owner for each vacant address, group by group. Nodes that own an address of the same group come first. Among several nodes, the
 * node with the fewest addresses wins. Among nodes with equally many addresses, the greatest rendezvous weight (Thaler and Ravishankar,
 * 1998) wins. The result depends only on state that all members share, so all members elect the same owners without asking each other.
 * Addresses without an eligible node are missing from the result. The cost is O(vacant addresses × eligible nodes).
 *
 * Recorded owners matter when all speakers have started together. They get their addresses first, so that they count as load when the
 * addresses of nodes that are gone are placed.
 */
export function* electOwners(
  vacant: readonly VacantAddress[],
  standing: Standing,
): Steps<Map<string, string>> {
  const elected = new Map<string, string>();
  const added = new Map<string, number>();
  const ownersOfGroup = new Map<string, Set<string>>();
  const groupOwners = (group: string) => {
    const known = ownersOfGroup.get(group) ?? new Set(standing.ownersOf(group));
    ownersOfGroup.set(group, known);
    return known;
  };
  const place = (address: string, group: string, owner: string) => {
    elected.set(address, owner);
    added.set(owner, (added.get(owner) ?? 0) + 1);
    groupOwners(group).add(owner);
  };
  const load = (node: string) => standing.load(node) + (added.get(node) ?? 0);

  for (const { address, group, recordedOwner } of vacant) {
    yield;
    if (recordedOwner !== undefined) place(address, group, recordedOwner);
  }
  const others = vacant.filter(({ address }) => !elected.has(address)).sort(byGroup);
  for (const { address, group, eligible, takenBy } of others) {
    yield;
    const owners = groupOwners(group);
    const preferred = owners.size === 0 ? [] : eligible.filter((node) => owners.has(node));
    const owner = takenBy ?? leastLoaded(preferred.length > 0 ? preferred : eligible, address, load);
    if (owner !== undefined) place(address, group, owner);
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

/** Sorts by group, so that the election places all addresses of one group before the next group. */
function byGroup(a: VacantAddress, b: VacantAddress): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
