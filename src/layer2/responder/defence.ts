/** What is done about a foreign claim. */
export type DefencePolicy = 'defend' | 'yield';
export type ClaimAction = 'defended' | 'yielded' | 'waiting';

/** What is remembered of the claims on one address. */
export interface ClaimHistory {
  readonly lastDefenceAt?: number;
  /** Of the last ten seconds. */
  readonly reports: readonly { readonly mac: string; readonly at: number }[];
}

export interface ClaimDecision {
  readonly action: ClaimAction;
  /** True when it should be told: a new claimant, or the old one after a while; few claimants at a time. */
  readonly report: boolean;
  readonly history: ClaimHistory;
}

/** DEFEND_INTERVAL (RFC 5227 section 1.1). */
const defendIntervalMs = 10_000;
/** A host that changes its address with every packet is told of so often. */
const reportsAtMost = 3;

/**
 * Decides about a claim (RFC 5227 section 2.4). `defend` answers with an announcement, but not twice within ten seconds: two
 * hosts that both defend must not fill the wire. `yield` stops answering. A claim by another speaker is neither: who owns the
 * address is for the speakers to settle.
 */
export function decideClaim(
  history: ClaimHistory | undefined,
  claim: { readonly mac: string; readonly isSpeaker: boolean; readonly policy: DefencePolicy },
  now: number,
): ClaimDecision {
  const recent = (history?.reports ?? []).filter(({ at }) => now - at < defendIntervalMs);
  const report = recent.length < reportsAtMost && !recent.some(({ mac }) => mac === claim.mac);
  const reported = { reports: report ? [...recent, { mac: claim.mac, at: now }] : recent };
  const lastDefence = history?.lastDefenceAt === undefined ? {} : { lastDefenceAt: history.lastDefenceAt };
  if (claim.isSpeaker) return { action: 'waiting', report, history: { ...lastDefence, ...reported } };
  if (claim.policy === 'yield') return { action: 'yielded', report: true, history: reported };
  const mayDefend = history?.lastDefenceAt === undefined || now - history.lastDefenceAt >= defendIntervalMs;
  return mayDefend
    ? { action: 'defended', report, history: { ...reported, lastDefenceAt: now } }
    : { action: 'waiting', report, history: { ...lastDefence, ...reported } };
}
