/**
 * The failure detector: SWIM with the refinements of Lifeguard. In each probe interval, a member pings the next member of a shuffled round.
 * If no ack arrives, it pings up to twice more, after waits that depend on the measured round-trip time. The third ping also goes through
 * relays. A target that stays silent becomes a suspect of the probing member. Each further ping tells the suspect about the suspicion, and
 * the suspect can refute it with a greater incarnation. The probing member asks a few others, the verifiers, to probe the suspect too. A
 * verifier whose probe also fails confirms the suspicion. A member declares the suspect dead after its own probe has failed and a wait has
 * passed. Each confirmation shortens the wait.
 *
 *     routine probe fails → suspect ─ verify → confirmations → dead
 *                              └─ pings say "you are suspect" → alive, with a greater incarnation
 *
 * Packet loss therefore delays the verdict, but does not make it wrong. A member whose own timers run late waits longer before it suspects
 * another member.
 */
import { rendezvousWinners } from '../hash.ts';
import type { Draft } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import { LocalHealth } from './local-health.ts';
import { brief, isLive, type Member, type MemberTable, updateOf } from './member-table.ts';
import type { MemberUpdate } from './packet.ts';
import {
  type Probe,
  type ProbePurpose,
  Prober,
  type ProberAction,
  type RelayRequester,
  shortestProbeMs,
} from './prober.ts';
import { shuffle } from './shuffle.ts';
import { Suspicion } from './suspicion.ts';
import { firstRtt, type MembershipSettings, sampleRtt } from './timing.ts';

/** Time in which a recently heard member can contradict the statement that it has left. */
const departureMs = 100;
/** Maximum number of stalls that postpone the judgement of a departure. A process that stalls again and again would otherwise never judge it. */
const maxDepartureStalls = 5;

export type DetectorAction =
  | { readonly kind: 'send'; readonly draft: Draft }
  | { readonly kind: 'suspect'; readonly member: string; readonly confirmedBy: readonly string[] }
  /** This node concludes that the member is dead or has left. */
  | { readonly kind: 'gone'; readonly update: MemberUpdate };

interface Departure {
  readonly update: MemberUpdate;
  readonly saidAtMs: number;
  /** When to believe the statement, if the member has not contradicted it until then. */
  dueAtMs: number;
  /** Stalls of this process since the statement. */
  stalls: number;
}

export class FailureDetector {
  readonly #settings: MembershipSettings;
  readonly #table: MemberTable;
  readonly #random: () => number;
  readonly #prober = new Prober();
  readonly #health = new LocalHealth();
  readonly #suspicions = new Map<string, Suspicion>();
  /** Recently heard members that others report as left. Each is probed before the report is believed. */
  readonly #departures = new Map<string, Departure>();
  /** Members that are still to be probed in this round. */
  #round: string[] = [];
  #nextProbeAtMs = 0;

  constructor(settings: MembershipSettings, table: MemberTable, random: () => number) {
    this.#settings = settings;
    this.#table = table;
    this.#random = random;
  }

  /** The score of `LocalHealth`: 0 while this member's timers run on time and no other member suspects it, and at most 4. */
  get healthScore(): number {
    return this.#health.score;
  }

  get suspects(): number {
    return this.#suspicions.size;
  }

  isSuspected(name: string): boolean {
    return this.#suspicions.has(name);
  }

  /** Notes that other members suspect this member. This member is then probably slow itself. */
  suspectedByOthers(): void {
    this.#health.worsen();
  }

  /**
   * Whether the member was heard so recently that a report of its death is wrong. Even if the member had died right afterwards, no other member
   * could have declared it dead yet, because that takes at least the shortest probe and the shortest suspicion together. The reporting member
   * does not hear the member, or repeats a belief from a partition that has ended.
   */
  isHeard(member: Readonly<Member>, nowMs: number): boolean {
    return isLive(member) && nowMs < this.#silentAtMs(member);
  }

