/**
 * Membership: tells each speaker which speakers are alive, and replicates records between them, without the API server. It is a machine:
 * packets, commands and the time go in, and packets and changes come out. It reads no clock and opens no socket.
 *
 *     LocalMember        this member's description of itself
 *     MemberTable        the other members
 *     FailureDetector    probes, suspicions, deaths                  (SWIM, Lifeguard)
 *     GossipQueue        news that rides in other packets            (SWIM section 4.1)
 *     UrgentNews         news that cannot wait
 *     AntiEntropy        summaries and digests: finds and repairs what gossip has missed
 *     JoinList           speakers according to Kubernetes, and when to try the missing ones
 *     UnlistedNames      members that Kubernetes does not list
 *     Outbox, ChangeLog  the output: packets, and changes for the rest of the program
 *
 * Statements about a member are ordered by incarnation and state. Payload records have an order of their own. Members that have received
 * the same updates therefore agree, in whatever order the updates arrived. `channel.ts` passes on only packets that it has decrypted and
 * found to be fresh.
 *
 * Das, Gupta, Motivala: SWIM (2002). Dadgar, Phillips, Currey: Lifeguard (2018).
 */
import { AntiEntropy } from './anti-entropy.ts';
import { ChangeLog, type Changes } from './change-log.ts';
import { updateOctets } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import { type DetectorAction, FailureDetector } from './failure-detector.ts';
import { GossipQueue } from './gossip-queue.ts';
import { JoinList } from './join-list.ts';
import { Knowledge } from './knowledge.ts';
import { LocalMember } from './local-member.ts';
import { brief, isLive, type Member, MemberTable } from './member-table.ts';
import { Outbox } from './outbox.ts';
import type { MemberUpdate, Packet, Update } from './packet.ts';
import type { MergeOrder, PayloadRecord, PayloadStore } from './payload.ts';
import { defaultMembershipSettings, type MembershipSettings } from './timing.ts';
import { UnlistedNames } from './unlisted-names.ts';
import { packUpdates } from './update-packing.ts';
import { UrgentNews } from './urgent-news.ts';

export interface MembershipOptions {
  readonly name: string;
  /** Must be greater than in any earlier run of this member. The time of the start in milliseconds since 1970 fulfils this. */
  readonly incarnation: number;
  /** UDP port of this member's socket. */
  readonly port: number;
  readonly metadata: string;
  readonly payloads: PayloadStore;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly settings?: Partial<MembershipSettings>;
}

/** Maximum number of packets sent at once to correct a member's outdated records. Anti-entropy corrects further records. */
const maxCorrectionPackets = 16;
/**
 * How many times a leaving member says that it leaves. Its process then stops and cannot repeat the statement. A member that receives none of
 * these statements takes the departure for a failure.
 */
const farewells = 2;
const expiryIntervalMs = 60_000;
/**
 * How long a member that Kubernetes does not list is kept after it has died or left. After that time, no packet carries news of its end any
 * more, and other members have taken its addresses over.
 */
const goneKeptMs = 3_600_000;

export class Membership {
  readonly #settings: MembershipSettings;
  readonly #self: LocalMember;
  readonly #payloads: PayloadStore;
  readonly #table = new MemberTable();
  readonly #detector: FailureDetector;
  readonly #gossip = new GossipQueue();
  readonly #urgent: UrgentNews;
  readonly #antiEntropy: AntiEntropy;
  readonly #outbox: Outbox;
  readonly #knowledge: Knowledge;
  readonly #joinList: JoinList;
  readonly #unlisted = new UnlistedNames();
  #hasLeft = false;
  /** The time of the last step. */
  #nowMs = 0;
  /** The time from which the next wake is late. */
  #expectedWakeAtMs = Number.POSITIVE_INFINITY;
  #nextExpiryAtMs = 0;
  readonly #changes = new ChangeLog();

