/**
 * Quorum decides whether this node may claim addresses. Without it, both sides of a partition would claim, and addresses would move back
 * and forth when the partition heals.
 *
 *     minority ── majority again ──→ healing ── 2 s ──→ majority
 *        ↑                              │                   │
 *        └──────── minority again ──────┴───────────────────┘
 *
 * - In a minority, a node refuses to claim, so the majority's decisions stand when the partition heals. Half of the members count as a
 *   majority, for the sake of clusters of two nodes.
 * - While it heals, a node still considers members dead that it has not heard yet. It refuses to claim until it had time to hear all.
 * - While any member is under suspicion, claims are paused. A node that is being cut off loses the other members one after another:
 *   between the first death and the last it would count itself in a majority.
 */

/**
 * `paused` holds back this node's own claims, but other nodes may claim. With `refused`, no node on this side of the partition claims, so
 * silence of another node has no meaning.
 */
export type Claiming = 'allowed' | 'paused' | 'refused';

/** The other speakers, counted by state. */
export interface QuorumCount {
  /** Members that are alive, including those under suspicion. */
  readonly live: number;
  readonly suspected: number;
  /** Speakers that should be reachable and are not. */
  readonly missing: number;
}

/** Longer than members take to hear each other after a partition: each retries once a second. */
export const healMs = 2000;

export class Quorum {
  /** When healing ends; infinite in a minority, `undefined` in an undisturbed majority. */
  #healedAtMs: number | undefined;

  /** Judges the current count. Call it on each change of membership, and at `wakeAtMs()`. */
  judge({ live, suspected, missing }: QuorumCount, nowMs: number): Claiming {
    const isMajority = live + 1 >= missing;
    if (!isMajority) this.#healedAtMs = Number.POSITIVE_INFINITY;
    else if (this.#healedAtMs === Number.POSITIVE_INFINITY) this.#healedAtMs = nowMs + healMs;
    else if (this.#healedAtMs !== undefined && nowMs >= this.#healedAtMs) this.#healedAtMs = undefined;
    if (this.#healedAtMs !== undefined) return 'refused';
    return suspected > 0 ? 'paused' : 'allowed';
  }

  /** When to judge again although nothing has changed; infinite for never. */
  wakeAtMs(): number {
    return this.#healedAtMs ?? Number.POSITIVE_INFINITY;
  }
}
