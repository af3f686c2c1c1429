/**
 * Readiness decides when a node that has started may take its first decision. The node must know its address entries and the claims of the
 * other members. A node that decides without the claims would take addresses that other nodes own.
 *
 * - For the first 1.5 s, the node waits for every known speaker, so that all nodes of a new cluster elect from the same set of nodes.
 * - After that, it waits only until several live members hold the same claims as this node. If there are few live members, all of them must.
 * - After 3 s, a node that reaches no other member decides alone. If Kubernetes lists no other speaker, the node decides at once.
 * - After 30 s, the node waits only for its entries. Otherwise, a member that never holds the same claims would keep addresses unanswered.
 */

export interface ReadinessInput {
  readonly hasEntries: boolean;
  readonly membership: MembershipState;
}

/** The facts about the other members. `isReady` reads only the fields on which its result depends. */
export interface MembershipState {
  /** Whether this node holds the same claims as several live members, or as all live members if there are few. */
  readonly isSynced: boolean;
  /** Number of live members other than this node. */
  readonly liveMembers: number;
  /** Whether any listed speaker is not live and has not left. */
  readonly isAnyUnreachable: boolean;
  /** Whether Kubernetes lists the Pods of the speakers, and none of them is on another node. */
  readonly isAlone: boolean;
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

  isReady({ hasEntries, membership }: ReadinessInput, nowMs: number): boolean {
    const waitedMs = nowMs - this.#joinedAtMs;
    if (!hasEntries) return false;
    if (waitedMs >= awaitSyncMs) return true;
    if (membership.liveMembers === 0 && (membership.isAlone || waitedMs >= awaitAnyMs)) return true;
    if (!membership.isSynced) return false;
    return waitedMs >= awaitAllMs || !membership.isAnyUnreachable;
  }

  /** The next time at which the result of `isReady` may change without a change of its input. Infinite means never. */
  wakeAtMs(nowMs: number): number {
    const limits = [awaitAllMs, awaitAnyMs, awaitSyncMs].map((limitMs) => this.#joinedAtMs + limitMs);
    return limits.find((atMs) => atMs > nowMs) ?? Number.POSITIVE_INFINITY;
  }
}
