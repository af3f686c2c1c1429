/**
 * Membership: who is alive, and who owns what, known to every speaker without the API server. SWIM with the refinements of
 * Lifeguard, as a machine: packets, the time and wishes in; packets out and a view. It reads no clock and opens no socket.
 *
 * Every probe interval a member pings the next of the others in a shuffled round, again after a retransmission time that
 * follows the measured one, and at last through relays. A member that stays silent is suspected by the one who probed
 * it: told so in each further ping, so that it can refute with a greater incarnation, and looked for by a few others (the
 * verifiers, the same for whoever suspects). Only who has failed to reach it himself calls it dead, the sooner the more
 * verifiers confirm. So loss of packets costs a longer look and not a wrong death; and while our own timers run late,
 * nobody is blamed.
 *
 *     routine probe fails → suspect ─ verify → confirmations → dead → told to all at once
 *                              └─ pings say "you are suspect" → alive, incarnation + 1
 *
 * Deaths, joins, leaves and claims go out at once to some members, who pass them on, and travel on with pings after that; a
 * summary hash in every packet finds who still differs, and a digest by buckets mends it. News that are merged are the newest
 * by an order of their own (incarnation, epoch), so neither loss nor order matters.
 *
 * It refuses to trust the network: packets come here only after `channel.ts` has decrypted them and seen that they are new.
 * Das, Gupta, Motivala: SWIM (2002). Dadgar, Phillips, Currey: Lifeguard (2018).
 */
import { rendezvousWinners } from '../hash.ts';
import type { Endpoint } from './endpoint.ts';
import { LocalHealth } from './local-health.ts';
import { isLive, type Member, MemberTable, memberBucket, memberHash, updateOf } from './member-table.ts';
import type { Body, MemberUpdate, Packet, Update } from './packet.ts';
import { digestBuckets, type PayloadRecord, type PayloadStore } from './payload.ts';
import { type Probe, Prober, shortestProbeMs } from './prober.ts';
import { chunks, Rumours, subjectOf } from './rumours.ts';
import {
  defaultMembershipSettings,
  firstRtt,
  type MembershipSettings,
  sampleRtt,
  suspicionMs,
} from './timing.ts';

export interface MembershipOptions {
  readonly name: string;
  /** Greater than in any life before: milliseconds of the epoch serve. */
  readonly incarnation: number;
  readonly endpoint: Endpoint;
  readonly metadata: string;
  readonly payloads: PayloadStore;
  /** 0 to below 1. */
  readonly random: () => number;
  readonly settings?: Partial<MembershipSettings>;
}

export interface Outgoing {
  readonly to: string;
  readonly endpoint: Endpoint;
  readonly packet: Packet;
}

/** What has changed since it was asked last. */
export interface Changes {
  readonly packets: readonly Outgoing[];
  readonly members: boolean;
  readonly payloads: ReadonlySet<string>;
  /** Members newly called dead or left, and when they were last heard. */
  readonly lost: readonly { readonly name: string; readonly heardAt: number }[];
}

interface Suspicion {
  readonly incarnation: number;
  startedAt: number;
  readonly confirmedBy: Set<string>;
  readonly possible: number;
  nextCallAt: number;
}

/** Room for updates in a packet: a datagram with them, the addresses and the seal stays below 1,400 octets. */
const updateOctets = 1100;
const suspectCallMs = 40;
/** Urgent news wait this long for others to travel with. */
const gatherMs = 2;
/** Up to this many members, urgent news go to all of them from where they arise. */
const smallCluster = 16;
const syncIntervalMs = 300;
const doubtIntervalMs = 1000;
const maxPacketsAtOnce = 64;

