/** Settings of the membership protocol. Times are in milliseconds. */
export interface MembershipSettings {
  /** Time between two routine probes. Together with retransmissions, it determines the cost of the protocol. */
  readonly probeIntervalMs: number;
  /** Number of members that are asked to relay a ping. */
  readonly relays: number;
  /** Number of members that are asked to probe a suspect before it is declared dead. */
  readonly verifiers: number;
  /** Time in which a suspect can refute the suspicion when every verifier confirms it. */
  readonly suspicionMinMs: number;
  /**
   * Time in which a suspect can refute the suspicion when no verifier confirms it, in a cluster of at most ten members. In a larger cluster, the
   * time is longer (`suspicionMs`).
   */
  readonly suspicionMaxMs: number;
  /** A wake-up that is late by more than this means that the process stalled. The silence of other members during a stall means nothing. */
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

/** The wait for an ack before the ping is repeated. With a wait below 20 ms, a busy scheduler would look like packet loss. */
export function retransmitMs({ smoothedMs, deviationMs }: RttEstimate): number {
  return Math.min(60, Math.max(20, smoothedMs + 4 * deviationMs));
}

/**
 * The length of a suspicion after `confirmations` of the `possible` confirmations have arrived. As in Lifeguard, the length falls
 * logarithmically from the longest to the shortest time. The longest time grows with the cluster, because a refutation takes longer to
 * spread.
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
