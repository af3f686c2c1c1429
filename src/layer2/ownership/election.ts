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
  /**
   * The node that the Service's record names as the owner, if it is eligible and no node had claimed the address before this election. With
   * `takenBy`, it is the node that the record named before the address was taken.
   */
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
 * addresses of nodes that are gone are placed. Then the node with the most of them gives a group to the node with the fewest, while it still
 * has more afterwards. The last speaker that stopped may have been recorded for all addresses.
 */
export function* electOwners(
  vacant: readonly VacantAddress[],
  standing: Standing,
): Steps<Map<string, string>> {
  const election = new Election(standing);
  const sorted = [...vacant].sort(byGroup);
  const recorded = sorted.filter(({ recordedOwner }) => recordedOwner !== undefined);
  for (const { address, group, recordedOwner = '' } of recorded) {
    yield;
    election.place(address, group, recordedOwner);
  }
  for (const each of sorted) {
    yield;
    if (each.recordedOwner !== undefined) continue;
    const owner = each.takenBy ?? election.best(each);
    if (owner !== undefined) election.place(each.address, each.group, owner);
  }
  // A group of which another address has no record stays where that address went.
  const whole = [...groupsOf(sorted)].filter((group) =>
    group.every((each) => each.recordedOwner !== undefined),
  );
  yield* election.relieve(Map.groupBy(whole, ([first]) => first?.recordedOwner ?? ''));
  for (const { address, takenBy } of recorded)
    if (takenBy !== undefined) election.owners.set(address, takenBy);
  return election.owners;
}

/** The addresses of each group, in the order of the groups. The addresses are sorted by group. */
function* groupsOf(sorted: readonly VacantAddress[]): Iterable<readonly VacantAddress[]> {
  let group: VacantAddress[] = [];
  for (const each of sorted) {
    if (group[0] && group[0].group !== each.group) {
      yield group;
      group = [];
    }
    group.push(each);
  }
  if (group.length > 0) yield group;
}

class Election {
  readonly owners = new Map<string, string>();
  readonly #standing: Standing;
  readonly #added = new Map<string, number>();
  readonly #ownersOfGroup = new Map<string, Set<string>>();
  readonly #load = (node: string) => this.#standing.load(node) + (this.#added.get(node) ?? 0);

  constructor(standing: Standing) {
    this.#standing = standing;
  }

  place(address: string, group: string, owner: string): void {
    this.owners.set(address, owner);
    this.#add(owner, 1);
    this.#groupOwners(group).add(owner);
  }

  best({ address, group, eligible }: VacantAddress): string | undefined {
    const groupOwners = this.#groupOwners(group);
    const preferred = groupOwners.size === 0 ? [] : eligible.filter((node) => groupOwners.has(node));
    return leastLoaded(preferred.length > 0 ? preferred : eligible, address, this.#load);
  }

  /** Lets recorded owners give groups away. `groups` holds the groups of each recorded owner. */
  *relieve(groups: ReadonlyMap<string, (readonly VacantAddress[])[]>): Steps<void> {
    for (;;) {
      yield;
      const owner = this.#mostLoaded(groups);
      const group = owner === undefined ? undefined : groups.get(owner)?.shift();
      if (owner === undefined || !group) return;
      this.#giveAway(group, owner);
    }
  }

  #mostLoaded(groups: ReadonlyMap<string, readonly unknown[]>): string | undefined {
    let most: string | undefined;
    for (const [node, left] of groups)
      if (left.length > 0 && (most === undefined || this.#load(node) > this.#load(most))) most = node;
    return most;
  }

  #giveAway(group: readonly VacantAddress[], owner: string): void {
    const [first] = group;
    if (!first || group.some(({ recordedOwner }) => recordedOwner !== owner)) return;
    if (this.#groupOwners(first.group).size > 1) return;
    const able = first.eligible.filter((node) => group.every(({ eligible }) => eligible.includes(node)));
    const next = leastLoaded(able, first.address, this.#load);
    const count = group.length;
    if (next === undefined || this.#load(next) + count >= this.#load(owner) - count) return;
    for (const { address } of group) this.owners.set(address, next);
    this.#add(owner, -count);
    this.#add(next, count);
  }

  #add(node: string, count: number): void {
    this.#added.set(node, (this.#added.get(node) ?? 0) + count);
  }

  #groupOwners(group: string): Set<string> {
    const known = this.#ownersOfGroup.get(group) ?? new Set(this.#standing.ownersOf(group));
    this.#ownersOfGroup.set(group, known);
    return known;
  }
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