export class Membership {
  readonly name: string;
  readonly #settings: MembershipSettings;
  readonly #random: () => number;
  readonly #payloads: PayloadStore;
  readonly #table = new MemberTable();
  readonly #rumours = new Rumours();
  readonly #health = new LocalHealth();
  readonly #prober: Prober;
  readonly #suspicions = new Map<string, Suspicion>();
  readonly #known = new Map<string, readonly Endpoint[]>();
  readonly #joinAttempts = new Map<string, number>();
  readonly #urgent = new Map<string, { readonly update: Update; readonly isOurs: boolean }>();
  #incarnation: number;
  #endpoint: Endpoint;
  #metadata: string;
  #hasLeft = false;
  #order: string[] = [];
  #nextProbeAt = 0;
  #nextJoinAt = Number.POSITIVE_INFINITY;
  #flushAt = Number.POSITIVE_INFINITY;
  #nextSyncAt = 0;
  #nextDoubtAt = 0;
  #differences = 0;
  #isSynced = false;
  #summaryOf = '';
  #summaryHash = 0;
  #expectedAt = Number.POSITIVE_INFINITY;
  #packets: Outgoing[] = [];
  #membersChanged = false;
  #payloadsChanged = new Set<string>();
  #lost: { name: string; heardAt: number }[] = [];