  constructor(options: MembershipOptions) {
    const { random, payloads } = options;
    this.#settings = { ...defaultMembershipSettings, ...options.settings };
    this.#self = new LocalMember(options);
    this.#payloads = payloads;
    payloads.setLive(options.name, true);
    this.#detector = new FailureDetector(this.#settings, this.#table, random);
    this.#urgent = new UrgentNews(random);
    this.#knowledge = new Knowledge(this.#self, this.#table, payloads);
    this.#antiEntropy = new AntiEntropy(this.#knowledge);
    this.#joinList = new JoinList(random);
    this.#outbox = new Outbox(this.#self, this.#table, this.#knowledge, this.#gossip);
  }

  get name(): string {
    return this.#self.name;
  }

  /** Handles a packet. `source` is the endpoint that it came from. */
  receive(packet: Packet, source: Endpoint, nowMs: number): void {
    this.#nowMs = nowMs;
    const { from } = packet;
    if (from === this.name || this.#hasLeft) return;
    const { mustRestate, outdated } = this.#mergeUpdates(packet, nowMs);
    const sender = this.#table.get(from);
    if (sender) this.#heard(sender, source, nowMs);
    this.#answer(packet, source, mustRestate, nowMs);
    this.#correct(from, source, outdated);
    this.#compareKnowledge(packet, sender, source, nowMs);
    this.#changes.noteSync(this.isSynced);
  }

  /** Runs the work that is due. Call it at `wakeAtMs()`, but only after `receive` has handled the packets that have already arrived. */
  wake(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#judgeStall(nowMs);
    this.#run(this.#detector.wake(nowMs), nowMs);
    this.#join(nowMs);
    this.#outbox.sendAll(this.#urgent.wake(this.#table.live(), nowMs));
    this.#outbox.sendAll(this.#antiEntropy.wake(nowMs));
    this.#expire(nowMs);
    this.#changes.noteSync(this.isSynced);
  }

  /** When to call `wake` next if nothing else happens before. */
  wakeAtMs(): number {
    const stages = [this.#detector, this.#joinList, this.#urgent, this.#antiEntropy, this.#unlisted];
    const atMs = Math.min(this.#nextExpiryAtMs, ...stages.map((stage) => stage.wakeAtMs()));
    // A step can move the time of the next wake into the past, as a confirmation of a suspicion does. The delay of that wake counts from the step.
    // If a wake was already due before the step and still is, its delay counts from the time at which it became due.
    this.#expectedWakeAtMs = Math.max(atMs, Math.min(this.#expectedWakeAtMs, this.#nowMs));
    return atMs;
  }

  /** Replaces the speakers that Kubernetes lists. This member may be among them. `isCertain` says that no other speakers exist. */
  setSpeakers(speakers: ReadonlyMap<string, readonly Endpoint[]>, nowMs: number, isCertain = false): void {
    this.#nowMs = nowMs;
    const others = new Map([...speakers].filter(([name]) => name !== this.name));
    for (const [name, listed] of others) this.#move(name, listed);
    for (const name of this.#joinList.replace(others, isCertain, nowMs))
      if (!isLive(this.#table.get(name))) this.#forget(name);
    for (const name of others.keys()) {
      this.#confirm(name);
      this.#locate(name);
    }
  }

  /** Changes this member's description of itself. */
  setMetadata(metadata: string, nowMs: number): void {
    this.#nowMs = nowMs;
    if (metadata === this.#self.metadata) return;
    this.#self.setMetadata(metadata);
    this.#tell(this.#self.as('alive'), true, nowMs);
  }

  /** Merges this node's own records and sends them to the others. */
  publish(records: readonly PayloadRecord[], nowMs: number): void {
    this.#nowMs = nowMs;
    for (const record of records)
      if (this.#payloads.merge(record) === 'newer') this.#tell(record, true, nowMs);
  }

  /** Tells the others that this member leaves. Later packets are ignored. */
  leave(nowMs: number): void {
    this.#outbox.sendAll(this.#urgent.flush(this.#table.live(), nowMs));
    for (let sent = 0; sent < farewells; sent++) {
      this.#urgent.addFirst(this.#self.as('left'), nowMs);
      this.#outbox.sendAll(this.#urgent.flush(this.#table.live(), nowMs));
    }
    this.#hasLeft = true;
  }

  /** Returns the changes since the last call. */
  take(): Changes {
    return { ...this.#changes.take(), packets: this.#outbox.take() };
  }

  member(name: string): Readonly<Member> | undefined {
    return this.#table.get(name);
  }

  members(): Iterable<Readonly<Member>> {
    return this.#table.all();
  }

  /** Number of other live members, including suspects. */
  get liveCount(): number {
    return this.#table.liveCount;
  }

  /** Number of members under suspicion. */
  get suspects(): number {
    return this.#detector.suspects;
  }

  /** Listed speakers that are not live as far as this member knows, except those that have left. */
  unreachable(): string[] {
    return [...this.#joinList.names()].filter((name) => this.#isUnreachable(name));
  }

  /** Whether `unreachable` would return a name. */
  get isAnyUnreachable(): boolean {
    for (const name of this.#joinList.names()) if (this.#isUnreachable(name)) return true;
    return false;
  }

  /** Known endpoints of the member: first those that Kubernetes lists, then the endpoint that `MemberTable` holds. */
  endpointsOf(name: string): readonly Endpoint[] {
    const member = this.#table.get(name);
    return member ? [...this.#joinList.endpointsOf(name), member.endpoint] : this.#joinList.endpointsOf(name);
  }

  /** The speaker that Kubernetes lists with this host. */
  speakerAt(host: string): string | undefined {
    return this.#joinList.speakerAt(host);
  }

  /** Whether this member knows what the others know. False while no other member is live. */
  get isSynced(): boolean {
    return this.#antiEntropy.isSynced(this.#table.liveCount);
  }

  /** 0 while this member is healthy. The score grows, to 4 at most, when the member's timers run late or others suspect it. */
  get healthScore(): number {
    return this.#detector.healthScore;
  }

  get metadata(): string {
    return this.#self.metadata;
  }

  #isUnreachable(name: string): boolean {
    const member = this.#table.get(name);
    return !isLive(member) && member?.state !== 'left';
  }

  /**
   * Merges each update. Returns whether an ack must restate that this member is alive, and the updates that the sender should replace with newer
   * ones.
   */
  #mergeUpdates(
    { from, body, updates }: Packet,
    nowMs: number,
  ): { mustRestate: boolean; outdated: Update[] } {
    let mustRestate = false;
    const outdated: Update[] = [];
    for (const update of updates) {
      if (update.kind === 'member' && update.name === this.name) {
        if (this.#hearOfSelf(update, nowMs)) mustRestate = true;
      } else if (this.#merge(update, from, nowMs) === 'older') {
        // An outdated payload record is always corrected. An outdated statement about a member is corrected if it came in answer to a digest or
        // to branches. In other packets, the statement needs no correction, because the newer statement is already spreading.
        if (update.kind === 'payload' || body.kind === 'records') outdated.push(update);
      }
    }
    return { mustRestate, outdated };
  }

  #heard(sender: Member, source: Endpoint, nowMs: number): void {
    if (sender.state === 'dead') this.#reprobeDead(nowMs);
    this.#confirm(sender.name);
    sender.heardAtMs = nowMs;
    sender.endpoint = source;
  }

  #answer(
    { from, body, readsBranches }: Packet,
    source: Endpoint,
    mustRestate: boolean,
    nowMs: number,
  ): void {
    switch (body.kind) {
      case 'ping': {
        const ack = { kind: 'ack', sequence: body.sequence, target: this.name } as const;
        const updates = mustRestate ? [this.#self.as('alive')] : [];
        return this.#outbox.send({ to: from, endpoint: source, body: ack, updates, carriesGossip: true });
      }
      case 'ack':
        return this.#run(this.#detector.acknowledged(from, body.sequence, body.target, nowMs), nowMs);
      case 'ping-request': {
        const requester = { name: from, endpoint: source, sequence: body.sequence };
        return this.#run(this.#detector.relay(requester, body.target, body.endpoint, nowMs), nowMs);
      }
      case 'verify':
        return this.#run(this.#detector.verify(from, body.target, body.incarnation, nowMs), nowMs);
      case 'digest':
        return this.#outbox.sendAll(this.#antiEntropy.answer(from, source, body, readsBranches, nowMs));
      case 'branches':
        return this.#outbox.sendAll(this.#antiEntropy.answerBranches(from, source, body, nowMs));
      case 'records':
        return this.#antiEntropy.progress(from, nowMs);
      case 'gossip':
        return;
    }
  }

  /** Answers outdated records with the newest ones. Records are totally ordered, so both members then hold the same records. */
  #correct(to: string, endpoint: Endpoint, outdated: readonly Update[]): void {
    const updates = outdated.flatMap((update) => this.#knowledge.current(update) ?? []);
    for (const packed of packUpdates(updates, updateOctets).slice(0, maxCorrectionPackets))
      this.#outbox.send({ to, endpoint, body: { kind: 'gossip' }, updates: packed });
  }

  #compareKnowledge(packet: Packet, sender: Member | undefined, source: Endpoint, nowMs: number): void {
    const { from, incarnation, summary } = packet;
    if (!sender || incarnation > sender.incarnation)
      this.#outbox.sendAll(this.#antiEntropy.meet(from, source, nowMs));
    else if (isLive(sender)) this.#outbox.sendAll(this.#antiEntropy.compare(from, source, summary, nowMs));
  }

  #judgeStall(nowMs: number): void {
    const lateMs = nowMs - this.#expectedWakeAtMs;
    if (lateMs > this.#settings.stallToleranceMs) this.#detector.stalled(lateMs, nowMs);
    this.#expectedWakeAtMs = Number.POSITIVE_INFINITY;
  }

  #join(nowMs: number): void {
    if (nowMs < this.#joinList.wakeAtMs()) return;
    const missing = new Set(this.unreachable());
    for (const { name, state } of this.#table.all()) if (state === 'dead') missing.add(name);
    for (const { name, endpoint = this.#table.get(name)?.endpoint } of this.#joinList.due(missing, nowMs))
      if (endpoint) this.#run(this.#detector.tryToReach(name, endpoint, nowMs), nowMs);
  }

  #expire(nowMs: number): void {
    for (const name of this.#unlisted.expire(nowMs)) this.#forget(name);
    if (nowMs < this.#nextExpiryAtMs) return;
    this.#nextExpiryAtMs = nowMs + expiryIntervalMs;
    this.#payloads.expire(nowMs);
    if (!this.#joinList.isCertain) return;
    for (const member of [...this.#table.all()]) {
      const { name, sinceMs } = member;
      if (!isLive(member) && !this.#joinList.has(name) && nowMs - sinceMs > goneKeptMs) this.#forget(name);
    }
  }

  /**
   * Handles a statement about this member. Returns whether an ack must restate that this member is alive. The restatement is needless only if the
   * statement has the state alive and the present incarnation. An outdated suspicion needs one, because the ack that refuted it may have been lost.
   */
  #hearOfSelf(update: MemberUpdate, nowMs: number): boolean {
    if (!this.#self.mustRefute(update)) return !this.#self.isCurrent(update);
    this.#self.refute(update);
    this.#detector.suspectedByOthers();
    // If a ping stated the suspicion, its ack carries the refutation. Gossip carries the refutation to the others.
    if (update.state === 'suspect') this.#gossip.add(this.#self.as('alive'));
    else this.#tell(this.#self.as('alive'), true, nowMs);
    return true;
  }

  /** Merges an update that another member sent. */
  #merge(update: Update, from: string, nowMs: number): MergeOrder {
    if (update.kind === 'payload') return this.#mergePayload(update, nowMs);
    // A member suspects only after a probe of its own. When another member asks for verification, this member probes the suspect.
    if (update.state === 'suspect') return 'same';
    const known = this.#table.get(update.name);
    if (!known && !this.#mayKeep(update.name, from, nowMs)) return 'same';
    if (known && update.name !== from && this.#detector.isHeard(known, nowMs)) {
      if (update.state === 'dead') return 'older';
      if (update.state === 'left' && update.incarnation >= known.incarnation) {
        this.#run(this.#detector.questionDeparture(update, nowMs), nowMs);
        return 'same';
      }
    }
    return this.#mergeMember(update, false, nowMs);
  }

  #mergePayload(record: PayloadRecord, nowMs: number): MergeOrder {
    const order = this.#payloads.merge(record);
    if (order === 'newer') {
      this.#changes.notePayload(record.key);
      this.#tell(record, false, nowMs);
    }
    return order;
  }

  #mergeMember(update: MemberUpdate, isOwn: boolean, nowMs: number): MergeOrder {
    const known = this.#table.get(update.name);
    const before = known && { ...known };
    const order = this.#table.merge(update, nowMs, this.#unlisted.has(update.name));
    const member = this.#table.get(update.name);
    if (order !== 'newer' || !member) return order;
    this.#locate(update.name);
    this.#payloads.setLive(member.name, isLive(member));
    this.#changes.noteMember(member, before, nowMs);
    this.#antiEntropy.memberChanged(nowMs);
    if (!isLive(member)) this.#antiEntropy.forget(member.name);
    else if (before?.state === 'dead') this.#reprobeDead(nowMs);
    this.#run(this.#detector.cleared(member), nowMs);
    if (member.isHearsay) return order;
    if (isLive(member) && isRefutation(before, update)) this.#gossip.add(update);
    else this.#tell(isLive(member) ? update : brief(update), isOwn, nowMs);
    return order;
  }

  /**
   * Whether to keep a name that is new to this member. While the list of speakers may be incomplete, every name is kept. Once the list is
   * certain, a name is kept if it is listed or if its member speaks for itself. Of all other names, `UnlistedNames` admits a few.
   */
  #mayKeep(name: string, from: string, nowMs: number): boolean {
    if (!this.#joinList.isCertain || this.#joinList.has(name) || name === from) return true;
    return this.#unlisted.admit(name, from, nowMs);
  }

  /**
   * A member does not state its own address, so others may pass its first statement on without an address. Until a packet of
   * the member arrives, this member uses the address that Kubernetes lists.
   */
  #locate(name: string): void {
    const [listed] = this.#joinList.endpointsOf(name);
    if (listed) this.#table.locate(name, listed);
  }

  /**
   * A node may return with a new address. Other members may report that the node is alive before one of its own packets arrives here, and this
   * member would then ping the old address. The newly listed address therefore replaces the known one if Kubernetes listed the known one until
   * now, or if the member is not live.
   */
  #move(name: string, listed: readonly Endpoint[]): void {
    const member = this.#table.get(name);
    const [first] = listed;
    if (!member || !first) return;
    const isIn = (endpoints: readonly Endpoint[]) =>
      endpoints.some(({ host }) => host === member.endpoint.host);
    if (isIn(listed)) return;
    if (!isLive(member) || isIn(this.#joinList.endpointsOf(name))) member.endpoint = first;
  }

  #confirm(name: string): void {
    this.#unlisted.confirm(name);
    this.#table.confirm(name);
  }

  /**
   * Reacts to a dead member that turns out to be alive. A partition may have ended, so other deaths declared during the partition may be
   * wrong as well. Those deaths are spread no further, and the dead members are tried again.
   */
  #reprobeDead(nowMs: number): void {
    this.#gossip.dropDeaths();
    this.#joinList.tryAllAgain(nowMs);
  }

  #forget(name: string): void {
    this.#table.forget(name);
    this.#payloads.setLive(name, false);
    this.#detector.forget(name);
    this.#joinList.forget(name);
    this.#antiEntropy.forget(name);
    this.#changes.noteForgotten(name);
  }

  #run(actions: readonly DetectorAction[], nowMs: number): void {
    for (const action of actions) {
      switch (action.kind) {
        case 'send':
          this.#outbox.send(action.draft);
          break;
        case 'suspect':
          this.#changes.noteSuspicion(action.member, action.confirmedBy);
          break;
        case 'gone':
          this.#mergeMember(action.update, action.update.state === 'dead', nowMs);
          break;
      }
    }
  }

  /** Spreads an update at once, and again with gossip. */
  #tell(update: Update, isOwn: boolean, nowMs: number): void {
    this.#gossip.add(update);
    this.#urgent.add(update, isOwn, nowMs);
  }
}

/** Whether a live member refuted a suspicion, or was alive before and has the same metadata. Such news is not urgent. */
function isRefutation(before: Member | undefined, { metadata }: MemberUpdate): boolean {
  return before?.state === 'suspect' || (before?.state === 'alive' && before.metadata === metadata);
}
