/** The operator's choice of the reaction when another host uses one of our addresses. */
export type DefencePolicy = 'defend' | 'yield';
/**
 * The reaction to a conflict. With `waiting`, the node does not react: the other host is a speaker, the node has defended the address in the last
 * ten seconds, or the node does not answer for it.
 */
export type ConflictAction = 'defended' | 'yielded' | 'waiting';

/** Earlier conflicts over one address. */
export interface ConflictHistory {
  readonly lastDefenceAtMs?: number;
  /** Reports of the last ten seconds. */
  readonly reports: readonly { readonly mac: string; readonly atMs: number }[];
}

/** One packet in which another host uses the address. */
export interface ObservedConflict {
  /** Lower case, colon separated. */
  readonly mac: string;
  readonly isSpeaker: boolean;
  readonly policy: DefencePolicy;
}

export interface DefenceDecision {
  readonly action: ConflictAction;
  /** Whether to report the conflict. Repeated conflicts with one host are reported every ten seconds. */
  readonly report: boolean;
  readonly history: ConflictHistory;
}

/** DEFEND_INTERVAL (RFC 5227 section 1.1). */
const defendIntervalMs = 10_000;
/** Maximum number of reports in one interval, so that a host that changes its MAC with every packet cannot flood the log. */
const maxReports = 3;

/**
 * Decides how to react to a conflict (RFC 5227 section 2.4).
 *
 * - `defend` sends an announcement, at most once in ten seconds, so that two hosts that both defend do not flood the link.
 * - `yield` stops answering.
 * - A conflict with another speaker is only reported, because the speakers settle ownership among themselves.
 */
export function decideDefence(
  history: ConflictHistory | undefined,
  { mac, isSpeaker, policy }: ObservedConflict,
  nowMs: number,
): DefenceDecision {
  const recent = (history?.reports ?? []).filter(({ atMs }) => nowMs - atMs < defendIntervalMs);
  const report = recent.length < maxReports && !recent.some((earlier) => earlier.mac === mac);
  const reports = report ? [...recent, { mac, atMs: nowMs }] : recent;
  const lastDefenceAtMs = history?.lastDefenceAtMs;
  const unchanged = lastDefenceAtMs === undefined ? { reports } : { reports, lastDefenceAtMs };
  if (isSpeaker) return { action: 'waiting', report, history: unchanged };
  // Section 2.4 (a): "upon receiving a conflicting ARP packet, a host MAY elect to immediately cease using the address".
  if (policy === 'yield') return { action: 'yielded', report: true, history: { reports } };
  // Section 2.4 (c): a host that has seen no other conflict within DEFEND_INTERVAL must "broadcast one single ARP Announcement".
  const mayDefend = lastDefenceAtMs === undefined || nowMs - lastDefenceAtMs >= defendIntervalMs;
  return mayDefend
    ? { action: 'defended', report, history: { reports, lastDefenceAtMs: nowMs } }
    : { action: 'waiting', report, history: unchanged };
}
