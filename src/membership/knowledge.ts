import type { LocalMember } from './local-member.ts';
import { brief, isLive, type MemberTable, memberBucket, memberHash, updateOf } from './member-table.ts';
import type { Update } from './packet.ts';
import { digestBuckets, type PayloadStore } from './payload.ts';

/** The identity of a record. It is enough to find the newest version of the record later. */
export type RecordName =
  | { readonly kind: 'member'; readonly name: string }
  | { readonly kind: 'payload'; readonly key: string };

export interface Digests {
  readonly members: Uint32Array;
  readonly payloads: Uint32Array;
}

/** What this member knows and other members may lack: its own description, the other members, and payload records. */
export class Knowledge {
  readonly #self: LocalMember;
  readonly #table: MemberTable;
  readonly #payloads: PayloadStore;
  #summary = { versions: '', value: 0 };
  #digests: { versions: string; value: Digests } | undefined;

  constructor(self: LocalMember, table: MemberTable, payloads: PayloadStore) {
    this.#self = self;
    this.#table = table;
    this.#payloads = payloads;
  }

  /**
   * One hash over this member, the live members that it knows at first hand, and the payload records of live members. The value is cached
   * until a change, because each packet carries it.
   */
  summary(): number {
    const versions = this.#versions();
    if (this.#summary.versions !== versions) {
      const payloads = this.#payloads.digest(this.#liveNames());
      const value = (this.#table.summary() ^ this.#self.hash ^ xorOf(payloads)) >>> 0;
      this.#summary = { versions, value };
    }
    return this.#summary.value;
  }

  /** One hash for each bucket of records. */
  digests(): Digests {
    const versions = this.#versions();
    if (this.#digests?.versions !== versions) {
      const value = { members: this.#memberDigest(), payloads: this.#payloads.digest(this.#liveNames()) };
      this.#digests = { versions, value };
    }
    return this.#digests.value;
  }

  /**
   * The records in the buckets where the given digest differs from this member's own. Deaths and hearsay are left out. A recorded death may
   * be a wrong belief from a partition. The news of a death spreads when it happens, and a member that misses the news detects the death
   * itself.
   */
  *differingFrom(digest: Digests): Iterable<RecordName> {
    const own = this.digests();
    const isDifferent = (name: string) => {
      const bucket = memberBucket(name);
      return own.members[bucket] !== digest.members[bucket];
    };
    if (isDifferent(this.#self.name)) yield { kind: 'member', name: this.#self.name };
    for (const { name, state, isHearsay } of this.#table.all())
      if (state !== 'dead' && !isHearsay && isDifferent(name)) yield { kind: 'member', name };
    const buckets = new Set<number>();
    for (let bucket = 0; bucket < digestBuckets; bucket++)
      if (own.payloads[bucket] !== digest.payloads[bucket]) buckets.add(bucket);
    for (const key of this.#payloads.keysIn(buckets)) yield { kind: 'payload', key };
  }

  /**
   * The newest version of a record. A suspect is described as alive, because only the suspect and the members that help to probe it need to
   * know of a suspicion.
   */
  current(record: RecordName): Update | undefined {
    if (record.kind === 'payload') return this.#payloads.newest(record.key);
    if (record.name === this.#self.name) return this.#self.as('alive');
    const member = this.#table.get(record.name);
    if (!member || member.state === 'dead') return undefined;
    const update = updateOf(member);
    return member.state === 'left' ? brief(update) : { ...update, state: 'alive' };
  }

  #versions(): string {
    return `${this.#self.incarnation} ${this.#table.version} ${this.#payloads.version}`;
  }

  #memberDigest(): Uint32Array {
    const digest = new Uint32Array(digestBuckets);
    const add = (member: { name: string; incarnation: number }) => {
      const bucket = memberBucket(member.name);
      digest[bucket] = (digest[bucket] ?? 0) ^ memberHash(member);
    };
    add(this.#self);
    for (const member of this.#table.all()) if (isLive(member) && !member.isHearsay) add(member);
    return digest;
  }

  *#liveNames(): Iterable<string> {
    yield this.#self.name;
    for (const member of this.#table.all()) if (isLive(member)) yield member.name;
  }
}

function xorOf(hashes: Uint32Array): number {
  return hashes.reduce((sum, hash) => sum ^ hash, 0);
}
