import { Budget } from './budget.ts';

/**
 * How many datagrams of new sessions one known host may send per second. Each such datagram costs a key derivation. A speaker process chooses
 * one session at its start and seals all its datagrams in that session (`seal.ts`), so the limit is ample.
 */
const newSessions = { perSecond: 20, burst: 40 } as const;
/** How many datagrams all unknown hosts together may send per second. */
const strangers = { perSecond: 50, burst: 100 } as const;
/** Maximum number of proven hosts that Kubernetes does not list. A node may send from an address other than its listed ones. */
const maxProvenHosts = 1024;

/**
 * Decides whether to process a datagram, before any cryptography. Deriving the key of a new session costs 80 µs, and opening a datagram of
 * a known session costs 10 µs. Without limits, a flood of forged sessions would delay the speaker's timers.
 *
 * A known host is listed by Kubernetes, or has sent an authentic datagram before. All other hosts are strangers.
 *
 * | source              | session known | session new                    |
 * |---------------------|---------------|--------------------------------|
 * | known host          | admitted      | that host's own budget         |
 * | stranger            | one budget that all strangers share                    |
 */
export class Admission {
  readonly #newSessionsOf = new Map<string, Budget>();
  readonly #strangers = new Budget(strangers.perSecond, strangers.burst);
  readonly #proven = new Map<string, Budget>();

  /** Replaces the hosts that Kubernetes lists. */
  setListed(hosts: ReadonlySet<string>): void {
    for (const host of this.#newSessionsOf.keys()) if (!hosts.has(host)) this.#newSessionsOf.delete(host);
    for (const host of hosts)
      if (!this.#newSessionsOf.has(host)) this.#newSessionsOf.set(host, newSessionsBudget());
  }

  /** Notes that a datagram from the host was authentic and fresh. */
  prove(host: string): void {
    if (this.#newSessionsOf.has(host) || this.#proven.has(host)) return;
    this.#proven.set(host, newSessionsBudget());
    for (const oldest of this.#proven.keys()) {
      if (this.#proven.size <= maxProvenHosts) break;
      this.#proven.delete(oldest);
    }
  }

  admits(host: string, isKnownSession: boolean, nowMs: number): boolean {
    const budget = this.#newSessionsOf.get(host) ?? this.#proven.get(host);
    if (!budget) return this.#strangers.take(nowMs);
    return isKnownSession || budget.take(nowMs);
  }
}

function newSessionsBudget(): Budget {
  return new Budget(newSessions.perSecond, newSessions.burst);
}
