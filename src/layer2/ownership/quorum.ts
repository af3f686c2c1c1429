/**
 * Quorum decides whether this node may claim addresses. If both sides of a partition claimed, addresses would move back and forth when the
 * partition heals.
 *
 *     minority ── majority again ──→ healing ── 2 s ──→ majority
 *        ↑                              │                   │
 *        └──────── minority again ──────┴───────────────────┘
 *
 * - In a minority, a node refuses to claim, so the majority's decisions stand when the partition heals. Exactly half of the members count
 *   as a majority, so that a cluster of two nodes works.
 * - While a partition heals, some members still count as dead because this node has not heard them again yet. The node refuses to claim
 *   until it has had time to hear all of them.
 * - A node that has not begun to decide has nothing to heal. When it begins, it has received the claims of the others (readiness.ts), so it
 *   claims as soon as it is in a majority. If it waited for 2 s as well, nodes that start together would claim too late and be passed over.
 * - While any member is under suspicion, claims are paused. A node that is being cut off loses the other members one after another.
 *   Between the first death and the last, it would still believe that it is in a majority.
 * - When a suspect proves to be alive while another member is missing, this node may have been cut off for a moment, and the missing member
 *   may be alive as well. Claims stay paused until the missing members have been probed again.
 */

/**
 * With `paused`, this node makes no claims, but other nodes may. With `refused`, no node on this side of the partition claims, so the lack
 * of another node's claim means nothing.
 */
export type Claiming = 'allowed' | 'paused' | 'refused';

/** The other speakers by state. */
export interface QuorumInput {
  /** Names of the members that are alive, including those under suspicion. */
  readonly live: ReadonlySet<string>;
  readonly suspected: ReadonlySet<string>;
  /** Number of speakers that should be reachable and are not. */
  readonly missing: number;
  /** Whether this node has taken its first decision about addresses (`readiness.ts`). */
  readonly isStarted: boolean;
}

/** How long healing lasts. Members need less time to hear each other after a partition, because each member retries once a second. */
export const healMs = 2000;
/** Interval at which members retry a missing member. */
export const retryMs = 1000;

export class Quorum {
  /** When healing ends; infinite in a minority, `undefined` in an undisturbed majority. */
  #healedAtMs: number | undefined;
  #suspected: ReadonlySet<string> = new Set();
  /** When missing members will have been tried again after a suspect proved to be alive. */
  #retriedAtMs: number | undefined;

  /** Judges the current members. Call it on each change of membership, and at `wakeAtMs()`. */
  judge({ live, suspected, missing, isStarted }: QuorumInput, nowMs: number): Claiming {
    const isMajority = live.size + 1 >= missing;
    if (!isMajority) this.#healedAtMs = Number.POSITIVE_INFINITY;
    else if (!isStarted) this.#healedAtMs = undefined;
    else if (this.#healedAtMs === Number.POSITIVE_INFINITY) this.#healedAtMs = nowMs + healMs;
    else if (this.#healedAtMs !== undefined && nowMs >= this.#healedAtMs) this.#healedAtMs = undefined;

    const hasRefuted = [...this.#suspected].some((name) => live.has(name) && !suspected.has(name));
    this.#suspected = suspected;
    if (missing === 0) this.#retriedAtMs = undefined;
    else if (hasRefuted) this.#retriedAtMs = nowMs + retryMs;
    else if (this.#retriedAtMs !== undefined && nowMs >= this.#retriedAtMs) this.#retriedAtMs = undefined;

    if (this.#healedAtMs !== undefined) return 'refused';
    return suspected.size > 0 || this.#retriedAtMs !== undefined ? 'paused' : 'allowed';
  }

  /** When to judge again although nothing has changed; infinite for never. */
  wakeAtMs(): number {
    return Math.min(
      this.#healedAtMs ?? Number.POSITIVE_INFINITY,
      this.#retriedAtMs ?? Number.POSITIVE_INFINITY,
    );
  }
}
