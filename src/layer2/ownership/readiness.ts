/**
 * Readiness decides when a node that has started may take its first decision. It must know its address entries and the claims of
 * the other members; a node that decides without the claims would take addresses that others own.
 *
 * - For the first 1.5 s it waits for every known speaker, so that all nodes of a new cluster elect from the same set.
 * - After that, it waits only until several other members, or all that are live if those are few, have the same knowledge.
 * - After 3 s, a node that reaches no other member decides alone.
 * - After 30 s, it decides in any case: a member that never agrees must not keep addresses unanswered.
 */

/** The node's knowledge about the other members. */
export interface ReadinessInput {
  readonly hasEntries: boolean;
  /** Several other members, or all that are live if those are few, were found to hold the same claims. */
  readonly isSynced: boolean;
  /** Live members other than this node. */
  readonly liveMembers: number;
  /** Known speakers that are not live members. */
  readonly unreachable: number;
}

const awaitAllMs = 1500;
const awaitAnyMs = 3000;
const awaitSyncMs = 30_000;

export class Readiness {
  readonly #joinedAtMs: number;

  /** `joinedAtMs` is when the membership socket was opened. */
  constructor(joinedAtMs: number) {
    this.#joinedAtMs = joinedAtMs;
  }

  isReady({ hasEntries, isSynced, liveMembers, unreachable }: ReadinessInput, nowMs: number): boolean {
    const waitedMs = nowMs - this.#joinedAtMs;
    if (!hasEntries) return false;
    if (waitedMs >= awaitSyncMs) return true;
    if (waitedMs >= awaitAnyMs && liveMembers === 0) return true;
    if (!isSynced) return false;
    return waitedMs >= awaitAllMs || unreachable === 0;
  }

  /** Next time at which `isReady` may change although the input has not; infinite for never. */
  wakeAtMs(nowMs: number): number {
    const limits = [awaitAllMs, awaitAnyMs, awaitSyncMs].map((limitMs) => this.#joinedAtMs + limitMs);
    return limits.find((atMs) => atMs > nowMs) ?? Number.POSITIVE_INFINITY;
  }
}