  constructor(options: MembershipOptions) {
    this.name = options.name;
    this.#settings = { ...defaultMembershipSettings, ...options.settings };
    this.#random = options.random;
    this.#payloads = options.payloads;
    this.#incarnation = options.incarnation;
    this.#endpoint = options.endpoint;
    this.#metadata = options.metadata;
    this.#prober = new Prober({
      ping: (target, endpoint, body) => this.#send(target, endpoint, body),
      askRelays: (probe) => this.#askRelays(probe),
      failed: (probe, now) => this.#probeFailed(probe, now),
    });
  }

  /** Takes in a packet and the endpoint it came from. */
  receive(packet: Packet, source: Endpoint, now: number): void {
    const { from, body } = packet;
    if (from === this.name || this.#hasLeft) return;
    let isAboutUs = false;
    const better: Update[] = [];
    for (const update of packet.updates) {
      if (update.kind === 'member' && update.name === this.name) isAboutUs = this.#hearOfSelf(update, now);
      else if (this.#merge(update, now) === 'older' && body.kind === 'records') better.push(update);
    }
    const sender = this.#table.get(from);
    if (sender) {
      if (sender.state === 'dead') this.#doubtDeaths(now);
      sender.heardAt = now;
      sender.endpoint = source;
    }
    this.#handle(packet, source, isAboutUs, now);
    if (better.length > 0) this.#tellNewer(from, source, better);
    if (!sender || packet.incarnation > sender.incarnation) this.#sync(from, source, now);
    else if (isLive(sender)) this.#compare(packet, source, now);
  }

  /** Does what is due. Call it at `wakeAt()`, having taken in the packets that have arrived. */
  wake(now: number): void {
    const lateness = now - this.#expectedAt;
    if (lateness > this.#settings.stallToleranceMs) this.#stalled(lateness);
    this.#prober.wake(now);
    for (const [name, suspicion] of this.#suspicions) this.#pursue(name, suspicion, now);
    if (now >= this.#nextProbeAt) this.#probeNext(now);
    if (now >= this.#nextJoinAt) this.#tryJoin(now);
    if (now >= this.#flushAt) this.#flush();
  }

  /** When to call `wake` again, if nothing happens before. */
  wakeAt(): number {
    let at = Math.min(this.#nextProbeAt, this.#nextJoinAt, this.#flushAt, this.#prober.wakeAt());
    for (const [name, suspicion] of this.#suspicions)
      at = Math.min(at, suspicion.nextCallAt, this.#deadline(name, suspicion));
    this.#expectedAt = at;
    return at;
  }

  /** Speakers that exist by Kubernetes' word, ourselves maybe among them; replaces the ones told before. */
  know(speakers: ReadonlyMap<string, readonly Endpoint[]>, now: number): void {
    for (const name of this.#known.keys()) {
      if (speakers.has(name)) continue;
      this.#known.delete(name);
      const member = this.#table.get(name);
      if (member && !isLive(member)) this.#forget(member);
    }
    for (const [name, endpoints] of speakers) if (name !== this.name) this.#known.set(name, endpoints);
    const own = speakers.get(this.name)?.[0];
    if (own && (own.host !== this.#endpoint.host || own.port !== this.#endpoint.port)) {
      this.#endpoint = own;
      this.#tellOfSelf(now);
    }
    this.#nextJoinAt = Math.min(this.#nextJoinAt, now);
  }

  /** Where the member may be reached: by Kubernetes' account first, then where its packets came from. */
  endpointsOf(name: string): readonly Endpoint[] {
    const member = this.#table.get(name);
    return [...(this.#known.get(name) ?? []), ...(member ? [member.endpoint] : [])];
  }

  /** The name of the speaker that Kubernetes lists at the host. */
  listedAt(host: string): string | undefined {
    for (const [name, endpoints] of this.#known)
      if (endpoints.some((endpoint) => endpoint.host === host)) return name;
    return undefined;
  }

  setMetadata(metadata: string, now: number): void {
    if (metadata === this.#metadata) return;
    this.#metadata = metadata;
    this.#tellOfSelf(now);
  }

  /** Merges records of this node's own and tells the others. */
  publish(records: readonly PayloadRecord[], now: number): void {
    for (const record of records) if (this.#payloads.merge(record) === 'newer') this.#news(record, true, now);
  }

  /** Says goodbye; nothing is taken in after that. */
  leave(now: number): void {
    this.#news(this.#self('left'), true, now);
    this.#flush();
    this.#hasLeft = true;
  }

  /** Hands out and clears what has changed. */
  take(): Changes {
    const changes = {
      packets: this.#packets,
      members: this.#membersChanged,
      payloads: this.#payloadsChanged,
      lost: this.#lost,
    };
    this.#packets = [];
    this.#membersChanged = false;
    this.#payloadsChanged = new Set();
    this.#lost = [];
    return changes;
  }

  member(name: string): Readonly<Member> | undefined {
    return this.#table.get(name);
  }

  members(): Iterable<Readonly<Member>> {
    return this.#table.all();
  }

  isSuspected(name: string): boolean {
    return this.#suspicions.has(name);
  }

  get suspects(): number {
    return this.#suspicions.size;
  }

  /** Speakers known to Kubernetes that are not alive here, those that said goodbye aside. */
  unreachable(): string[] {
    return [...this.#known.keys()].filter((name) => {
      const member = this.#table.get(name);
      return !isLive(member) && member?.state !== 'left';
    });
  }

  /** Whether some other member was found to know the same as we. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  get healthScore(): number {
    return this.#health.score;
  }

  get metadata(): string {
    return this.#metadata;
  }

  /**
   * Somebody called dead lives: a partition may have ended, and what was believed in it of others is no better. It is told to nobody
   * but them, and all of them are looked for.
   */
  #doubtDeaths(now: number): void {
    this.#rumours.dropDeaths();
    if (now < this.#nextDoubtAt) return;
    this.#nextDoubtAt = now + doubtIntervalMs;
    this.#joinAttempts.clear();
    this.#nextJoinAt = now;
  }

  #handle({ from, body }: Packet, source: Endpoint, isAboutUs: boolean, now: number): void {
    switch (body.kind) {
      case 'ping': {
        const ack = { kind: 'ack', sequence: body.sequence, target: this.name } as const;
        return this.#send(from, source, ack, isAboutUs ? [this.#self('alive')] : []);
      }
      case 'ack':
        return this.#acknowledged(from, body.sequence, body.target, now);
      case 'ping-request':
        return this.#prober.relay(
          { name: from, endpoint: source, sequence: body.sequence },
          body.target,
          body.endpoint,
          now,
        );
      case 'verify':
        return this.#verify(from, body.target, body.incarnation, now);
      case 'digest':
        return this.#answerDigest(from, source, body);
      case 'gossip':
      case 'records':
        return;
    }
  }

  #acknowledged(from: string, sequence: number, target: string, now: number): void {
    const { probe, requester } = this.#prober.acknowledged(sequence, target);
    if (requester)
      this.#send(requester.name, requester.endpoint, { kind: 'ack', sequence: requester.sequence, target });
    if (!probe) return;
    const member = this.#table.get(target);
    if (member && from === target && probe.sent === 1)
      member.rtt = sampleRtt(member.rtt, now - probe.startedAt);
    if (probe.purpose === 'routine') this.#health.mend();
    // An ack through a relay proves life as well as any, though the suspect itself could not tell us.
    if (member) {
      member.heardAt = now;
      member.answeredAt = now;
    }
  }

  #probeNext(now: number): void {
    const { probeIntervalMs } = this.#settings;
    this.#nextProbeAt = Math.max(this.#nextProbeAt + probeIntervalMs, now + probeIntervalMs / 2);
    for (let tries = this.#order.length + 1; tries > 0; tries--) {
      const name = this.#order.pop();
      if (name === undefined) {
        this.#order = shuffle(
          this.#table.live().map((member) => member.name),
          this.#random,
        );
        if (this.#order.length === 0) return;
        continue;
      }
      const member = this.#table.get(name);
      if (!member || !isLive(member) || this.#suspicions.has(name)) continue;
      this.#prober.start(member, 'routine', this.#health.factor, now);
      return;
    }
  }

  #askRelays(probe: Probe): void {
    const others = this.#table
      .live()
      .filter(({ name }) => name !== probe.target && !this.#suspicions.has(name));
    for (const relay of shuffle(others, this.#random).slice(0, this.#settings.relays))
      this.#send(relay.name, relay.endpoint, {
        kind: 'ping-request',
        sequence: probe.sequence,
        target: probe.target,
        endpoint: probe.endpoint,
      });
  }

  #probeFailed(probe: Probe, now: number): void {
    if (probe.purpose === 'join' || probe.purpose === 'suspect') return;
    const member = this.#table.get(probe.target);
    // It has answered another ping meanwhile: it lives, whatever became of this one.
    if (!member || !isLive(member) || member.answeredAt > probe.startedAt) return;
    if (!this.#suspicions.has(member.name)) this.#suspect(member, probe.askers, now);
  }

  #suspect(member: Member, askers: ReadonlySet<string>, now: number): void {
    const verifiers = this.#verifiers(member);
    const suspicion: Suspicion = {
      incarnation: member.incarnation,
      startedAt: now,
      confirmedBy: new Set(askers),
      possible: Math.max(verifiers.length, askers.size),
      nextCallAt: now,
    };
    this.#suspicions.set(member.name, suspicion);
    this.#table.merge({ ...updateOf(member), state: 'suspect' }, now);
    this.#membersChanged = true;
    for (const name of askers) this.#askToVerify(name, member);
    this.#pursue(member.name, suspicion, now);
  }

  #verifiers(member: Member): string[] {
    const others = this.#table
      .live()
      .filter(({ name }) => name !== member.name && !this.#suspicions.has(name))
      .map(({ name }) => name);
    return rendezvousWinners(others, `${member.name} ${member.incarnation}`, this.#settings.verifiers);
  }

  #askToVerify(verifier: string, suspect: Member): void {
    const member = this.#table.get(verifier);
    if (member)
      this.#send(verifier, member.endpoint, {
        kind: 'verify',
        target: suspect.name,
        incarnation: suspect.incarnation,
      });
  }

  /** Calls the suspect again, asks those who have not confirmed again, and gives up on it in the end. */
  #pursue(name: string, suspicion: Suspicion, now: number): void {
    const member = this.#table.get(name);
    if (!member || member.incarnation !== suspicion.incarnation || !isLive(member)) {
      this.#suspicions.delete(name);
      return;
    }
    if (now >= this.#deadline(name, suspicion)) {
      this.#suspicions.delete(name);
      this.#prober.cancel(name);
      this.#merge({ ...updateOf(member), state: 'dead' }, now, true);
      return;
    }
    if (now < suspicion.nextCallAt) return;
    suspicion.nextCallAt = now + suspectCallMs;
    this.#prober.start(member, 'suspect', 1, now);
    for (const verifier of this.#verifiers(member))
      if (!suspicion.confirmedBy.has(verifier)) this.#askToVerify(verifier, member);
  }

  #deadline(name: string, { startedAt, confirmedBy, possible }: Suspicion): number {
    const members = this.#table.liveCount + 1;
    const confirmations = Math.min(possible, confirmedBy.has(name) ? confirmedBy.size - 1 : confirmedBy.size);
    return startedAt + suspicionMs(this.#settings, confirmations, possible, members) * this.#health.factor;
  }

  #verify(from: string, target: string, incarnation: number, now: number): void {
    const member = this.#table.get(target);
    const asker = this.#table.get(from);
    if (!member || !asker) return;
    if (member.incarnation > incarnation || !isLive(member))
      return this.#send(from, asker.endpoint, { kind: 'gossip' }, [updateOf(member)]);
    const suspicion = this.#suspicions.get(target);
    if (suspicion) {
      suspicion.confirmedBy.add(from);
      return;
    }
    const probe = this.#prober.find(target, 'verify') ?? this.#prober.start(member, 'verify', 1, now);
    probe.askers.add(from);
  }

  #hearOfSelf(update: MemberUpdate, now: number): boolean {
    const isOlder = update.incarnation < this.#incarnation;
    if (isOlder || (update.state === 'alive' && update.incarnation === this.#incarnation)) return !isOlder;
    this.#incarnation = update.incarnation;
    this.#health.worsen();
    this.#tellOfSelf(now, update.state !== 'suspect');
    return true;
  }

  #tellOfSelf(now: number, isUrgent = true): void {
    this.#incarnation++;
    const update = this.#self('alive');
    if (isUrgent) this.#news(update, true, now);
    else this.#rumours.add(update);
  }

  #self(state: MemberState): MemberUpdate {
    return {
      kind: 'member',
      name: this.name,
      state,
      incarnation: this.#incarnation,
      endpoint: this.#endpoint,
      metadata: this.#metadata,
    };
  }

  #merge(update: Update, now: number, isOurs = false): 'newer' | 'same' | 'older' {
    if (update.kind === 'payload') {
      const merged = this.#payloads.merge(update);
      if (merged === 'newer') {
        this.#payloadsChanged.add(update.key);
        this.#news(update, isOurs, now);
      }
      return merged;
    }
    // A suspicion is between those who have it and the suspect.
    if (update.state === 'suspect') return 'same';
    const before = this.#table.get(update.name);
    if (update.state === 'dead' && !isOurs && before && this.#isHeardOf(before, now)) return 'older';
    const was = { state: before?.state, metadata: before?.metadata };
    const merged = this.#table.merge(update, now);
    if (merged !== 'newer') return merged;
    const member = this.#table.get(update.name);
    if (!member) return merged;
    this.#membersChanged = true;
    if (was.state === 'dead' && isLive(member)) this.#doubtDeaths(now);
    if (!isLive(member) && was.state !== 'dead' && was.state !== 'left' && was.state !== undefined)
      this.#lost.push({ name: member.name, heardAt: member.heardAt });
    const suspicion = this.#suspicions.get(member.name);
    if (suspicion) this.#cleared(member, suspicion);
    const isRefutation =
      was.state === 'suspect' || (was.state === 'alive' && was.metadata === update.metadata);
    if (isRefutation && isLive(member)) this.#rumours.add(update);
    else this.#news(update, isOurs, now);
    return merged;
  }

  /**
   * Nobody is called dead before he has been silent for the shortest probe and the shortest suspicion. Who has spoken to us since is
   * alive, and whoever says otherwise comes out of a partition with what he believed in it.
   */
  #isHeardOf(member: Readonly<Member>, now: number): boolean {
    return isLive(member) && now - member.heardAt < shortestProbeMs + this.#settings.suspicionMinMs;
  }

  /** The suspect has spoken, or another has decided: those who still look for it hear it from us. */
  #cleared(member: Member, suspicion: Suspicion): void {
    this.#suspicions.delete(member.name);
    this.#prober.cancel(member.name);
    if (!isLive(member)) return;
    for (const name of new Set([...this.#verifiers(member), ...suspicion.confirmedBy])) {
      const other = this.#table.get(name);
      if (other) this.#send(name, other.endpoint, { kind: 'gossip' }, [updateOf(member)]);
    }
  }

  #news(update: Update, isOurs: boolean, now: number): void {
    this.#rumours.add(update);
    this.#urgent.set(subjectOf(update), { update, isOurs });
    this.#flushAt = Math.min(this.#flushAt, now + gatherMs);
  }

  /** Sends urgent news: our own to all or many, others' to a few. */
  #flush(): void {
    this.#flushAt = Number.POSITIVE_INFINITY;
    const urgent = [...this.#urgent.values()];
    this.#urgent.clear();
    const live = this.#table.live();
    const isSmall = live.length <= smallCluster;
    for (const isOurs of [true, false]) {
      const updates = urgent.filter((each) => each.isOurs === isOurs).map(({ update }) => update);
      if (updates.length === 0) continue;
      const count = isOurs ? (isSmall ? live.length : 8) : isSmall ? 2 : 4;
      const packets = chunks(updates, updateOctets).slice(0, maxPacketsAtOnce);
      for (const { name, endpoint } of shuffle([...live], this.#random).slice(0, count))
        for (const chunk of packets) this.#emit(name, endpoint, { kind: 'gossip' }, chunk);
    }
  }

  #compare({ from, summary }: Packet, source: Endpoint, now: number): void {
    if (summary === this.#summary()) {
      this.#differences = 0;
      this.#isSynced = true;
    } else if (++this.#differences >= 3) this.#sync(from, source, now);
  }

  #sync(name: string, endpoint: Endpoint, now: number): void {
    if (now < this.#nextSyncAt) return;
    this.#nextSyncAt = now + syncIntervalMs;
    this.#differences = 0;
    this.#sendDigest(name, endpoint, true);
  }

  #sendDigest(name: string, endpoint: Endpoint, wantsReply: boolean): void {
    const members = this.#table.digest({ name: this.name, incarnation: this.#incarnation });
    const payloads = this.#payloads.digest(this.#owners());
    this.#emit(name, endpoint, { kind: 'digest', members, payloads, wantsReply }, []);
  }

  #answerDigest(from: string, source: Endpoint, digest: Body & { kind: 'digest' }): void {
    const members = this.#table.digest({ name: this.name, incarnation: this.#incarnation });
    const payloads = this.#payloads.digest(this.#owners());
    const updates: Update[] = [];
    // A death is told when it happens. Later it may be what was believed in a partition, and who has missed it finds out himself.
    const told = [...this.#table.all()].filter(({ state }) => state !== 'dead');
    for (const update of [this.#self('alive'), ...told.map(updateOf)]) {
      const bucket = memberBucket(update.name);
      if (members[bucket] !== digest.members[bucket] && update.name !== from)
        updates.push(update.state === 'suspect' ? { ...update, state: 'alive' } : update);
    }
    const differing = new Set<number>();
    for (let bucket = 0; bucket < digestBuckets; bucket++)
      if (payloads[bucket] !== digest.payloads[bucket]) differing.add(bucket);
    for (const key of this.#payloads.keysIn(differing)) {
      const record = this.#payloads.newest(key);
      if (record) updates.push(record);
    }
    for (const chunk of chunks(updates, updateOctets).slice(0, maxPacketsAtOnce))
      this.#emit(from, source, { kind: 'records' }, chunk);
    if (digest.wantsReply) this.#sendDigest(from, source, false);
  }

  #tellNewer(from: string, endpoint: Endpoint, older: readonly Update[]): void {
    const updates = older.flatMap((update): Update[] => {
      if (update.kind === 'payload') {
        const record = this.#payloads.newest(update.key);
        return record ? [record] : [];
      }
      const member = this.#table.get(update.name);
      return member && member.state !== 'dead' ? [updateOf(member)] : [];
    });
    for (const chunk of chunks(updates, updateOctets)) this.#emit(from, endpoint, { kind: 'gossip' }, chunk);
  }

  #owners(): Set<string> {
    return new Set([this.name, ...this.#table.live().map(({ name }) => name)]);
  }

  /** Kept until something changes: it goes out with every packet. */
  #summary(): number {
    const versions = `${this.#incarnation} ${this.#table.version} ${this.#payloads.version}`;
    if (versions !== this.#summaryOf) {
      this.#summaryOf = versions;
      const self = memberHash({ name: this.name, incarnation: this.#incarnation });
      this.#summaryHash = (this.#table.summary() ^ self ^ xorOf(this.#payloads.digest(this.#owners()))) >>> 0;
    }
    return this.#summaryHash;
  }

  /** Looks for speakers that should be there: new ones at once, lost ones one a second. */
  #tryJoin(now: number): void {
    const missing = new Set(this.unreachable());
    for (const { name, state } of this.#table.all()) if (state === 'dead') missing.add(name);
    const fresh = [...missing].filter((name) => (this.#joinAttempts.get(name) ?? 0) < 3);
    const chosen = fresh.length > 0 ? fresh.slice(0, 16) : shuffle([...missing], this.#random).slice(0, 1);
    for (const name of chosen) {
      const attempt = this.#joinAttempts.get(name) ?? 0;
      this.#joinAttempts.set(name, attempt + 1);
      const known = this.#known.get(name) ?? [];
      const endpoint = known[attempt % Math.max(1, known.length)] ?? this.#table.get(name)?.endpoint;
      if (endpoint) this.#prober.start({ name, endpoint, rtt: firstRtt }, 'join', 1, now);
    }
    this.#nextJoinAt = now + (fresh.length > 0 ? 50 : 1000);
  }

  #forget(member: Member): void {
    this.#table.forget(member.name);
    this.#suspicions.delete(member.name);
    this.#joinAttempts.delete(member.name);
    this.#membersChanged = true;
  }

  #stalled(ms: number): void {
    this.#health.worsen();
    this.#prober.postpone(ms);
    for (const suspicion of this.#suspicions.values()) suspicion.startedAt += ms;
  }

  /** Sends a packet with what the receiver should know of itself, and with rumours. */
  #send(to: string, endpoint: Endpoint, body: Body, updates: readonly Update[] = []): void {
    const member = this.#table.get(to);
    const suspicion = this.#suspicions.has(to);
    const about =
      member && (suspicion || !isLive(member))
        ? [{ ...updateOf(member), state: suspicion ? ('suspect' as const) : member.state }]
        : [];
    const limit = 3 * Math.ceil(Math.log2(this.#table.liveCount + 2));
    // Who comes back from a partition is not to be told first what was believed in it.
    const rumours = isLive(member) ? this.#rumours.take(updateOctets - 400, limit) : [];
    this.#emit(to, endpoint, body, [...about, ...updates, ...rumours]);
  }

  #emit(to: string, endpoint: Endpoint, body: Body, updates: readonly Update[]): void {
    if (endpoint.host === '') return;
    this.#packets.push({
      to,
      endpoint,
      packet: { from: this.name, incarnation: this.#incarnation, summary: this.#summary(), body, updates },
    });
  }
}

function xorOf(hashes: Uint32Array): number {
  return hashes.reduce((sum, hash) => sum ^ hash, 0);
}

type MemberState = MemberUpdate['state'];

/** Fisher and Yates', in place. */
function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [items[i], items[j]] as [T, T];
    items[i] = b;
    items[j] = a;
  }
  return items;
}
