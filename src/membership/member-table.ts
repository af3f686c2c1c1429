import { hash32 } from '../hash.ts';
import type { Endpoint } from './endpoint.ts';
import type { MemberState, MemberUpdate } from './packet.ts';
import { digestBuckets } from './payload.ts';
import { firstRtt, type RttEstimate } from './timing.ts';

const rank: Readonly<Record<MemberState, number>> = { alive: 0, suspect: 1, dead: 2, left: 3 };

/** What is known of another member. */
export interface Member {
  readonly name: string;
  state: MemberState;
  incarnation: number;
  endpoint: Endpoint;
  metadata: string;
  /** When the state was learned. */
  since: number;
  /** When a packet of its own last came. */
  heardAt: number;
  /** When it last answered a ping, directly or through a relay. */
  answeredAt: number;
  rtt: RttEstimate;
}

export function isLive(member: Pick<Member, 'state'> | undefined): boolean {
  return member?.state === 'alive' || member?.state === 'suspect';
}

/** The update that tells what the member record says. */
export function updateOf({ name, state, incarnation, endpoint, metadata }: Member): MemberUpdate {
  return { kind: 'member', name, state, incarnation, endpoint, metadata };
}

/** Every other member ever heard of and not forgotten. Merging is by the order of incarnation and state, so the order of news is nothing. */
export class MemberTable {
  readonly #members = new Map<string, Member>();
  #summary = 0;
  #liveCount = 0;
  /** Grows with every change. */
  version = 0;

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

  /** Takes in what somebody says; tells how it compares with what was known. */
  merge(update: MemberUpdate, now: number): 'newer' | 'same' | 'older' {
    const known = this.#members.get(update.name);
    if (known) {
      const order =
        update.incarnation - known.incarnation || (rank[update.state] ?? 0) - (rank[known.state] ?? 0);
      if (order <= 0) return order === 0 ? 'same' : 'older';
      this.#uncount(known);
      if (known.state !== update.state) known.since = now;
      known.state = update.state;
      known.incarnation = update.incarnation;
      if (update.endpoint.host !== '') known.endpoint = update.endpoint;
      known.metadata = update.metadata;
      this.#count(known);
      return 'newer';
    }
    const { name, state, incarnation, endpoint, metadata } = update;
    const member: Member = {
      ...{ name, state, incarnation, endpoint, metadata },
      ...{ since: now, heardAt: now, answeredAt: now, rtt: firstRtt },
    };
    this.#members.set(name, member);
    this.#count(member);
    return 'newer';
  }

  forget(name: string): void {
    const known = this.#members.get(name);
    if (!known) return;
    this.#uncount(known);
    this.#members.delete(name);
    this.version++;
  }

  /** XOR of the hashes of live members; the asker adds itself. */
  summary(): number {
    return this.#summary;
  }

  digest(self: { readonly name: string; readonly incarnation: number }): Uint32Array {
    const digest = new Uint32Array(digestBuckets);
    for (const member of [self, ...this.live()]) {
      const bucket = memberBucket(member.name);
      digest[bucket] = (digest[bucket] ?? 0) ^ memberHash(member);
    }
    return digest;
  }

  #count(member: Member): void {
    this.version++;
    if (!isLive(member)) return;
    this.#liveCount++;
    this.#summary ^= memberHash(member);
  }

  #uncount(member: Member): void {
    if (!isLive(member)) return;
    this.#liveCount--;
    this.#summary ^= memberHash(member);
  }
}

/** The digest's bucket of a member. */
export function memberBucket(name: string): number {
  return hash32(name) % digestBuckets;
}

export function memberHash({ name, incarnation }: { name: string; incarnation: number }): number {
  return hash32(`${name}\n${incarnation}`);
}
