import type { Endpoint } from './endpoint.ts';
import type { Body } from './packet.ts';
import { retransmitMs } from './timing.ts';

/** Why a member is probed. `routine`: its turn; `verify`: another member cannot reach it; `suspect`: a last call; `join`: it may be there. */
export type ProbePurpose = 'routine' | 'verify' | 'suspect' | 'join';

export interface Probe {
  readonly sequence: number;
  readonly target: string;
  readonly endpoint: Endpoint;
  readonly purpose: ProbePurpose;
  /** Who asked to verify. */
  readonly askers: Set<string>;
  readonly startedAt: number;
  readonly retransmitMs: number;
  /** Pings sent. */
  sent: number;
  dueAt: number;
}

interface Relay {
  readonly requester: { readonly name: string; readonly endpoint: Endpoint; readonly sequence: number };
  readonly target: string;
  readonly endpoint: Endpoint;
  sent: number;
  dueAt: number;
}

export interface ProberOutput {
  ping(target: string, endpoint: Endpoint, body: Body): void;
  askRelays(probe: Probe): void;
  failed(probe: Probe, now: number): void;
}

/** Pings of one probe: the first answer counts, so that loss costs time and not a suspicion. */
const pingsOf: Readonly<Record<ProbePurpose, number>> = { routine: 3, verify: 3, suspect: 1, join: 1 };
/** No probe fails sooner: three pings, with the shortest waits. */
export const shortestProbeMs = 80;
const relayPings = 2;
const relayIntervalMs = 20;

/**
 * Probes under way, ours and those made for others. A routine probe, with r the retransmission time:
 *
 *     0      r      2r                      2r + max(2r, 40 ms)
 *     ping   ping   ping, and by relays     failed
 */
export class Prober {
  readonly #output: ProberOutput;
  readonly #probes = new Map<number, Probe>();
  readonly #relays = new Map<number, Relay>();
  #sequence = 0;

  constructor(output: ProberOutput) {
    this.#output = output;
  }

  start(
    target: {
      readonly name: string;
      readonly endpoint: Endpoint;
      readonly rtt: Parameters<typeof retransmitMs>[0];
    },
    purpose: ProbePurpose,
    stretch: number,
    now: number,
  ): Probe {
    const probe: Probe = {
      sequence: this.#next(),
      target: target.name,
      endpoint: target.endpoint,
      purpose,
      askers: new Set(),
      startedAt: now,
      retransmitMs: retransmitMs(target.rtt) * stretch,
      sent: 0,
      dueAt: now,
    };
    this.#probes.set(probe.sequence, probe);
    this.#advance(probe, now);
    return probe;
  }

  /** The probe of the purpose that is under way to the target. */
  find(target: string, purpose: ProbePurpose): Probe | undefined {
    for (const probe of this.#probes.values())
      if (probe.target === target && probe.purpose === purpose) return probe;
    return undefined;
  }

  relay(requester: Relay['requester'], target: string, endpoint: Endpoint, now: number): void {
    const relay: Relay = { requester, target, endpoint, sent: 0, dueAt: now };
    const sequence = this.#next();
    this.#relays.set(sequence, relay);
    this.#advanceRelay(sequence, relay, now);
  }

  /** The probe, or the requester of the relayed one, that an ack is for. */
  acknowledged(sequence: number, target: string): { probe?: Probe; requester?: Relay['requester'] } {
    const probe = this.#probes.get(sequence);
    if (probe?.target === target) {
      this.#probes.delete(sequence);
      return { probe };
    }
    const relay = this.#relays.get(sequence);
    if (relay?.target !== target) return {};
    this.#relays.delete(sequence);
    return { requester: relay.requester };
  }

  /** Nobody is waited for any more, under whatever purpose. */
  cancel(target: string): void {
    for (const [sequence, probe] of this.#probes) if (probe.target === target) this.#probes.delete(sequence);
  }

  /** Moves everything on by a time in which we were not running. */
  postpone(ms: number): void {
    for (const probe of this.#probes.values()) probe.dueAt += ms;
  }

  wake(now: number): void {
    for (const probe of [...this.#probes.values()])
      if (probe.dueAt <= now && this.#probes.has(probe.sequence)) this.#advance(probe, now);
    for (const [sequence, relay] of [...this.#relays])
      if (relay.dueAt <= now) this.#advanceRelay(sequence, relay, now);
  }

  wakeAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#probes.values()) at = Math.min(at, dueAt);
    for (const { dueAt } of this.#relays.values()) at = Math.min(at, dueAt);
    return at;
  }

  #advance(probe: Probe, now: number): void {
    const pings = pingsOf[probe.purpose];
    if (probe.sent >= pings) {
      this.#probes.delete(probe.sequence);
      this.#output.failed(probe, now);
      return;
    }
    this.#output.ping(probe.target, probe.endpoint, { kind: 'ping', sequence: probe.sequence });
    probe.sent++;
    const isLast = probe.sent >= pings;
    if (isLast && probe.purpose === 'routine') this.#output.askRelays(probe);
    probe.dueAt = now + (isLast ? Math.max(40, 2 * probe.retransmitMs) : probe.retransmitMs);
  }

  #advanceRelay(sequence: number, relay: Relay, now: number): void {
    if (relay.sent > relayPings) {
      this.#relays.delete(sequence);
      return;
    }
    if (relay.sent < relayPings) this.#output.ping(relay.target, relay.endpoint, { kind: 'ping', sequence });
    relay.dueAt = now + (relay.sent === relayPings ? 100 : relayIntervalMs);
    relay.sent++;
  }

  #next(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }
}
