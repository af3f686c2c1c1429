import { sortedInSteps } from '../../sorted-in-steps.ts';
import { LoadHeap, LoadRanking } from './load-ranking.ts';
import type { Steps } from './steps.ts';

/** An address that has lost its owner, or never had one. */
export interface VacantAddress {
  readonly address: string;
  readonly group: string;
  /** Nodes that could answer for the address. */
  readonly eligible: readonly string[];
  /** The eligible nodes that may get the address even if they own no other address of its group. Absent when all eligible nodes may. */
  readonly placeable?: readonly string[];
  /**
   * The node that has already claimed the address after the loss of its owner. Nodes that learned of the loss earlier elected new owners for all
   * addresses of the lost owner together. A node that learns of the loss later must elect the same owners for the addresses that are still
   * vacant. Its election therefore includes the addresses already claimed.
   */
  readonly takenBy?: string;
  /**
   * The node that the Service's record names as the owner, if that node is eligible and the claims name no owner. With `takenBy`, the node that
   * the record named before the address was taken.
   */
  readonly recordedOwner?: string;
}

/** The ownership that an election starts from. */
export interface Standing {
  /** Number of addresses that the node owns or is about to claim, except those with `takenBy` in this election. */
  load(node: string): number;
  /** Nodes that own, or are about to claim, those addresses of the group that take no part in this election. */
  ownersOf(group: string): Iterable<string>;
}

/**
 * Elects an owner for each vacant address, group by group. Nodes that own an address of the same group come first. Among several nodes, the
 * node with the fewest addresses wins. Among nodes with equally many addresses, the greatest rendezvous weight (Thaler and Ravishankar,
 * 1998) wins. The result depends only on state that all members share, so all members elect the same owners without asking each other.
 * Addresses without an eligible node are missing from the result.
 *
 * Vacant addresses with the same list object of placeable nodes share one ranking of these nodes. An address then costs only the comparison of
 * the nodes with the fewest addresses.
 *
 * Recorded owners matter when all speakers have started together. They get their addresses first, and these count as load when the election
 * places the addresses of nodes that are gone. One node may be recorded for all addresses, because it was the last to stop. Recorded owners
 * therefore give groups away, one group at a time: the recorded owner with the most addresses gives a group to the node with the fewest. A group
 * moves only if the giver still has more addresses than the receiver afterwards.
 */
export function* electOwners(
  vacant: readonly VacantAddress[],
  standing: Standing,
): Steps<Map<string, string>> {
  const election = new Election(standing);
  const sorted = yield* sortedInSteps(vacant, byGroup);
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
  // Only a group whose addresses all have a recorded owner may move.
  const whole: (readonly VacantAddress[])[] = [];
  for (const group of groupsOf(sorted)) {
    yield;
    if (group.every((each) => each.recordedOwner !== undefined)) whole.push(group);
  }
  yield* election.relieve(Map.groupBy(whole, ([first]) => first?.recordedOwner ?? ''));
  for (const { address, takenBy } of recorded)
    if (takenBy !== undefined) election.owners.set(address, takenBy);
  return election.owners;
}

