/**
 * The layer-2 process' inside: connects ownership (who should answer), membership (who is alive and claims what) and the neighbour
 * responder (who is answered). It knows nothing of Kubernetes: tables come in, what happened goes out.
 *
 *   tables, speakers, keys ─→ Ownership ──orders──→ NeighbourResponder (ARP, NDP)
 *                               ↑   └──claims──→ MembershipNode (UDP) ←──→ other nodes
 *                               └──view, claims──────┘
 *
 * Without keys there is no membership, and without membership no answers: a node that cannot hear the others would answer beside them.
 */
import type { Registry } from 'prom-client';
import { formatIp } from '../address/index.ts';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import type { Link } from '../link/link-table.ts';
import type { Logger } from '../log.ts';
import { type Keys, parseKeys } from '../membership/keyring.ts';
import { isLive } from '../membership/member-table.ts';
import type { Changes, Membership } from '../membership/membership.ts';
import { MembershipNode } from '../membership/node.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import { Guard } from '../telemetry/guard.ts';
import type { AddressEntry, AddressRemoval } from './address-entry.ts';
import { Answers } from './answers.ts';
import { Gathering } from './gathering.ts';
import { type EntriesMessage, MessageAssembler } from './message-parts.ts';
import type { FromLayer2, KnownSpeakers, Layer2Settings, ToLayer2 } from './messages.ts';
import { Layer2Metrics } from './metrics.ts';
import { isReleasedByOwner } from './ownership/claim.ts';
import { ClaimPayloads, payloadOf } from './ownership/claim-payloads.ts';
import { ClaimStore } from './ownership/claim-store.ts';
import { formatFacts, type NodeFacts, parseFacts } from './ownership/node-facts.ts';
import { type Order, Ownership } from './ownership/ownership.ts';
import type { AddressCounts } from './responder/address-state.ts';
import { KernelAnswerWarnings } from './responder/kernel-answer-warnings.ts';
import { createNeighbourResponder, type NeighbourResponder } from './responder/responder.ts';

export interface Layer2AgentOptions extends Layer2Settings {
  readonly logger: Logger;
  readonly registry: Registry;
  readonly report: (message: FromLayer2) => void;
  readonly guard?: Guard;
  readonly recorder?: FlightRecorder;
  readonly clock?: Clock;
}

/** A node that has come waits for speakers that should be there: for all of them so long, so that all place alike, for any so long. */
const companyMs = 1500;
const aloneMs = 3000;
/** Longest a planned stop waits for others to take over. */
const handoverMs = 3000;
const kernelLookMs = 1000;
const unknownKeyLogMs = 600_000;
/** Counters in one report, so that writing it takes less than a millisecond. */
const countsAtOnce = 500;
/** Longer than members take to be heard of again when a partition ends: each is looked for once a second. */
const healMs = 2000;

export class Layer2Agent {
  readonly #options: Layer2AgentOptions;
  readonly #clock: Clock;
  readonly #claims = new ClaimStore();
  readonly #ownership: Ownership;
  readonly #responder: NeighbourResponder;
  readonly #kernelAnswers: KernelAnswerWarnings;
  readonly #metrics: Layer2Metrics;
  readonly #answers: Answers;
  readonly #assembler = new MessageAssembler();
  /** Changes that wait, the newest of each address. */
  readonly #changes = new Map<string, { readonly entry: AddressEntry } | { readonly gone: AddressRemoval }>();
  readonly #applying: Gathering;
  /** Claims that were heard. */
  readonly #considering: Gathering;
  /** Of what was told, the sum of its counters. */
  readonly #toldCounts = new WeakMap<AddressCounts, number>();
  #membership: MembershipNode | undefined;
  #keys: Keys | undefined;
  #known: KnownSpeakers = { known: [], areCertain: false };
  #hasTable = false;
  /** Whom it waits for before it decides anything. */
  #awaited: 'all' | 'any' | 'none' = 'all';
  #isLeaving = false;
  #facts = '';
  /** Names of links that the facts have no room for. */
  #untold = '';
  #timer: Timer | undefined;
  #kernelLook: Timer | undefined;
  /** Since it was in a minority, until that is well over. */
  #isHealing = false;
  #healed: Timer | undefined;
  /** Speakers that are gone, and it was said. */
  readonly #lost = new Set<string>();
  /** When nodes that are gone were last heard, for the time a takeover took. */
  readonly #lastHeardMs = new Map<string, number>();
  readonly #unknownKeyLoggedAt = new Map<string, number>();
  #onHandedOver: (() => void) | undefined;

