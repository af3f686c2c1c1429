/** Timers of the membership protocol in milliseconds, and numbers of members that take part in a step. */
export interface MembershipSettings {
  /** Between two routine probes. Together with retransmissions it makes up the cost of the protocol. */
  readonly probeIntervalMs: number;
  /** Members that are asked to relay a ping. */
  readonly relays: number;
  /** Members that are asked to try for themselves before a suspect is declared dead. */
  readonly verifiers: number;
  /** Time for a suspect to refute when every verifier confirms the suspicion. */
  readonly suspicionMinMs: number;
  /** Time for a suspect to refute when no verifier confirms. */
  readonly suspicionMaxMs: number;
  /** A wake-up that is later than this was a stall of our own. Silence of other members during it means nothing. */
  readonly stallToleranceMs: number;
}

/** `docs/design/failover.md` has the measurements behind these. */
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
 * The length of a suspicion with so many confirmations out of `possible` ones. Lifeguard lets it fall logarithmically from the longest
 * to the shortest. In large clusters the longest is longer, because a refutation travels further.
 */
export function suspicionMs(
  settings: MembershipSettings,
  confirmations: number,
  possible: number,
  members: number,
): number {
  const { suspicionMinMs: min, suspicionMaxMs } = settings;
  const max = suspicionMaxMs * Math.max(1, Math.log10(members));
  // No other member can be asked, so one opinion decides, after twice the time.
  if (possible === 0) return 2 * min;
  return Math.max(min, max - ((max - min) * Math.log(confirmations + 1)) / Math.log(possible + 1));
}
