/**
 * The agent wires the parts of the layer-2 process together: ownership (which addresses this node answers for), membership (which
 * nodes are alive, and what they claim) and the neighbour responder (ARP and NDP). The agent decides nothing itself and knows nothing of
 * Kubernetes.
 *
 *     entries ─────────────→ Ownership ──actions──→ Answers ──→ NeighbourResponder
 *                              ↑   └────claims────→ MembershipNode (UDP) ←──→ other nodes
 *                              └──view, claims─────────┘     ↑
 *     speakers, keys ────────────────────────────────────────┘
 *
 * Stages, in the order of their start:
 *
 *  1. Entries arrive from the speaker process, in parts, and are coalesced.
 *  2. Keys open the membership. Until then, this node cannot hear the other nodes. It answers for no address, because two nodes might
 *     otherwise answer for the same address.
 *  3. Members and their facts, such as their links, become the view on which ownership decides. The other members receive this node's own facts.
 *  4. Claims of other nodes are coalesced for the next decision.
 *  5. When entries and claims are known (ownership/readiness.ts), decisions begin, and their actions are run.
 *  6. On a stop, this node hands all addresses over and then leaves the membership.
 */
import type { Registry } from 'prom-client';
import { formatIp } from '../address/index.ts';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Changes } from '../membership/change-log.ts';
import type { FlightRecorder, RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { Guard } from '../telemetry/guard.ts';
import { Turns } from '../turns.ts';
import { Answers } from './answers.ts';
import { Coalescer } from './coalescer.ts';
import { CountsReport } from './counts-report.ts';
import { EntryIntake } from './entry-intake.ts';
import { FirstDecision } from './first-decision.ts';
import { Handover } from './handover.ts';
import { MemberView } from './member-view.ts';
import { MembershipPort } from './membership-port.ts';
import type { FromLayer2, Layer2Settings, ToLayer2 } from './messages.ts';
import { Layer2Metrics } from './metrics.ts';
import { OwnFacts } from './own-facts.ts';
import { isReleasedByOwner } from './ownership/claim.ts';
import { ClaimPayloads } from './ownership/claim-payloads.ts';
import { ClaimStore } from './ownership/claim-store.ts';
import type { AnswerAction, OwnershipEvent } from './ownership/event.ts';
import { Ownership } from './ownership/ownership.ts';
import { OwnershipRecorder } from './ownership-recorder.ts';
import { OwnershipRunner } from './ownership-runner.ts';
import type { Conflict } from './responder/conflicts.ts';
import { KernelAnswerWarnings } from './responder/kernel-answer-warnings.ts';
import {
  createNeighbourResponder,
  type NeighbourResponder,
  type PlacedAddress,
} from './responder/responder.ts';
import { SightingRunner } from './sighting-runner.ts';
import { ViewUpdates } from './view-updates.ts';
import { WitnessRunner } from './witness-runner.ts';

export interface Layer2AgentOptions extends Layer2Settings {
  readonly logger: Logger;
  readonly registry: Registry;
  readonly report: (message: FromLayer2) => void;
  readonly guard: Guard;
  readonly recorder: FlightRecorder;
  readonly clock?: Clock;
}

/**
 * After a change, the agent checks whether the kernel itself answers for addresses. The check waits for this time, so that a burst of changes
 * costs one check.
 */
const kernelCheckDelayMs = 1000;
/**
 * Delay from a conflict in an adoption until this node announces the address again (see `#conflict`). MetalLB announces for five seconds. This
 * node announces for four seconds. With this delay, its last announcement comes seven seconds after the conflict, later than those of MetalLB.
 */
const announceAgainMs = 3000;

export class Layer2Agent {
  readonly #options: Layer2AgentOptions;
  readonly #clock: Clock;
  readonly #claims = new ClaimStore();
  readonly #ownership: Ownership;
  readonly #ownershipRecorder: OwnershipRecorder;
  readonly #runner: OwnershipRunner;
  readonly #answers: Answers;
  readonly #responder: NeighbourResponder;
  readonly #kernelAnswers: KernelAnswerWarnings;
  readonly #metrics: Layer2Metrics;
  readonly #counts: CountsReport;
  readonly #members: MemberView;
  readonly #ownFacts: OwnFacts;
  readonly #membership: MembershipPort;
  readonly #handover: Handover;
  readonly #intake: EntryIntake;
  readonly #claimsCoalescer: Coalescer;
  readonly #viewUpdates: ViewUpdates;
  readonly #witness: WitnessRunner;
  readonly #sightings: SightingRunner;
  readonly #firstDecision: FirstDecision;
  /** The first decision is made, and its answers have begun. */
  #isReady = false;
  #isLeaving = false;
  /** The planned stop. Present once it has begun. */
  #stopping: Promise<void> | undefined;
  #quorumTimer: Timer | undefined;
  #kernelTimer: Timer | undefined;

  constructor(options: Layer2AgentOptions) {
    const { nodeName, logger, registry, report } = options;
    const clock = options.clock ?? systemClock;
    this.#options = options;
    this.#clock = clock;
    this.#ownership = new Ownership(nodeName, this.#claims);
    this.#responder = createNeighbourResponder({
      log: logger,
      registry,
      guard: options.guard,
      announcements: { refreshMs: options.announceEverySeconds * 1000 },
      defence: options.conflictPolicy,
      isOwner: (address) => this.#ownership.isAnswering(formatIp(address)),
      onConflict: (conflict) => this.#conflict(conflict),
      onAnswer: (answer) => this.#witness.answered(answer),
      onWatchedAnswer: (answer) => this.#sightings.answered(answer),
      onLinksChanged: () => this.#linksChanged(),
      onHostChanged: () => this.#checkKernelSoon(),
    });
    const turns = new Turns(clock);
    const drainCaptures = () => this.#responder.drainCaptures();
    this.#answers = new Answers({
      ...{ clock, logger, report, nodeName },
      responder: this.#responder,
      ownership: this.#ownership,
      onConflictState: (address, inConflict) => this.#runner.send({ kind: 'conflict', address, inConflict }),
    });
    this.#ownershipRecorder = new OwnershipRecorder({
      clock,
      recorder: options.recorder,
      ownership: this.#ownership,
      claims: this.#claims,
    });
    this.#runner = new OwnershipRunner({
      clock,
      turns,
      ownership: this.#ownership,
      recorder: this.#ownershipRecorder,
      answers: this.#answers,
      publish: (claims) => this.#membership.publish(claims),
      drainCaptures,
      beforeTick: () => this.#viewUpdates.refresh(),
      onAnswer: (action) => this.#observeTakeover(action),
    });
    this.#members = new MemberView({
      ...{ nodeName, clock, logger, report },
      setSpeakerMacs: (macs) => this.#responder.setSpeakerMacs(macs),
      onReturn: (node) => this.#announceAfterReturn(node),
    });
    this.#metrics = new Layer2Metrics(registry, {
      members: () => [...(this.#membership.machine?.members() ?? [])].map(({ state }) => state),
      unreachable: () => this.#membership.unreachable,
      owned: () => this.#answers.count,
      witness: () => this.#witness,
    });
    this.#ownFacts = new OwnFacts(this.#ownership.entries, logger, report);
    this.#kernelAnswers = new KernelAnswerWarnings(this.#responder, logger);
    this.#counts = new CountsReport(this.#responder, report);
    this.#membership = new MembershipPort({
      ...{ nodeName, clock, logger, report, drainCaptures },
      port: options.port,
      guard: options.guard,
      recorder: options.recorder,
      payloads: new ClaimPayloads(this.#claims),
      metrics: this.#metrics,
      onJoined: () => this.#joined(),
      onChanged: (changes) => this.#membershipChanged(changes),
    });
    this.#witness = new WitnessRunner({
      ...{ nodeName, clock, logger, report },
      everySeconds: options.witnessEverySeconds,
      recorder: options.recorder,
      responder: this.#responder,
      entries: this.#ownership.entries,
      claim: (address) => this.#claims.get(address),
      answering: this.#answers.sinceMs,
      hosts: () => this.#membership.hosts(),
      onFacts: () => this.#tellFacts(),
    });
    this.#sightings = new SightingRunner({
      ...{ nodeName, clock, logger, report },
      recorder: options.recorder,
      ports: this.#responder.watch,
      candidatesOf: (address) => this.#intake.heldNodes(address),
    });
    this.#handover = new Handover(clock);
    this.#intake = new EntryIntake({
      clock,
      turns,
      onTable: (entries) =>
        this.#decideOnEntries({ kind: 'table', entries }, () => this.#firstDecision.entriesArrived()),
      onChange: (change) => this.#decideOnEntries({ kind: 'change', ...change }),
    });
    this.#firstDecision = new FirstDecision({
      clock,
      membership: this.#membership,
      begin: () => this.#beginDecisions(),
    });
    this.#claimsCoalescer = new Coalescer(clock, () => this.#decideOnClaims());
    this.#viewUpdates = new ViewUpdates(clock, () => this.#updateView());
  }

  /**
   * Handles a message from the speaker process. The promise resolves when the next message may follow. For `keys`, this is when the membership is
   * open, and for `stop`, when the handover has ended. Many entries take effect only in later turns.
   */
  async handle(message: ToLayer2): Promise<void> {
    const { report } = this.#options;
    this.#responder.drainCaptures();
    switch (message.kind) {
      case 'table':
      case 'change':
        return this.#intake.take(message);
      case 'speakers':
        this.#membership.setSpeakers(message);
        this.#updateView();
        this.#firstDecision.check();
        return;
      case 'keys':
        this.#tellFacts();
        return this.#membership.setKeys(message.keys);
      case 'watch':
        return this.#sightings.watch(message.addresses);
      case 'claimed': {
        const addresses = message.addresses.filter((address) => this.#isClaimed(address));
        return report({ kind: 'claimed', id: message.id, addresses });
      }
      case 'events':
        return report({ kind: 'events', id: message.id, events: this.events() });
      case 'stop':
        return this.#stop();
    }
  }

  /** Reports the counters that have changed since the last call. */
  reportCounts(): void {
    this.#counts.send();
  }

  /** All events of the flight recorders, ordered by time. */
  events(): RecordedEvent[] {
    const all = [...this.#options.recorder.events(), ...this.#ownershipRecorder.addressEvents()];
    return all.sort((a, b) => a.at - b.at);
  }

  // Stage 1: entries

  #decideOnEntries(event: OwnershipEvent, whenDecided?: () => void): void {
    this.#viewUpdates.refresh();
    this.#sightings.candidatesChanged();
    this.#runner.send(event, () => {
      this.#tellFacts();
      this.#witness.changed();
      this.#checkKernelSoon();
      whenDecided?.();
    });
  }

  #checkKernelSoon(): void {
    this.#kernelTimer ??= this.#clock.after(kernelCheckDelayMs, () => {
      this.#kernelTimer = undefined;
      this.#kernelAnswers.check(this.#placedAddresses());
    });
  }

  *#placedAddresses(): Iterable<PlacedAddress> {
    for (const placed of this.#ownership.entries.addresses()) {
      this.#responder.drainCaptures();
      yield placed;
    }
  }

  // Stage 2: membership

  #joined(): void {
    this.#updateView();
    this.#firstDecision.joined();
  }

  #membershipChanged({ members, payloads, lost, forgotten }: Omit<Changes, 'packets'>): void {
    const { machine } = this.#membership;
    if (machine) this.#members.logLosses(lost, machine);
    this.#members.forget(forgotten);
    this.#viewUpdates.request(members);
    if (payloads.size > 0) {
      this.#viewUpdates.refreshFor(this.#ownersOf(payloads));
      this.#runner.send({ kind: 'claims-received', addresses: payloads });
      this.#claimsCoalescer.request();
      this.#witness.changed();
    }
    this.#firstDecision.check();
    this.#checkHandover();
  }

  *#ownersOf(addresses: Iterable<string>): Iterable<string> {
    for (const address of addresses) yield this.#claims.get(address)?.owner ?? '';
  }

  // Stage 3: the view of ownership, and this node's own facts

  #updateView(): void {
    const { machine, areSpeakersCertain } = this.#membership;
    if (!machine) return;
    const view = this.#members.update(machine, this.#formatFacts(), {
      isCertain: areSpeakersCertain,
      isStarted: this.#ownership.isStarted,
    });
    this.#runner.send({ kind: 'view', view }, () => this.#checkHandover());
    this.#witness.see(view);
    this.#sightings.see(view);
    this.#quorumTimer?.cancel();
    const atMs = this.#members.wakeAtMs();
    this.#quorumTimer =
      atMs === Number.POSITIVE_INFINITY
        ? undefined
        : this.#clock.after(atMs - this.#clock.now(), () => this.#updateView());
  }

  #formatFacts(): string {
    const phase = {
      isLeaving: this.#isLeaving,
      isStarting: !this.#isReady,
      ...this.#witness.facts,
    };
    return this.#ownFacts.format(this.#responder.links(), phase);
  }

  #tellFacts(): void {
    if (this.#membership.setFacts(this.#formatFacts())) this.#updateView();
  }

  #linksChanged(): void {
    this.#tellFacts();
    this.#answers.linksChanged();
  }

  /**
   * Announces again the addresses that this node took over from a node that has returned. That node may have answered until it learned that
   * it was declared dead, so neighbours may still send traffic to it.
   */
  #announceAfterReturn(node: string): void {
    this.#answers.announceAgain((address) => this.#claims.get(address)?.from === node);
  }

  /**
   * In an adoption, another program, such as MetalLB, may run on several nodes. When its process on one node stops, its process on another node
   * may announce an address that this node answers for. If that other node has a speaker, `Answers` ignores the conflict and the neighbours keep
   * the wrong MAC. This node therefore announces the address again after `announceAgainMs`.
   */
  #conflict(conflict: Conflict): void {
    this.#answers.conflict(conflict);
    if (!this.#options.adoptOnly || !conflict.isSpeaker) return;
    this.#clock.after(announceAgainMs, () => {
      if (!this.#isLeaving) this.#answers.announceAgain((text) => text === formatIp(conflict.address));
    });
  }

  // Stage 4: claims

  #decideOnClaims(): void {
    this.#viewUpdates.refresh();
    this.#runner.send({ kind: 'tick' }, () => this.#checkHandover());
  }

  /** Whether a live node claims the address, answers for it, and has not released it. */
  #isClaimed(address: string): boolean {
    const claim = this.#claims.get(address);
    if (!claim || claim.inConflict || isReleasedByOwner(claim)) return false;
    if (claim.owner === this.#options.nodeName) return this.#ownership.isAnswering(address);
    return this.#membership.isLive(claim.owner);
  }

  // Stage 5: decisions

  #beginDecisions(): void {
    this.#viewUpdates.refresh();
    this.#runner.send({ kind: 'started' }, () => {
      this.#isReady = true;
      // While this node started, another node may have answered for its addresses. That node stops when it learns that this node is ready. By
      // then, this node answers for them.
      this.#tellFacts();
    });
  }

  #observeTakeover({ reason, from, mustProbe }: AnswerAction): void {
    const heardAtMs = this.#members.lastHeardAtMs(from);
    if (reason === 'failover' && !mustProbe && heardAtMs !== undefined)
      this.#metrics.takeoverSeconds.observe((this.#clock.now() - heardAtMs) / 1000);
  }

  // Stage 6: stop

  /** The first call begins the stop. Later calls wait for the same stop, such as the call that process.ts makes after a crash. */
  #stop(): Promise<void> {
    this.#stopping ??= this.#leave();
    return this.#stopping;
  }

  async #leave(): Promise<void> {
    this.#isLeaving = true;
    this.#firstDecision.cancel();
    this.#answers.end();
    this.#witness.stop();
    this.#sightings.stop();
    const handedOver = this.#handover.wait();
    this.#tellFacts();
    this.#checkHandover();
    await handedOver;
    this.#runner.stop();
    for (const pending of [this.#intake, this.#claimsCoalescer, this.#viewUpdates]) pending.cancel();
    for (const timer of [this.#quorumTimer, this.#kernelTimer]) timer?.cancel();
    this.#membership.leave();
    this.#responder.close();
    this.#options.report({ kind: 'stopped' });
  }

  #checkHandover(): void {
    if (this.#handover.isWaiting)
      this.#handover.check(this.#ownership.answeredCount, this.#membership.liveMembers);
  }
}
