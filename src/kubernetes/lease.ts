/**
 * Who leads, as a pure machine over one Lease object. A candidate trusts no other clock: it takes the Lease over when it has itself
 * seen it unchanged for the whole duration. Every write carries the resourceVersion last read, so of two that try, one wins.
 *
 *     renewal sent
 *     0 s ───────── 6 s ──────── 8 s ─────────── 10 s ──────────────── 12.4 s
 *     │ leader writes │ its last   │ margin for    │ a standby sees the Lease
 *     │               │ write ends │ a late packet │ stale and takes over
 *
 * The deadline is counted from before the renewal was sent, on the monotonic clock, and is looked at before each write: a leader
 * that was stopped for a minute finds out before it writes, not after.
 */

export const leaseTiming = {
  /** How long a Lease lives that nobody renews. */
  durationMs: 10_000,
  /** A leader that could not renew for so long begins no write. */
  renewDeadlineMs: 6000,
  /** A write under way when the deadline passes is given up so much later. */
  writeGraceMs: 2000,
  /** Between two attempts, with up to a fifth of jitter. */
  retryMs: 2000,
  /** For reading and writing the Lease itself. */
  requestTimeoutMs: 1500,
} as const;

/** What matters of a `coordination.k8s.io/v1` Lease. */
export interface LeaseRecord {
  /** Empty when it was given back. */
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
  /** resourceVersion. */
  readonly version: string;
}

export interface Candidate {
  readonly identity: string;
  /** The version seen last, and when it was seen first. */
  readonly seen: { readonly version: string; readonly atMs: number } | undefined;
  /** Until when this candidate may begin a write; in the past when it does not lead. */
  readonly writesUntilMs: number;
}

/** What to try now. */
export type LeaseMove = 'create' | 'renew' | 'take' | 'wait';

export function newCandidate(identity: string): Candidate {
  return { identity, seen: undefined, writesUntilMs: Number.NEGATIVE_INFINITY };
}

/** Takes note of the Lease as it was just read. */
export function observeLease(candidate: Candidate, lease: LeaseRecord, nowMs: number): Candidate {
  if (candidate.seen?.version === lease.version) return candidate;
  return { ...candidate, seen: { version: lease.version, atMs: nowMs } };
}

/** What a candidate does about the Lease it has observed; `undefined`: there is none. */
export function nextLeaseMove(
  candidate: Candidate,
  lease: LeaseRecord | undefined,
  nowMs: number,
): LeaseMove {
  if (!lease) return 'create';
  if (lease.holder === candidate.identity) return 'renew';
  if (lease.holder === '') return 'take';
  const { seen } = candidate;
  const stale = seen?.version === lease.version && nowMs - seen.atMs >= lease.durationMs;
  return stale ? 'take' : 'wait';
}

/** The write that was sent at `sentMs` went through: the Lease is ours from then on. */
export function leaseGranted(candidate: Candidate, version: string, sentMs: number): Candidate {
  return {
    ...candidate,
    seen: { version, atMs: sentMs },
    writesUntilMs: sentMs + leaseTiming.renewDeadlineMs,
  };
}

/** The Lease is somebody else's, or was given back. */
export function leaseLost(candidate: Candidate): Candidate {
  return { ...candidate, writesUntilMs: Number.NEGATIVE_INFINITY };
}

export function mayWrite(candidate: Candidate, nowMs: number): boolean {
  return nowMs < candidate.writesUntilMs;
}
