import { hash32 } from '../hash.ts';
import type { Endpoint } from './endpoint.ts';
import { HashTree, leafOf } from './hash-tree.ts';
import type { MemberState, MemberUpdate } from './packet.ts';
import type { MergeOrder } from './payload.ts';
import { firstRtt, type RttEstimate } from './timing.ts';

const rank: Readonly<Record<MemberState, number>> = { alive: 0, suspect: 1, dead: 2, left: 3 };

/** Another member. Times are monotonic milliseconds. */
export interface Member {
  readonly name: string;
  /** The leaf of its record in the tree of hashes. */
  readonly leaf: number;
  state: MemberState;
  incarnation: number;
  endpoint: Endpoint;
  metadata: string;
  /** When the state was learned. */
  sinceMs: number;
  /** When a packet from the member itself, or its ack through a relay, last arrived. At first, the time at which the table added the member. */
  heardAtMs: number;
  /** When the member last answered a ping, directly or through a relay. At first, the time at which the table added the member. */
  answeredAtMs: number;
  rtt: RttEstimate;
  /**
   * Whether this member is known only from other members: it has sent no packet to this node, and the complete list of Kubernetes does not name
   * it. The record is not passed on, and digests leave it out.
   */
  isHearsay: boolean;
}

/** Whether the member is alive or suspect. A suspect counts as live until it is declared dead. */
export function isLive(member: Pick<Member, 'state'> | undefined): boolean {
  return member?.state === 'alive' || member?.state === 'suspect';
}

/** The update that describes the member as the table knows it. */
export function updateOf({ name, state, incarnation, endpoint, metadata }: Member): MemberUpdate {
  return { kind: 'member', name, state, incarnation, endpoint, metadata };
}

/** The update without the member's metadata. Receivers already have the metadata, which would crowd out other news. */
export function brief(update: MemberUpdate): MemberUpdate {
  return { ...update, metadata: '' };
}

/** All known members except this one. Updates are merged by incarnation and state, so their order of arrival does not matter. */
export class MemberTable {
  readonly #members = new Map<string, Member>();
  readonly #tree = new HashTree();
  /** Names by leaf of the tree. */
  readonly #leaves = new Map<number, Set<string>>();
  #liveCount = 0;

  get liveCount(): number {
    return this.#liveCount;
  }

  get(name: string): Member | undefined {
    return this.#members.get(name);
  }

  all(): Iterable<Member> {
    return this.#members.values();
  }

  live(): Member[] {
    return [...this.#members.values()].filter(isLive);
  }

  /** The members whose records belong to this leaf of the tree. */
  *inLeaf(leaf: number): Iterable<Member> {
    for (const name of this.#leaves.get(leaf) ?? []) {
      const member = this.#members.get(name);
      if (member) yield member;
    }
  }

  /** Merges an update. `isHearsay` applies only to a new name. */
  merge(update: MemberUpdate, nowMs: number, isHearsay = false): MergeOrder {
    const known = this.#members.get(update.name);
    if (!known) {
      this.#add(update, nowMs, isHearsay);
      return 'newer';
    }
    const order = update.incarnation - known.incarnation || rank[update.state] - rank[known.state];
    if (order <= 0) return order === 0 ? 'same' : 'older';
    this.#uncount(known);
    if (known.state !== update.state) known.sinceMs = nowMs;
    known.state = update.state;
    known.incarnation = update.incarnation;
    if (update.endpoint.host !== '') known.endpoint = update.endpoint;
    // A statement that a member is dead or has left may lack the metadata.
    if (update.state === 'alive' || update.metadata !== '') known.metadata = update.metadata;
    this.#count(known);
    return 'newer';
  }

  /** Marks a member as no longer hearsay: it has spoken for itself, or Kubernetes lists it. */
  confirm(name: string): void {
    const known = this.#members.get(name);
    if (!known?.isHearsay) return;
    this.#uncount(known);
    known.isHearsay = false;
    this.#count(known);
  }

  /** Sets the endpoint of a member whose address is not known. */
  locate(name: string, endpoint: Endpoint): void {
    const known = this.#members.get(name);
    if (known?.endpoint.host === '') known.endpoint = endpoint;
  }

  forget(name: string): void {
    const known = this.#members.get(name);
    if (!known) return;
    this.#uncount(known);
    this.#members.delete(name);
    const inLeaf = this.#leaves.get(known.leaf);
    inLeaf?.delete(name);
    if (inLeaf?.size === 0) this.#leaves.delete(known.leaf);
  }

  /** Hashes of the other live members. Members known only by hearsay are left out. */
  get tree(): Pick<HashTree, 'root' | 'buckets' | 'leaves'> {
    return this.#tree;
  }

  #add(
    { name, state, incarnation, endpoint, metadata }: MemberUpdate,
    nowMs: number,
    isHearsay: boolean,
  ): void {
    const member: Member = {
      ...{ name, state, incarnation, endpoint, metadata },
      leaf: leafOf(name),
      ...{ sinceMs: nowMs, heardAtMs: nowMs, answeredAtMs: nowMs, rtt: firstRtt, isHearsay },
    };
    this.#members.set(name, member);
    this.#leaves.set(member.leaf, (this.#leaves.get(member.leaf) ?? new Set()).add(name));
    this.#count(member);
  }

  #count(member: Member): void {
    if (!isLive(member)) return;
    this.#liveCount++;
    if (!member.isHearsay) this.#tree.toggle(member.leaf, memberHash(member));
  }

  #uncount(member: Member): void {
    if (!isLive(member)) return;
    this.#liveCount--;
    if (!member.isHearsay) this.#tree.toggle(member.leaf, memberHash(member));
  }
}

export function memberHash({ name, incarnation }: { name: string; incarnation: number }): number {
  return hash32(`${name}\n${incarnation}`);
}
