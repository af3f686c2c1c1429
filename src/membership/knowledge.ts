import { bucketOf, leavesOf, treeWidth } from './hash-tree.ts';
import type { LocalMember } from './local-member.ts';
import { brief, type MemberTable, updateOf } from './member-table.ts';
import type { Branch, TreeName, Update } from './packet.ts';
import type { PayloadStore } from './payload.ts';

/** The identity of a record. It is enough to find the newest version of the record later. */
export type RecordName =
  | { readonly kind: 'member'; readonly name: string }
  | { readonly kind: 'payload'; readonly key: string };

/** One hash for each bucket of the two trees. */
export type Digests = Readonly<Record<TreeName, Uint32Array>>;

/** The records that another member may lack, and the branches of the buckets whose leaves must be compared first. */
export interface Difference {
  readonly records: readonly RecordName[];
  readonly branches: readonly Branch[];
}

const treeNames: readonly TreeName[] = ['members', 'payloads'];
const membersOnly: readonly TreeName[] = ['members'];
/** Payloads are compared when at most this many buckets of members differ, or when the other member has no payloads. */
const mostDifferingBuckets = treeWidth / 2;
/**
 * When a bucket holds more records than this, its branch is sent first. A branch has 258 octets, as many as five payload records or one
 * description of a member, and both members send their branch. Branches therefore save octets only when the bucket holds many records.
 */
const branchAbove: Readonly<Record<TreeName, number>> = { members: 8, payloads: 16 };

/** The records of this member that other members may lack: its descriptions of itself and of the other members, and payload records. */
export class Knowledge {
  readonly #self: LocalMember;
  readonly #table: MemberTable;
  readonly #payloads: PayloadStore;

  constructor(self: LocalMember, table: MemberTable, payloads: PayloadStore) {
    this.#self = self;
    this.#table = table;
    this.#payloads = payloads;
  }

  /** One hash over this member, the other live members except those known only by hearsay, and the payload records of live members. */
  summary(): number {
    return (this.#table.tree.root ^ this.#self.hash ^ this.#payloads.tree.root) >>> 0;
  }

  /** Number of other live members. */
  get liveCount(): number {
    return this.#table.liveCount;
  }

  /** One hash for each bucket of records. */
  digests(): Digests {
    const members = this.#table.tree.buckets();
    const own = bucketOf(this.#self.leaf);
    members[own] = (members[own] ?? 0) ^ this.#self.hash;
    return { members, payloads: this.#payloads.tree.buckets() };
  }

  /** One hash for each leaf of a bucket. */
  branch({ tree, bucket }: Pick<Branch, 'tree' | 'bucket'>): Branch {
    if (tree === 'payloads') return { tree, bucket, leaves: this.#payloads.tree.leaves(bucket) };
    const leaves = this.#table.tree.leaves(bucket);
    const own = leavesOf(bucket).indexOf(this.#self.leaf);
    if (own >= 0) leaves[own] = (leaves[own] ?? 0) ^ this.#self.hash;
    return { tree, bucket, leaves };
  }

  /**
   * Compares the buckets of another member with this member's own. For each bucket that differs, returns this member's records in the bucket.
   * Returns the bucket's branch instead if `mayBranch` allows it, the bucket holds many records here, and the other member has records in it.
   *
   * The hashes of payloads leave out the records of members that are not live. When the two members disagree about which members are live, as
   * at the end of a partition, these hashes therefore differ although the records are the same. If most buckets of members differ, payloads
   * are compared only when the other member has none, as after its start.
   */
  compare(digests: Digests, mayBranch: boolean): Difference {
    const own = this.digests();
    const records: RecordName[] = [];
    const branches: Branch[] = [];
    const isEmpty = digests.payloads.every((hash) => hash === 0);
    const differing = own.members.filter((hash, bucket) => hash !== digests.members[bucket]).length;
    const trees = differing > mostDifferingBuckets && !isEmpty ? membersOnly : treeNames;
    for (const tree of trees)
      for (let bucket = 0; bucket < treeWidth; bucket++) {
        const theirs = digests[tree][bucket];
        if (own[tree][bucket] === theirs) continue;
        if (mayBranch && theirs !== 0 && this.#isFull(tree, bucket)) {
          branches.push(this.branch({ tree, bucket }));
          continue;
        }
        for (const leaf of leavesOf(bucket)) records.push(...this.#recordsIn(tree, leaf));
      }
    return { records, branches };
  }

  /** The records in the leaves that differ. */
  compareLeaves(branch: Branch): RecordName[] {
    const own = this.branch(branch);
    const differing = leavesOf(branch.bucket).filter((_, i) => own.leaves[i] !== branch.leaves[i]);
    return differing.flatMap((leaf) => this.#recordsIn(branch.tree, leaf));
  }

  /** Whether the bucket holds so many records that its branch saves octets. */
  #isFull(tree: TreeName, bucket: number): boolean {
    let count = 0;
    for (const leaf of leavesOf(bucket)) {
      count += this.#recordsIn(tree, leaf).length;
      if (count > branchAbove[tree]) return true;
    }
    return false;
  }

  /**
   * The records in this leaf that other members should receive. Deaths and hearsay are left out. A recorded death may be a wrong belief
   * from a partition. The news of a death spreads when it happens, and a member that misses the news detects the death itself.
   */
  #recordsIn(tree: TreeName, leaf: number): RecordName[] {
    if (tree === 'payloads')
      return [...this.#payloads.keysIn(leaf)].map((key) => ({ kind: 'payload', key }) as const);
    const names: RecordName[] = leaf === this.#self.leaf ? [{ kind: 'member', name: this.#self.name }] : [];
    for (const { name, state, isHearsay } of this.#table.inLeaf(leaf))
      if (state !== 'dead' && !isHearsay) names.push({ kind: 'member', name });
    return names;
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
}