  /** The earliest time at which the member can be declared dead, if nothing is heard from it until then. */
  #silentAtMs({ heardAtMs }: Readonly<Member>): number {
    return heardAtMs + shortestProbeMs + this.#settings.suspicionMinMs;
  }

  /**
   * Postpones probes and suspicions by the time during which this process did not run. Gives each departure at least `departureMs` from now,
   * but for at most `maxDepartureStalls` stalls. The silence of other members during the time in which this process did not run means
   * nothing.
   */
  stalled(ms: number, nowMs: number): void {
    this.#health.worsen();
    this.#prober.postpone(ms);
    for (const suspicion of this.#suspicions.values()) suspicion.postpone(ms);
    // A departure is not postponed by `ms`. Its statement may have waited in the socket during the stall, and the time to contradict it then
    // begins only after the stall.
    for (const departure of this.#departures.values())
      if (departure.stalls++ < maxDepartureStalls)
        departure.dueAtMs = Math.max(departure.dueAtMs, nowMs + departureMs);
  }

  wake(nowMs: number): DetectorAction[] {
    const actions = this.#run(this.#prober.wake(nowMs), nowMs);
    for (const [name, suspicion] of this.#suspicions) actions.push(...this.#pursue(name, suspicion, nowMs));
    for (const [name, departure] of this.#departures)
      if (nowMs >= departure.dueAtMs) actions.push(...this.#judgeDeparture(name));
    if (nowMs >= this.#nextProbeAtMs) actions.push(...this.#probeNext(nowMs));
    return actions;
  }

  wakeAtMs(): number {
    let at = Math.min(this.#nextProbeAtMs, this.#prober.wakeAtMs());
    for (const [name, suspicion] of this.#suspicions)
      at = Math.min(at, suspicion.wakeAtMs(this.#deadline(suspicion, this.#table.get(name))));
    for (const { dueAtMs } of this.#departures.values()) at = Math.min(at, dueAtMs);
    return at;
  }

  /** Handles an ack for a probe that this member started, or for a ping that it relays for another. */
  acknowledged(from: string, sequence: number, target: string, nowMs: number): DetectorAction[] {
    const { probe, requester } = this.#prober.acknowledged(sequence, target);
    if (probe) this.#answered(probe, from, nowMs);
    if (!requester) return [];
    const { name, endpoint } = requester;
    return [send(name, endpoint, { kind: 'ack', sequence: requester.sequence, target })];
  }

  relay(requester: RelayRequester, target: string, endpoint: Endpoint, nowMs: number): DetectorAction[] {
    return this.#run(this.#prober.relay(requester, target, endpoint, nowMs), nowMs);
  }

  /** Handles a request to verify. The member `from` cannot reach the target and knows the target's incarnation as `incarnation`. */
  verify(from: string, target: string, incarnation: number, nowMs: number): DetectorAction[] {
    const member = this.#table.get(target);
    const asker = this.#table.get(from);
    if (!member || !asker) return [];
    if (member.incarnation > incarnation || !isLive(member))
      return [send(from, asker.endpoint, { kind: 'gossip' }, [updateOf(member)])];
    const suspicion = this.#suspicions.get(target);
    if (suspicion) {
      suspicion.confirm(from);
      return [];
    }
    const underWay = this.#prober.find(target, 'verify');
    if (underWay) {
      underWay.askers.add(from);
      return [];
    }
    const { probe, actions } = this.#prober.start(member, 'verify', 1, nowMs);
    probe.askers.add(from);
    return this.#run(actions, nowMs);
  }

  /** Pings a missing speaker, which may have started. */
  tryToReach(name: string, endpoint: Endpoint, nowMs: number): DetectorAction[] {
    return this.#probe({ name, endpoint, rtt: firstRtt }, 'join', 1, nowMs);
  }

  /** Probes a recently heard member, because another member says that it has left. */
  questionDeparture(update: MemberUpdate, nowMs: number): DetectorAction[] {
    const member = this.#table.get(update.name);
    if (!member || this.#departures.has(update.name)) return [];
    this.#departures.set(update.name, { update, saidAtMs: nowMs, dueAtMs: nowMs + departureMs, stalls: 0 });
    return this.#probe(member, 'departure', 1, nowMs);
  }

  /**
   * Ends the suspicion against a member, because a newer statement about the member has arrived. If the member is live, notifies its verifiers
   * and the members that confirmed the suspicion.
   */
  cleared(member: Member): DetectorAction[] {
    const suspicion = this.#suspicions.get(member.name);
    if (!suspicion) return [];
    this.forget(member.name);
    if (!isLive(member)) return [];
    const informed = new Set([...this.#verifiers(member), ...suspicion.confirmedBy]);
    return [...informed].flatMap((name) => {
      const other = this.#table.get(name);
      return other ? [send(name, other.endpoint, { kind: 'gossip' }, [updateOf(member)])] : [];
    });
  }

  forget(name: string): void {
    if (this.#suspicions.delete(name)) this.#prober.cancel(name);
    this.#departures.delete(name);
  }

  #answered(probe: Probe, from: string, nowMs: number): void {
    const member = this.#table.get(probe.target);
    if (member && from === probe.target && probe.sent === 1)
      member.rtt = sampleRtt(member.rtt, nowMs - probe.startedAtMs);
    if (probe.purpose === 'routine') this.#health.mend();
    if (!member) return;
    // The ack proves that the member is alive, even if it came through a relay.
    member.heardAtMs = nowMs;
    member.answeredAtMs = nowMs;
  }

  #probe(
    target: Parameters<Prober['start']>[0],
    purpose: ProbePurpose,
    stretch: number,
    nowMs: number,
  ): DetectorAction[] {
    return this.#run(this.#prober.start(target, purpose, stretch, nowMs).actions, nowMs);
  }

  #run(actions: readonly ProberAction[], nowMs: number): DetectorAction[] {
    return actions.flatMap((action) => this.#runOne(action, nowMs));
  }

  #runOne(action: ProberAction, nowMs: number): DetectorAction[] {
    switch (action.kind) {
      case 'ping': {
        const { target, endpoint, sequence, purpose, isRepeated } = action;
        const member = this.#table.get(target);
        // A suspect that the asker cannot reach learns of the suspicion from the verifiers.
        const updates: MemberUpdate[] =
          member && purpose === 'verify' ? [brief({ ...updateOf(member), state: 'suspect' })] : [];
        const body = { kind: 'ping', sequence } as const;
        return [
          { kind: 'send', draft: { to: target, endpoint, body, updates, carriesGossip: true, isRepeated } },
        ];
      }
      case 'ask-relays':
        return this.#askRelays(action.probe);
      case 'failed':
        return this.#probeFailed(action.probe, nowMs);
    }
  }

  #probeNext(nowMs: number): DetectorAction[] {
    const { probeIntervalMs } = this.#settings;
    this.#nextProbeAtMs = Math.max(this.#nextProbeAtMs + probeIntervalMs, nowMs + probeIntervalMs / 2);
    for (let tries = this.#round.length + 1; tries > 0; tries--) {
      const name = this.#round.pop();
      if (name === undefined) {
        const names = this.#table.live().map((member) => member.name);
        this.#round = shuffle(names, this.#random);
        if (this.#round.length === 0) return [];
        continue;
      }
      const member = this.#table.get(name);
      if (!member || !isLive(member) || this.#suspicions.has(name)) continue;
      return this.#probe(member, 'routine', this.#health.factor, nowMs);
    }
    return [];
  }

  #askRelays({ target, endpoint, sequence }: Probe): DetectorAction[] {
    const others = this.#table.live().filter(({ name }) => name !== target && !this.#suspicions.has(name));
    const relays = shuffle(others, this.#random).slice(0, this.#settings.relays);
    return relays.map((relay) =>
      send(relay.name, relay.endpoint, { kind: 'ping-request', sequence, target, endpoint }),
    );
  }

  #probeFailed(probe: Probe, nowMs: number): DetectorAction[] {
    if (probe.purpose !== 'routine' && probe.purpose !== 'verify') return [];
    const member = this.#table.get(probe.target);
    // An answer to any ping since the start of this probe shows that the target is alive.
    if (!member || !isLive(member) || member.answeredAtMs > probe.startedAtMs) return [];
    return this.#suspicions.has(member.name) ? [] : this.#suspect(member, probe.askers, nowMs);
  }

  #suspect(member: Member, askers: ReadonlySet<string>, nowMs: number): DetectorAction[] {
    const suspicion = new Suspicion(member, askers, this.#verifiers(member).length, nowMs);
    this.#suspicions.set(member.name, suspicion);
    this.#table.merge({ ...updateOf(member), state: 'suspect' }, nowMs);
    return [
      { kind: 'suspect', member: member.name, confirmedBy: [...askers] },
      ...[...askers].flatMap((asker) => this.#askToVerify(asker, member)),
      ...this.#pursue(member.name, suspicion, nowMs),
    ];
  }

  /** The members to ask for verification. All members that suspect the same member choose the same verifiers. */
  #verifiers(suspect: Member): string[] {
    const others = this.#table
      .live()
      .filter(({ name }) => name !== suspect.name && !this.#suspicions.has(name))
      .map(({ name }) => name);
    return rendezvousWinners(others, `${suspect.name} ${suspect.incarnation}`, this.#settings.verifiers);
  }

  #askToVerify(verifier: string, { name, incarnation }: Member): DetectorAction[] {
    const member = this.#table.get(verifier);
    return member ? [send(verifier, member.endpoint, { kind: 'verify', target: name, incarnation })] : [];
  }

  /** Pings the suspect and asks the verifiers without a confirmation to probe it. At the deadline, declares the suspect dead. */
  #pursue(name: string, suspicion: Suspicion, nowMs: number): DetectorAction[] {
    const member = this.#table.get(name);
    if (!member || member.incarnation !== suspicion.incarnation || !isLive(member)) {
      this.#suspicions.delete(name);
      return [];
    }
    if (nowMs >= this.#deadline(suspicion, member)) {
      this.forget(name);
      return [{ kind: 'gone', update: { ...brief(updateOf(member)), state: 'dead' } }];
    }
    if (!suspicion.isCallDue(nowMs)) return [];
    const unconfirmed = this.#verifiers(member).filter((verifier) => !suspicion.isConfirmedBy(verifier));
    return [
      ...this.#probe(member, 'suspect', 1, nowMs),
      ...unconfirmed.flatMap((verifier) => this.#askToVerify(verifier, member)),
    ];
  }

  /**
   * When to declare the suspect dead. A packet from the suspect can postpone this time, because it shows that the suspect is alive. Its
   * refutation may still arrive, but late, for example from a busy machine.
   */
  #deadline(suspicion: Suspicion, suspect: Readonly<Member> | undefined): number {
    const atMs = suspicion.deadline(this.#settings, this.#table.liveCount + 1, this.#health.factor);
    return suspect ? Math.max(atMs, this.#silentAtMs(suspect)) : atMs;
  }

  #judgeDeparture(name: string): DetectorAction[] {
    const departure = this.#departures.get(name);
    const member = this.#table.get(name);
    this.#departures.delete(name);
    if (!departure || !member || member.heardAtMs > departure.saidAtMs) return [];
    return [{ kind: 'gone', update: departure.update }];
  }
}

function send(
  to: string,
  endpoint: Endpoint,
  body: Draft['body'],
  updates: Draft['updates'] = [],
): DetectorAction {
  return { kind: 'send', draft: { to, endpoint, body, updates, carriesGossip: true } };
}
