import { Budget } from './budget.ts';

/** Key derivations per second for sessions that a known host has not proven yet. A speaker starts one session in its life. */
const newSessions = { perSecond: 20, burst: 40 } as const;
/** Datagrams per second from all hosts that are not known, together. */
const strangers = { perSecond: 50, burst: 100 } as const;
/** Hosts that proved themselves without being listed: nodes that send from another of their addresses. */
const maxProvenHosts = 1024;

/**
 * Decides before any cryptography whether a datagram is worth it. To derive the key of a new session costs 80 µs, to open a
 * datagram of a known one 10 µs, so a flood of forged sessions would keep a speaker from its timers.
 *
 * | source              | session known | session new                    |
 * |---------------------|---------------|--------------------------------|
 * | known host          | admitted      | budget of that host            |
 * | stranger            | the strangers' budget, which all of them share         |
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

  /** A datagram from the host was authentic and fresh. */
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
