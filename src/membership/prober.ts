import type { Endpoint } from './endpoint.ts';
import { type RttEstimate, retransmitMs } from './timing.ts';

/**
 * Why a member is probed. The member is next in the round (`routine`), another member cannot reach it (`verify`), this member suspects it
 * (`suspect`), it may have started (`join`), or another member says that it has left (`departure`).
 */
export type ProbePurpose = 'routine' | 'verify' | 'suspect' | 'join' | 'departure';

export interface ProbeTarget {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly rtt: RttEstimate;
}

export interface Probe {
  readonly sequence: number;
  readonly target: string;
  readonly endpoint: Endpoint;
  readonly purpose: ProbePurpose;
  /** Members that asked this member to verify the target. */
  readonly askers: Set<string>;
  readonly startedAtMs: number;
  readonly retransmitMs: number;
  /** Pings sent. */
  sent: number;
  dueAtMs: number;
}

/** The member that asked for a relayed ping, and the sequence number of its own probe. */
export interface RelayRequester {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly sequence: number;
}

interface Relay {
  readonly requester: RelayRequester;
  readonly target: string;
  readonly endpoint: Endpoint;
  sent: number;
  dueAtMs: number;
}

export type ProberAction =
  | {
      readonly kind: 'ping';
      readonly target: string;
      readonly endpoint: Endpoint;
      readonly sequence: number;
      readonly purpose: ProbePurpose | 'relay';
      /** Whether an earlier ping of the same probe has no answer yet. A relayed ping belongs to a probe whose earlier pings have no answer. */
      readonly isRepeated: boolean;
    }
  | { readonly kind: 'ask-relays'; readonly probe: Probe }
  | { readonly kind: 'failed'; readonly probe: Probe };

/** Number of pings in one probe. Any ack ends the probe, so the loss of one packet causes a delay, not a suspicion. */
const pingsOf: Readonly<Record<ProbePurpose, number>> = {
  routine: 3,
  verify: 3,
  suspect: 1,
  join: 1,
  departure: 2,
};
/** Shortest time in which a routine probe can fail: three pings with the shortest waits. */
export const shortestProbeMs = 80;
const relayPings = 2;
const relayIntervalMs = 20;
/** After its last ping, a relay waits `relayIntervalMs` plus this time for the ack. */
const relayPatienceMs = 100;
/** Maximum number of relayed pings under way. Further requests are ignored. */
const maxRelays = 256;

/**
 * This member's own probes under way, and the pings that it relays for others. The timeline of a routine probe, where r is the
 * retransmission time:
 *
 *     0      r      2r                      2r + max(2r, 40 ms)
 *     ping   ping   ping, also by relays    failed
 */
export class Prober {
  readonly #probes = new Map<number, Probe>();
  readonly #relays = new Map<number, Relay>();
  #sequence = 0;

  /** Starts a probe. `stretch` multiplies the waits. It is above 1 when this member itself is slow. */
  start(
    { name, endpoint, rtt }: ProbeTarget,
    purpose: ProbePurpose,
    stretch: number,
    nowMs: number,
  ): { readonly probe: Probe; readonly actions: ProberAction[] } {
    const probe: Probe = {
      sequence: this.#nextSequence(),
      target: name,
      endpoint,
      purpose,
      askers: new Set(),
      startedAtMs: nowMs,
      retransmitMs: retransmitMs(rtt) * stretch,
      sent: 0,
      dueAtMs: nowMs,
    };
    this.#probes.set(probe.sequence, probe);
    return { probe, actions: this.#advance(probe, nowMs) };
  }

  /** The probe of the target with that purpose, if one is under way. */
  find(target: string, purpose: ProbePurpose): Probe | undefined {
    for (const probe of this.#probes.values())
      if (probe.target === target && probe.purpose === purpose) return probe;
    return undefined;
  }

  relay(requester: RelayRequester, target: string, endpoint: Endpoint, nowMs: number): ProberAction[] {
    if (this.#relays.size >= maxRelays) return [];
    const relay: Relay = { requester, target, endpoint, sent: 0, dueAtMs: nowMs };
    const sequence = this.#nextSequence();
    this.#relays.set(sequence, relay);
    return this.#advanceRelay(sequence, relay, nowMs);
  }

  /** Ends the probe or the relayed ping that the ack answers. */
  acknowledged(sequence: number, target: string): { probe?: Probe; requester?: RelayRequester } {
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

  /** Ends all probes of the target. */
  cancel(target: string): void {
    for (const [sequence, probe] of this.#probes) if (probe.target === target) this.#probes.delete(sequence);
  }

  /** Postpones the deadlines of all probes by the time during which this process did not run. */
  postpone(ms: number): void {
    for (const probe of this.#probes.values()) probe.dueAtMs += ms;
  }

  wake(nowMs: number): ProberAction[] {
    const actions: ProberAction[] = [];
    for (const probe of [...this.#probes.values()])
      if (probe.dueAtMs <= nowMs) actions.push(...this.#advance(probe, nowMs));
    for (const [sequence, relay] of [...this.#relays])
      if (relay.dueAtMs <= nowMs) actions.push(...this.#advanceRelay(sequence, relay, nowMs));
    return actions;
  }

  wakeAtMs(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const { dueAtMs } of this.#probes.values()) atMs = Math.min(atMs, dueAtMs);
    for (const { dueAtMs } of this.#relays.values()) atMs = Math.min(atMs, dueAtMs);
    return atMs;
  }

  #advance(probe: Probe, nowMs: number): ProberAction[] {
    const { target, endpoint, sequence, purpose } = probe;
    const pings = pingsOf[purpose];
    if (probe.sent >= pings) {
      this.#probes.delete(sequence);
      return [{ kind: 'failed', probe }];
    }
    probe.sent++;
    const isLast = probe.sent >= pings;
    probe.dueAtMs = nowMs + (isLast ? Math.max(40, 2 * probe.retransmitMs) : probe.retransmitMs);
    const ping = { kind: 'ping', target, endpoint, sequence, purpose, isRepeated: probe.sent > 1 } as const;
    return isLast && purpose === 'routine' ? [ping, { kind: 'ask-relays', probe }] : [ping];
  }

  #advanceRelay(sequence: number, relay: Relay, nowMs: number): ProberAction[] {
    if (relay.sent > relayPings) {
      this.#relays.delete(sequence);
      return [];
    }
    const { target, endpoint } = relay;
    const isDone = relay.sent === relayPings;
    relay.dueAtMs = nowMs + (isDone ? relayPatienceMs : relayIntervalMs);
    relay.sent++;
    return isDone ? [] : [{ kind: 'ping', target, endpoint, sequence, purpose: 'relay', isRepeated: true }];
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }
}
