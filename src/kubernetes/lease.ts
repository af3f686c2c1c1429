/**
 * Leader election over one Lease object, as pure functions. A candidate trusts only its own clock. It takes the Lease over once it has seen
 * the Lease unchanged for the Lease's whole duration. Every write carries the resourceVersion that was read last, so only one of two
 * simultaneous writes succeeds.
 *
 *     renewal sent
 *     0 s             6 s          8 s             10 s
 *     │ leader writes │ its last   │ margin for    │ another candidate finds the Lease stale
 *     │               │ write ends │ a late packet │ at its next attempt, and takes it over
 *
 * The deadline for starting a write, at 6 s, counts from the moment before the renewal was sent, on the monotonic clock. The leader checks the
 * deadline before each write. A leader that was suspended for a minute therefore notices before it writes.
 */

export const leaseTiming = {
  /** Lifetime of a Lease without renewal. */
  durationMs: 10_000,
  /** A leader starts no more writes once its last successful renewal is this old. */
  renewDeadlineMs: 6000,
  /** A write that is still under way this long after the deadline is aborted. */
  writeGraceMs: 2000,
  /** Pause between two renewals, and between two attempts of a candidate that does not lead. Such a candidate adds up to a fifth at random. */
  retryMs: 2000,
  /** Pause after a failed renewal, short enough for several attempts before the deadline. */
  renewRetryMs: 500,
  /** Limit for reading or writing the Lease. */
  requestTimeoutMs: 1500,
} as const;

/** The fields of a `coordination.k8s.io/v1` Lease that the election depends on. */
export interface LeaseRecord {
  /** Empty after the holder gave the Lease back. */
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
  /** resourceVersion. */
  readonly version: string;
}

export interface Candidate {
  readonly identity: string;
  /** The version seen last, and the time at which it was first seen. */
  readonly seen: { readonly version: string; readonly atMs: number } | undefined;
  /** Time until which this candidate may start a write; in the past when it does not lead. */
  readonly writesUntilMs: number;
}

export type LeaseMove = 'create' | 'renew' | 'take' | 'wait';

export function newCandidate(identity: string): Candidate {
  return { identity, seen: undefined, writesUntilMs: Number.NEGATIVE_INFINITY };
}

/** Notes the Lease as it was just read. */
export function observeLease(candidate: Candidate, lease: LeaseRecord, nowMs: number): Candidate {
  if (candidate.seen?.version === lease.version) return candidate;
  return { ...candidate, seen: { version: lease.version, atMs: nowMs } };
}

/** The version of a Lease that does not exist. */
const noVersion = '';

/**
 * Notes that the Lease does not exist. If this candidate has seen the Lease before, the Lease was deleted, and its holder may still write. The
 * holder creates the Lease again at the next renewal.
 */
export function observeNoLease(candidate: Candidate, nowMs: number): Candidate {
  if (!candidate.seen || candidate.seen.version === noVersion) return candidate;
  return { ...candidate, seen: { version: noVersion, atMs: nowMs } };
}

/** The candidate's next move. `lease` is `undefined` when the Lease does not exist. */
export function nextLeaseMove(
  candidate: Candidate,
  lease: LeaseRecord | undefined,
  nowMs: number,
): LeaseMove {
  const { seen } = candidate;
  if (!lease) {
    const mayBeHeld = seen?.version === noVersion && nowMs - seen.atMs < leaseTiming.durationMs;
    return mayBeHeld && !mayWrite(candidate, nowMs) ? 'wait' : 'create';
  }
  if (lease.holder === candidate.identity) return 'renew';
  if (lease.holder === '') return 'take';
  const isStale = seen?.version === lease.version && nowMs - seen.atMs >= lease.durationMs;
  return isStale ? 'take' : 'wait';
}

/** The state after the write that was sent at `sentMs` succeeded. The candidate leads now, and its deadline counts from `sentMs`. */
export function leaseGranted(candidate: Candidate, version: string, sentMs: number): Candidate {
  return {
    ...candidate,
    seen: { version, atMs: sentMs },
    writesUntilMs: sentMs + leaseTiming.renewDeadlineMs,
  };
}

/** The state after another candidate got the Lease, or this candidate gave it back. */
export function leaseLost(candidate: Candidate): Candidate {
  return { ...candidate, writesUntilMs: Number.NEGATIVE_INFINITY };
}

export function mayWrite(candidate: Candidate, nowMs: number): boolean {
  return nowMs < candidate.writesUntilMs;
}

/** Longest time that a write started now may take. A slower write could arrive after a write of the next holder. */
export function writeTimeoutMs(candidate: Candidate, nowMs: number): number {
  return Math.floor(candidate.writesUntilMs + leaseTiming.writeGraceMs - nowMs);
}

/**
 * Pause before the next attempt to renew. The pause ends at the deadline at the latest, when the leader must stop. `retryAfterMs` is the pause that
 * the server asked for when it refused the last attempt; 0 if it asked for none. If that pause would last until the deadline or longer, it is cut
 * short, so that one more attempt can be answered before the deadline.
 */
export function renewalDelayMs(
  candidate: Candidate,
  lastSucceeded: boolean,
  retryAfterMs: number,
  nowMs: number,
): number {
  const delayMs = lastSucceeded ? leaseTiming.retryMs : leaseTiming.renewRetryMs;
  const leftMs = candidate.writesUntilMs - nowMs;
  if (retryAfterMs <= delayMs) return Math.min(delayMs, leftMs);
  if (retryAfterMs < leftMs) return retryAfterMs;
  const lastMs = leftMs - leaseTiming.requestTimeoutMs;
  return Math.min(retryAfterMs, lastMs >= delayMs ? lastMs : leftMs);
}

/** Pause of a candidate that does not lead. `random` is in [0, 1). */
export function campaignDelayMs(random: number, retryAfterMs: number): number {
  return Math.max(leaseTiming.retryMs, retryAfterMs) * (1 + random / 5);
}
