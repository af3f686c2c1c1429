/** Timers of the membership protocol in milliseconds, and numbers of members that take part in a step. */
export interface MembershipSettings {
  /** Time between two routine probes. Together with retransmissions, it determines the cost of the protocol. */
  readonly probeIntervalMs: number;
  /** Members that are asked to relay a ping. */
  readonly relays: number;
  /** Members that are asked to try to reach a suspect for themselves before it is declared dead. */
  readonly verifiers: number;
  /** Time for a suspect to refute when every verifier confirms the suspicion. */
  readonly suspicionMinMs: number;
  /** Time for a suspect to refute when no verifier confirms. */
  readonly suspicionMaxMs: number;
  /** A wake-up that is later than this means that this process stalled. The silence of other members in that time means nothing. */
  readonly stallToleranceMs: number;
}

/** `docs/design/failover.md` has the measurements behind these values. */
export const defaultMembershipSettings: MembershipSettings = {
  probeIntervalMs: 100,
  relays: 3,
  verifiers: 3,
  suspicionMinMs: 150,
  suspicionMaxMs: 1000,
  stallToleranceMs: 40,
};

/** Smoothed round-trip time and its mean deviation (RFC 6298 section 2). */
export interface RttEstimate {
  readonly smoothedMs: number;
  readonly deviationMs: number;
}

export const firstRtt: RttEstimate = { smoothedMs: 5, deviationMs: 5 };

export function sampleRtt(rtt: RttEstimate, sampleMs: number): RttEstimate {
  const error = Math.abs(sampleMs - rtt.smoothedMs);
  return {
    smoothedMs: rtt.smoothedMs + (sampleMs - rtt.smoothedMs) / 8,
    deviationMs: rtt.deviationMs + (error - rtt.deviationMs) / 4,
  };
}

/** The wait for an ack before the ping is repeated. Below 20 ms, a busy scheduler would look like loss. */
export function retransmitMs({ smoothedMs, deviationMs }: RttEstimate): number {
  return Math.min(60, Math.max(20, smoothedMs + 4 * deviationMs));
}

/**
 * The length of a suspicion with `confirmations` out of `possible` ones. As in Lifeguard, it falls logarithmically from the longest
 * to the shortest time. The longest time grows with the cluster, because a refutation travels further.
 */
export function suspicionMs(
  settings: MembershipSettings,
  confirmations: number,
  possible: number,
  members: number,
): number {
  const { suspicionMinMs: min, suspicionMaxMs } = settings;
  const max = suspicionMaxMs * Math.max(1, Math.log10(members));
  // No other member can be asked, so this member alone decides, after twice the shortest time.
  if (possible === 0) return 2 * min;
  return Math.max(min, max - ((max - min) * Math.log(confirmations + 1)) / Math.log(possible + 1));
}
