import { rendezvousWeight } from '../../hash.ts';

/** An address that has lost its owner, or never had one. */
export interface Orphan {
  readonly address: string;
  readonly group: string;
  /** Nodes that could answer for it. */
  readonly eligible: readonly string[];
  /** Who has taken it already: part of the same loss, so that late observers place the rest as the early ones did. */
  readonly takenBy?: string;
}

/** What the placement starts from. */
export interface Standing {
  /** Addresses that the node owns, without those among the orphans that it has taken. */
  load(node: string): number;
  /** Owners of other addresses of the group. */
  ownersOf(group: string): Iterable<string>;
  /** Called again and again meanwhile. */
  readonly breathe?: () => void;
}

/**
 * Places orphans one after another, group by group, each on the eligible node with the fewest addresses; of equals on the one with
 * the greatest rendezvous weight. A node that owns a sibling of the group comes before all others. A pure
 * function of what all members know, so that all come to the same result without asking each other; addresses without an eligible
 * node are missing from it. Costs O(orphans × eligible nodes).
 */
export function placeOrphans(orphans: readonly Orphan[], standing: Standing): Map<string, string> {
  const placed = new Map<string, string>();
  const added = new Map<string, number>();
  const ownersOfGroup = new Map<string, Set<string>>();
  for (const { address, group, eligible, takenBy } of [...orphans].sort(byGroup)) {
    standing.breathe?.();
    const siblings = ownersOfGroup.get(group) ?? new Set(standing.ownersOf(group));
    ownersOfGroup.set(group, siblings);
    const beside = siblings.size === 0 ? [] : eligible.filter((node) => siblings.has(node));
    const load = (node: string) => standing.load(node) + (added.get(node) ?? 0);
    const owner = takenBy ?? leastLoaded(beside.length > 0 ? beside : eligible, address, load);
    if (owner === undefined) continue;
    placed.set(address, owner);
    added.set(owner, (added.get(owner) ?? 0) + 1);
    siblings.add(owner);
  }
  return placed;
}

function leastLoaded(
  nodes: readonly string[],
  address: string,
  load: (node: string) => number,
): string | undefined {
  let best: string | undefined;
  let bestLoad = 0;
  for (const node of nodes) {
    const itsLoad = load(node);
    const isBetter =
      best === undefined || itsLoad < bestLoad || (itsLoad === bestLoad && isHeavier(node, best, address));
    if (!isBetter) continue;
    best = node;
    bestLoad = itsLoad;
  }
  return best;
}

function isHeavier(node: string, other: string, address: string): boolean {
  const difference = rendezvousWeight(node, address) - rendezvousWeight(other, address);
  return difference > 0 || (difference === 0 && node < other);
}

/** Siblings follow each other, so that each is counted where it will be before the next group is placed. */
function byGroup(a: Orphan, b: Orphan): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