  constructor(options: Layer2AgentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#ownership = new Ownership(options.nodeName, this.#claims, () => this.#responder.drainCaptures());
    this.#metrics = new Layer2Metrics(options.registry, {
      members: () => [...(this.#membership?.machine.members() ?? [])].map(({ state }) => state),
      unreachable: () => this.#membership?.machine.unreachable().length ?? 0,
      owned: () => this.#answers.count,
    });
    this.#responder = createNeighbourResponder({
      log: options.logger,
      ...(options.guard ? { guard: options.guard } : {}),
      registry: options.registry,
      announcements: { refreshMs: options.announceEverySeconds * 1000 },
      defence: options.conflictPolicy,
      isOwner: (address) => this.#ownership.isAnswering(formatIp(address)),
      onConflict: (conflict) => this.#answers.conflict(conflict),
      onLinksChanged: () => {
        this.#tellFacts();
        this.#answers.linksChanged();
        this.#lookAtKernel();
      },
    });
    this.#kernelAnswers = new KernelAnswerWarnings(this.#responder, options.logger);
    this.#answers = new Answers({
      clock: this.#clock,
      logger: options.logger,
      report: options.report,
      responder: this.#responder,
      ownership: this.#ownership,
      nodeName: options.nodeName,
      occupied: (address, inConflict) => this.#obey(this.#ownership.setInConflict(address, inConflict)),
    });
    this.#applying = new Gathering(this.#clock, () => this.#applyChanges());
    this.#considering = new Gathering(this.#clock, () => this.#considerClaims());
  }

  /** Takes an order of the Kubernetes side; `stop` resolves when it is done, the others at once. */
  async handle(message: ToLayer2): Promise<void> {
    this.#responder.drainCaptures();
    switch (message.kind) {
      case 'table':
      case 'change': {
        const whole = this.#assembler.take(message);
        if (whole) this.#update(whole);
        return;
      }
      case 'speakers':
        this.#known = message;
        this.#know();
        this.#look();
        return;
      case 'keys':
        return this.#setKeys(message.keys);
      case 'claimed': {
        const addresses = message.addresses.filter((address) => this.#isClaimed(address));
        return this.#options.report({ kind: 'claimed', id: message.id, addresses });
      }
      case 'events':
        return this.#options.report({
          kind: 'events',
          id: message.id,
          events: this.#options.recorder?.events() ?? [],
        });
      case 'stop':
        return this.#stop();
    }
  }

  /** Whether a live node claims the address and answers for it. */
  #isClaimed(address: string): boolean {
    const claim = this.#claims.get(address);
    if (!claim || claim.inConflict || isReleasedByOwner(claim)) return false;
    if (claim.owner === this.#options.nodeName) return this.#ownership.isAnswering(address);
    const owner = this.#membership?.machine.member(claim.owner);
    return owner !== undefined && isLive(owner);
  }

  /** Reports the counters that have changed since they were told last. */
  tellCounts(): void {
    let counts: AddressCounts[] = [];
    const tell = () => {
      if (counts.length > 0) this.#options.report({ kind: 'counts', counts });
      counts = [];
    };
    for (const state of this.#responder.counts()) {
      this.#responder.drainCaptures();
      const { text, requests, responses, gratuitous, conflicts } = state;
      const sum = requests + responses + gratuitous + conflicts;
      if (this.#toldCounts.get(state) === sum) continue;
      this.#toldCounts.set(state, sum);
      counts.push({ text, requests, responses, gratuitous, conflicts });
      if (counts.length === countsAtOnce) tell();
    }
    tell();
  }

  #update({ kind, upsert, remove }: EntriesMessage): void {
    if (kind === 'change') {
      for (const entry of upsert) this.#changes.set(entry.address, { entry });
      for (const gone of remove) this.#changes.set(gone.address, { gone });
      this.#applying.ask();
      return;
    }
    this.#changes.clear();
    this.#obey(this.#ownership.table(upsert, this.#clock.now()));
    this.#tellFacts();
    this.#lookAtKernel();
    this.#hasTable = true;
    this.#tryToStart();
  }

  #applyChanges(): void {
    const changes = [...this.#changes.values()];
    this.#changes.clear();
    const upsert = changes.flatMap((change) => ('entry' in change ? change.entry : []));
    const remove = changes.flatMap((change) => ('gone' in change ? change.gone : []));
    this.#obey(this.#ownership.change(upsert, remove, this.#clock.now()));
    this.#tellFacts();
    this.#lookAtKernel();
  }

  async #setKeys(texts: readonly string[]): Promise<void> {
    const keys = parseKeys(texts);
    if (!keys.ok) {
      this.#options.logger.error({ reason: keys.error }, 'membership keys rejected');
      return;
    }
    this.#keys = keys.value;
    this.#membership?.setKeys(this.#keys);
    if (!this.#membership) await this.#join(this.#keys);
  }

  async #join(keys: Keys): Promise<void> {
    const { nodeName, port, logger } = this.#options;
    this.#facts = this.#ownFacts();
    this.#membership = await MembershipNode.start({
      name: nodeName,
      port,
      keys,
      metadata: this.#facts,
      payloads: new ClaimPayloads(this.#claims),
      guard: this.#options.guard ?? new Guard({ logger }),
      clock: this.#clock,
      drainCaptures: () => this.#responder.drainCaptures(),
      changed: (changes) => this.#changed(changes),
      count: (what) => this.#metrics.datagram(what),
      onUnknownKey: (node) => this.#reportUnknownKey(node),
    });
    logger.info({ node: nodeName, port }, 'membership joined');
    this.#know();
    this.#look();
    this.#awaited = 'all';
    this.#clock.after(companyMs, () => this.#awaitOnly('any'));
    this.#clock.after(aloneMs, () => this.#awaitOnly('none'));
    this.#tryToStart();
  }

  /** Once per speaker in `unknownKeyLogMs`: each of its datagrams would be a line. */
  #reportUnknownKey(node: string): void {
    const now = this.#clock.now();
    const loggedAt = this.#unknownKeyLoggedAt.get(node);
    if (loggedAt !== undefined && now - loggedAt < unknownKeyLogMs) return;
    this.#unknownKeyLoggedAt.set(node, now);
    this.#options.logger.error(
      { node, reason: 'the membership Secret changed and did not reach every speaker yet' },
      'speaker uses an unknown membership key',
    );
  }

  #awaitOnly(awaited: 'any' | 'none'): void {
    this.#awaited = awaited;
    this.#tryToStart();
  }

  #know(): void {
    const { nodeName, port } = this.#options;
    const others = this.#known.known.filter(({ node }) => node !== nodeName);
    this.#membership?.know(
      new Map(others.map(({ node, addresses }) => [node, addresses.map((host) => ({ host, port }))])),
    );
    this.#tryToStart();
  }

  /** Decisions begin when the table and the others' claims are known, or when there is nobody to ask. */
  #tryToStart(): void {
    const machine = this.#membership?.machine;
    if (this.#ownership.isStarted || !this.#hasTable || !machine || this.#isLeaving) return;
    if (this.#awaited !== 'none' && !machine.isSynced) return;
    if (this.#awaited === 'all' && machine.unreachable().length > 0) return;
    this.#obey(this.#ownership.start(this.#clock.now()));
    // Whoever answered meanwhile falls silent when it hears that this node is ready: by then it answers.
    this.#tellFacts();
  }

  #changed({ members, payloads, lost }: Omit<Changes, 'packets'>): void {
    for (const { name, heardAt } of lost) this.#lose(name, heardAt);
    if (payloads.size > 0) {
      this.#ownership.hear(payloads, this.#clock.now());
      this.#considering.ask();
    }
    if (members) this.#look();
    this.#tryToStart();
    this.#lookForEnd();
  }

  #considerClaims(): void {
    this.#obey(this.#ownership.wake(this.#clock.now()));
    this.#lookForEnd();
  }

  #lose(node: string, heardAt: number): void {
    const { logger } = this.#options;
    this.#lastHeardMs.set(node, heardAt);
    this.#lost.add(node);
    if (this.#membership?.machine.member(node)?.state === 'left') logger.info({ node }, 'speaker has left');
    else logger.warn({ node, silentMs: Math.round(this.#clock.now() - heardAt) }, 'speaker lost');
  }

  /** Who is back may have answered until it heard of its absence: neighbours are told anew. */
  #greet(node: string): void {
    this.#options.logger.info({ node }, 'speaker is back');
    this.#answers.announceAgain((address) => this.#claims.get(address)?.from === node);
  }

  /** Shows ownership who lives, and everybody else too. */
  #look(): void {
    const { nodeName, report } = this.#options;
    const machine = this.#membership?.machine;
    if (!machine) return;
    const all = [...machine.members()].filter(({ name }) => name !== nodeName);
    const live = all.filter(isLive);
    for (const { name } of live) if (this.#lost.delete(name)) this.#greet(name);
    const nodes = new Map<string, NodeFacts>(live.map(({ name, metadata }) => [name, parseFacts(metadata)]));
    nodes.set(nodeName, { ...parseFacts(this.#ownFacts()), isStarting: false });
    // Who is called dead may be on the other side of a partition, and is no stranger.
    const macs = all.flatMap(({ metadata }) => parseFacts(metadata).links.map(({ mac }) => mac));
    this.#responder.setSpeakers(new Set(macs));
    const missed = this.#missed(machine);
    const isMajority = (live.length + 1) * 2 >= live.length + 1 + missed;
    const mayClaim = this.#mayClaim(isMajority);
    this.#obey(this.#ownership.setView({ nodes, mayClaim }, this.#clock.now()));
    const since = (sinceMs: number) => new Date(Date.now() - (this.#clock.now() - sinceMs)).toISOString();
    report({
      kind: 'members',
      members: all.map((member) => ({
        node: member.name,
        state: member.state,
        address: member.endpoint.host,
        since: since(member.since),
      })),
    });
  }

  /** How many speakers should be heard and are not: those that were heard once, or all where it is certain that they run. */
  #missed(machine: Membership): number {
    const unreachable = machine.unreachable();
    if (this.#known.areCertain) return unreachable.length;
    return unreachable.filter((name) => machine.member(name)?.state === 'dead').length;
  }

  /**
   * A node that was in a minority still takes others for dead when it hears the first of them again: it claims nothing until it has had
   * the time to hear of all.
   */
  #mayClaim(isMajority: boolean): boolean {
    if (!isMajority) {
      this.#isHealing = true;
      this.#healed?.cancel();
      this.#healed = undefined;
    } else if (this.#isHealing) {
      this.#healed ??= this.#clock.after(healMs, () => {
        this.#isHealing = false;
        this.#healed = undefined;
        this.#look();
      });
    }
    return !this.#isHealing;
  }

  #ownFacts(): string {
    const named = this.#ownership.entries.namedInterfaces();
    const isNeeded = (link: Link) => named.has(link.name) || this.#ownership.entries.carriesAny(link);
    const { text, leftOut } = formatFacts(
      // A node has a link without a subnet for each Pod.
      this.#responder.links().filter(({ name, subnets }) => subnets.length > 0 || named.has(name)),
      isNeeded,
      { isLeaving: this.#isLeaving, isStarting: !this.#ownership.isStarted },
    );
    if (leftOut.join() !== this.#untold && leftOut.length > 0)
      this.#options.logger.error(
        { interfaces: leftOut.join() },
        'more links than other speakers can be told of: nothing is answered on these',
      );
    this.#untold = leftOut.join();
    return text;
  }

  #tellFacts(): void {
    const facts = this.#ownFacts();
    if (facts === this.#facts) return;
    this.#facts = facts;
    this.#membership?.setMetadata(facts);
    this.#look();
  }

  /** A little later, so that a storm of changes costs one look. */
  #lookAtKernel(): void {
    this.#kernelLook ??= this.#clock.after(kernelLookMs, () => {
      this.#kernelLook = undefined;
      this.#kernelAnswers.check(this.#addresses());
    });
  }

  *#addresses(): ReturnType<Ownership['entries']['addresses']> {
    for (const each of this.#ownership.entries.addresses()) {
      this.#responder.drainCaptures();
      yield each;
    }
  }

  #obey(orders: readonly Order[]): void {
    const claimed = new Set<string>();
    for (const order of orders) {
      this.#responder.drainCaptures();
      switch (order.kind) {
        case 'answer':
          this.#answers.answer(order);
          this.#observeTakeover(order);
          break;
        case 'adjust':
          this.#answers.adjust(order);
          break;
        case 'silence':
          this.#answers.silence(order.address, order.reason);
          break;
        case 'claim':
          this.#membership?.publish(order.claims.map(payloadOf));
          for (const { address } of order.claims) claimed.add(address);
          break;
      }
    }
    // What this node owns now weighs in the placement of what is left, here as with the others.
    if (claimed.size > 0) return this.#obey(this.#ownership.claimsChanged(claimed, this.#clock.now()));
    this.#timer?.cancel();
    const wakeAt = this.#ownership.wakeAt();
    if (wakeAt === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.after(wakeAt - this.#clock.now(), () =>
      this.#obey(this.#ownership.wake(this.#clock.now())),
    );
  }

  #observeTakeover({ reason, from, mustProbe }: Extract<Order, { kind: 'answer' }>): void {
    const heardMs = this.#lastHeardMs.get(from);
    if (reason === 'failover' && !mustProbe && heardMs !== undefined)
      this.#metrics.takeoverSeconds.observe((this.#clock.now() - heardMs) / 1000);
  }

  /** Hands over, leaves, lets go of every socket. */
  async #stop(): Promise<void> {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#answers.end();
    const done = new Promise<void>((resolve) => {
      this.#onHandedOver = resolve;
    });
    const limit = this.#clock.after(handoverMs, () => this.#onHandedOver?.());
    this.#tellFacts();
    this.#lookForEnd();
    await done;
    limit.cancel();
    for (const each of [this.#timer, this.#applying, this.#considering]) each?.cancel();
    this.#membership?.leave();
    this.#responder.close();
    this.#options.report({ kind: 'stopped' });
  }

  #lookForEnd(): void {
    if (!this.#onHandedOver) return;
    const hasOthers = [...(this.#membership?.machine.members() ?? [])].some(
      (member) => member.name !== this.#options.nodeName && isLive(member),
    );
    if (!hasOthers || this.#ownership.answered().length === 0) this.#onHandedOver();
  }
}
