/** Times of the membership protocol in milliseconds, and how many members take part in what. */
export interface MembershipSettings {
  /** From one routine probe to the next: with the retransmissions, what the protocol costs. */
  readonly probeIntervalMs: number;
  /** Members asked to probe in one's stead. */
  readonly relays: number;
  /** Members who look for themselves before a suspect is called dead. */
  readonly verifiers: number;
  /** How long a suspect may refute: when every verifier confirms, and when none does. */
  readonly suspicionMinMs: number;
  readonly suspicionMaxMs: number;
  /** A wake-up later than this was our own fault, and nobody is blamed for what was not heard meanwhile. */
  readonly stallToleranceMs: number;
}

/** The measurements for these are in docs/design/failover.md. */
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

/** How long to wait for an answer before asking again: below 20 ms a busy scheduler would look like loss. */
export function retransmitMs({ smoothedMs, deviationMs }: RttEstimate): number {
  return Math.min(60, Math.max(20, smoothedMs + 4 * deviationMs));
}

/**
 * How long a suspicion lasts with so many confirmations of so many possible ones (Lifeguard: logarithmic from the longest to
 * the shortest), longer in large clusters, where a refutation travels further.
 */
export function suspicionMs(
  settings: MembershipSettings,
  confirmations: number,
  possible: number,
  members: number,
): number {
  const { suspicionMinMs: min, suspicionMaxMs } = settings;
  const max = suspicionMaxMs * Math.max(1, Math.log10(members));
  // Nobody else can be asked: one opinion has to do, and takes twice the time.
  if (possible === 0) return 2 * min;
  return Math.max(min, max - ((max - min) * Math.log(confirmations + 1)) / Math.log(possible + 1));
}