/** The addresses of each group, in the order of the groups. `sorted` must be sorted by group. */
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
  readonly #loads = new Map<string, number>();
  /** Few nodes own addresses of one group, and a short array takes less memory than a Set. */
  readonly #ownersOfGroup = new Map<string, readonly string[]>();
  readonly #rankings = new Map<readonly string[], LoadRanking>();
  readonly #load = (node: string) => this.#loads.get(node) ?? this.#standing.load(node);

  constructor(standing: Standing) {
    this.#standing = standing;
  }

  place(address: string, group: string, owner: string): void {
    this.owners.set(address, owner);
    this.#add(owner, 1);
    const owners = this.#groupOwners(group);
    if (owners.includes(owner)) return;
    // A single owner is stored without a spread, because V8 reserves room for 16 more owners in an array that a spread creates.
    this.#ownersOfGroup.set(group, owners.length === 0 ? [owner] : [...owners, owner]);
  }

  best({ address, group, eligible, placeable = eligible }: VacantAddress): string | undefined {
    const groupOwners = this.#groupOwners(group);
    const preferred = groupOwners.length === 0 ? [] : eligible.filter((node) => groupOwners.includes(node));
    if (preferred.length > 0) return new LoadRanking(preferred, this.#load).best(address);
    const ranking = this.#rankings.get(placeable) ?? new LoadRanking(placeable, this.#load);
    this.#rankings.set(placeable, ranking);
    return ranking.best(address);
  }

  /** Lets recorded owners give groups away. `groups` holds the groups of each recorded owner. */
  *relieve(groups: ReadonlyMap<string, (readonly VacantAddress[])[]>): Steps<void> {
    const left = new Map<string, { readonly all: readonly (readonly VacantAddress[])[]; next: number }>();
    for (const [owner, all] of groups) left.set(owner, { all, next: 0 });
    const most = new LoadHeap('greatest', left.keys(), this.#load);
    const least = new LoadHeap('least', placeableIn(groups), this.#load);
    for (;;) {
      yield;
      const owner = most.first();
      const queue = owner === undefined ? undefined : left.get(owner);
      const group = queue?.all[queue.next];
      if (owner === undefined || !queue || !group) return;
      queue.next++;
      if (queue.next === queue.all.length) most.removeFirst();
      const leastNode = least.first();
      const leastLoad = leastNode === undefined ? Number.POSITIVE_INFINITY : this.#load(leastNode);
      // After the move, even the node with the fewest addresses would have as many as the owner, or more.
      if (leastLoad + group.length >= this.#load(owner) - group.length) continue;
      const next = this.#giveAway(group, owner);
      if (next === undefined) continue;
      most.note(next);
      least.note(owner);
    }
  }

  /**
   * Gives the group to the node with the fewest addresses among those that may get the whole group, if the owner still has more addresses
   * afterwards. Returns that node, or `undefined` when the group stays.
   */
  #giveAway(group: readonly VacantAddress[], owner: string): string | undefined {
    const [first] = group;
    if (!first || group.some(({ recordedOwner }) => recordedOwner !== owner)) return undefined;
    if (this.#groupOwners(first.group).length > 1) return undefined;
    const others = new Set(group.slice(1).map(placeableFor));
    const own = placeableFor(first);
    others.delete(own);
    const sets = [...others].map((nodes) => new Set(nodes));
    const able = own.filter((node) => sets.every((nodes) => nodes.has(node)));
    const next = new LoadRanking(able, this.#load).best(first.address);
    const count = group.length;
    if (next === undefined || this.#load(next) + count >= this.#load(owner) - count) return undefined;
    for (const { address } of group) this.owners.set(address, next);
    this.#add(owner, -count);
    this.#add(next, count);
    return next;
  }

  #add(node: string, count: number): void {
    this.#loads.set(node, this.#load(node) + count);
  }

  #groupOwners(group: string): readonly string[] {
    const known = this.#ownersOfGroup.get(group);
    if (known) return known;
    const owners = [...new Set(this.#standing.ownersOf(group))];
    this.#ownersOfGroup.set(group, owners);
    return owners;
  }
}

function placeableFor({ eligible, placeable = eligible }: VacantAddress): readonly string[] {
  return placeable;
}

/** All nodes that may get an address of the groups. */
function placeableIn(groups: ReadonlyMap<string, readonly (readonly VacantAddress[])[]>): Set<string> {
  const lists = new Set<readonly string[]>();
  for (const all of groups.values())
    for (const group of all) for (const each of group) lists.add(placeableFor(each));
  const nodes = new Set<string>();
  for (const list of lists) for (const node of list) nodes.add(node);
  return nodes;
}

/** Sorts by group, so that the election places all addresses of one group before the next group. */
function byGroup(a: VacantAddress, b: VacantAddress): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
