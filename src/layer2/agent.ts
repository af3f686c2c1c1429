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
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { formatIp, type IpAddress, parseIp } from '../address/index.ts';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import { carries, type Link } from '../link/link-table.ts';
import type { Logger } from '../log.ts';
import { ClaimStore } from '../membership/claim-store.ts';
import { isLive } from '../membership/member-table.ts';
import type { Changes } from '../membership/membership.ts';
import { MembershipNode } from '../membership/node.ts';
import type { AddressCounts } from '../neighbour/address-state.ts';
import { KernelAnswerWarnings } from '../neighbour/kernel-answer-warnings.ts';
import { concurrentProbes } from '../neighbour/prober.ts';
import { type Conflict, createNeighbourResponder, type NeighbourResponder } from '../neighbour/responder.ts';
import { formatFacts, type NodeFacts, parseFacts } from './node-facts.ts';
import { type Order, Ownership } from './ownership.ts';
import { type Entries, Gatherer } from './parts.ts';
import type { Announcing, FromLayer2, KnownSpeaker, Layer2Entry, Layer2Settings, ToLayer2 } from './table.ts';

export interface Layer2AgentOptions extends Layer2Settings {
  readonly logger: Logger;
  readonly registry: Registry;
  readonly report: (message: FromLayer2) => void;
  readonly clock?: Clock;
}

/** Why an address is answered from now on, for the log. */
interface Takeover {
  readonly reason: string;
  readonly from?: string;
}

const firstTakeover: Takeover = { reason: 'first' };

/** A node that has come waits for speakers that should be there: for all of them so long, so that all place alike, for any so long. */
const companyMs = 1500;
const aloneMs = 3000;
/** Longest a planned stop waits for others to take over. */
const handoverMs = 3000;
/** How often an address that somebody else uses is looked at again. */
const reprobeMs = 10_000;
const kernelLookMs = 1000;
/** A change that follows another within this time waits, for each costs a placement of all that have no owner. */
const gatherMs = 50;
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
  /** What is answered, by address. */
  readonly #announced = new Map<string, Announcing>();
  /** Owned, and used by another host. */
  readonly #occupied = new Set<string>();
  readonly #gatherer = new Gatherer();
  /** Changes that wait, the newest of each address. */
  readonly #changes = new Map<string, Layer2Entry | undefined>();
  #applying: Timer | undefined;
  #appliedAt = Number.NEGATIVE_INFINITY;
  /** Addresses whose claims are new and not considered yet. */
  #claimed = new Set<string>();
  #considering: Timer | undefined;
  #consideredAt = Number.NEGATIVE_INFINITY;
  /** Of what was told, the sum of its counters. */
  readonly #toldCounts = new WeakMap<AddressCounts, number>();
  /** Addresses that wait for their probe. */
  readonly #unprobed: { readonly address: IpAddress; readonly why: Takeover }[] = [];
  #probing = 0;
  #membership: MembershipNode | undefined;
  #keys: readonly [Uint8Array, ...Uint8Array[]] | undefined;
  #known: readonly KnownSpeaker[] = [];
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
  #onHandedOver: (() => void) | undefined;

  constructor(options: Layer2AgentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#ownership = new Ownership(options.nodeName, this.#claims, () => this.#responder.breathe());
    this.#metrics = new Layer2Metrics(options.registry, {
      members: () => [...(this.#membership?.machine.members() ?? [])].map(({ state }) => state),
      unreachable: () => this.#membership?.machine.unreachable().length ?? 0,
      owned: () => this.#announced.size,
    });
    this.#responder = createNeighbourResponder({
      log: options.logger,
      registry: options.registry,
      announcements: { refreshMs: options.announceEverySeconds * 1000 },
      defence: options.conflictPolicy,
      isOwner: (address) => this.#ownership.isAnswering(formatIp(address)),
      onConflict: (conflict) => this.#conflict(conflict),
      onLinksChanged: () => {
        this.#tellFacts();
        for (const announced of this.#announced.values()) this.#follow(announced);
        this.#lookAtKernel();
      },
    });
    this.#kernelAnswers = new KernelAnswerWarnings(this.#responder, options.logger);
  }

  /** Takes an order of the Kubernetes side; `stop` resolves when it is done, the others at once. */
  async handle(message: ToLayer2): Promise<void> {
    this.#responder.breathe();
    switch (message.kind) {
      case 'table':
      case 'change': {
        const whole = this.#gatherer.take(message);
        if (whole) this.#update(whole);
        return;
      }
      case 'speakers':
        this.#known = message.known;
        this.#know();
        return;
      case 'keys':
        return this.#setKeys(message.keys);
      case 'stop':
        return this.#stop();
    }
  }

  /** Reports the counters that have changed since they were told last. */
  tellCounts(): void {
    let counts: AddressCounts[] = [];
    const tell = () => {
      if (counts.length > 0) this.#options.report({ kind: 'counts', counts });
      counts = [];
    };
    for (const state of this.#responder.counts()) {
      this.#responder.breathe();
      const { text, requests, responses, gratuitous, conflicts } = state;
      const sum = requests + responses + gratuitous + conflicts;
      if (this.#toldCounts.get(state) === sum) continue;
      this.#toldCounts.set(state, sum);
      counts.push({ text, requests, responses, gratuitous, conflicts });
      if (counts.length === countsAtOnce) tell();
    }
    tell();
  }

  #update({ kind, upsert, remove }: Entries): void {
    if (kind === 'change') {
      for (const entry of upsert) this.#changes.set(entry.address, entry);
      for (const address of remove) this.#changes.set(address, undefined);
      const waitMs = this.#appliedAt + gatherMs - this.#clock.now();
      if (waitMs <= 0) this.#apply();
      else this.#applying ??= this.#clock.after(waitMs, () => this.#apply());
      return;
    }
    this.#changes.clear();
    this.#obey(this.#ownership.table(upsert, this.#clock.now()));
    this.#tellFacts();
    this.#lookAtKernel();
    this.#hasTable = true;
    this.#tryToStart();
  }

  #apply(): void {
    this.#applying?.cancel();
    this.#applying = undefined;
    const changes = [...this.#changes];
    this.#changes.clear();
    const upsert = changes.flatMap(([, entry]) => entry ?? []);
    const remove = changes.flatMap(([address, entry]) => (entry ? [] : address));
    this.#obey(this.#ownership.change(upsert, remove, this.#clock.now()));
    this.#appliedAt = this.#clock.now();
    this.#tellFacts();
    this.#lookAtKernel();
  }

  async #setKeys(texts: readonly string[]): Promise<void> {
    const [first, ...rest] = texts.map((text) => new Uint8Array(Buffer.from(text, 'base64')));
    if (!first || [first, ...rest].some(({ length }) => length !== 32)) {
      this.#options.logger.error({ reason: 'each key is 32 octets in base64' }, 'membership keys not taken');
      return;
    }
    this.#keys = [first, ...rest];
    this.#membership?.setKeys(this.#keys);
    if (!this.#membership) await this.#join(this.#keys);
  }

  async #join(keys: readonly [Uint8Array, ...Uint8Array[]]): Promise<void> {
    const { nodeName, port, logger } = this.#options;
    this.#facts = this.#ownFacts();
    this.#membership = await MembershipNode.start({
      name: nodeName,
      port,
      keys,
      metadata: this.#facts,
      claims: this.#claims,
      breathe: () => this.#responder.breathe(),
      changed: (changes) => this.#changed(changes),
      count: (what) => this.#metrics.datagram(what),
    });
    logger.info({ node: nodeName, port }, 'membership joined');
    this.#know();
    this.#look();
    this.#awaited = 'all';
    this.#clock.after(companyMs, () => this.#awaitOnly('any'));
    this.#clock.after(aloneMs, () => this.#awaitOnly('none'));
    this.#tryToStart();
  }

  #awaitOnly(awaited: 'any' | 'none'): void {
    this.#awaited = awaited;
    this.#tryToStart();
  }

  #know(): void {
    const { nodeName, port } = this.#options;
    const others = this.#known.filter(({ node }) => node !== nodeName);
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

  #changed({ members, claims, lost }: Omit<Changes, 'packets'>): void {
    for (const { name, heardAt } of lost) this.#lose(name, heardAt);
    for (const address of claims) this.#claimed.add(address);
    const waitMs = this.#consideredAt + gatherMs - this.#clock.now();
    // Who places what a dead node leaves must know what others have taken of it.
    if (this.#claimed.size > 0 && (members || waitMs <= 0)) this.#considerClaims();
    else if (this.#claimed.size > 0)
      this.#considering ??= this.#clock.after(waitMs, () => this.#considerClaims());
    if (members) this.#look();
    this.#tryToStart();
    this.#lookForEnd();
  }

  #considerClaims(): void {
    this.#considering?.cancel();
    this.#considering = undefined;
    const claimed = this.#claimed;
    this.#claimed = new Set();
    this.#obey(this.#ownership.claimsChanged(claimed, this.#clock.now()));
    this.#consideredAt = this.#clock.now();
    this.#lookForEnd();
  }

  #lose(node: string, heardAt: number): void {
    const { logger } = this.#options;
    this.#lastHeardMs.set(node, heardAt);
    this.#lost.add(node);
    if (this.#membership?.machine.member(node)?.state === 'left') logger.info({ node }, 'speaker has left');
    else logger.warn({ node, silentMs: Math.round(this.#clock.now() - heardAt) }, 'speaker lost');
  }

  /** Shows ownership who lives, and everybody else too. */
  #look(): void {
    const { nodeName, report } = this.#options;
    const machine = this.#membership?.machine;
    if (!machine) return;
    const all = [...machine.members()].filter(({ name }) => name !== nodeName);
    const live = all.filter(isLive);
    for (const { name } of live)
      if (this.#lost.delete(name)) this.#options.logger.info({ node: name }, 'speaker is back');
    const nodes = new Map<string, NodeFacts>(live.map(({ name, metadata }) => [name, parseFacts(metadata)]));
    nodes.set(nodeName, { ...parseFacts(this.#ownFacts()), isStarting: false });
    const known = new Set(this.#known.map(({ node }) => node));
    const dead = all.filter((member) => !isLive(member) && member.state !== 'left' && known.has(member.name));
    this.#responder.setSpeakers(
      new Set([...nodes.values()].flatMap(({ links }) => links.map(({ mac }) => mac))),
    );
    const isMajority = (live.length + 1) * 2 >= live.length + 1 + dead.length;
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
    const named = this.#ownership.namedInterfaces();
    const isNeeded = (link: Link) =>
      named.has(link.name) ||
      [...this.#ownership.addresses()].some(({ address }) => carries(link, address, []));
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
      this.#kernelAnswers.look(this.#addresses());
    });
  }

  *#addresses(): ReturnType<Ownership['addresses']> {
    for (const each of this.#ownership.addresses()) {
      this.#responder.breathe();
      yield each;
    }
  }

  #obey(orders: readonly Order[]): void {
    const claimed = new Set<string>();
    for (const order of orders) {
      this.#responder.breathe();
      switch (order.kind) {
        case 'answer':
          this.#answer(order);
          break;
        case 'adjust':
          this.#adjust(order);
          break;
        case 'silence':
          this.#silence(order.address, order.reason);
          break;
        case 'claim':
          this.#membership?.claim(order.claims);
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

  #answer(order: Extract<Order, { kind: 'answer' }>): void {
    const { entry, address, reason, from } = order;
    const why = from === '' ? firstTakeover : { reason, from };
    if (order.mustProbe) {
      this.#answerWhenFree(address, why);
      return;
    }
    this.#begin(entry, address, why);
    const heardMs = this.#lastHeardMs.get(from);
    if (reason === 'failover' && heardMs !== undefined)
      this.#metrics.takeoverSeconds.observe((this.#clock.now() - heardMs) / 1000);
  }

  /** Nobody of us has answered for it: somebody else may use it (RFC 5227, RFC 4862). */
  #answerWhenFree(address: IpAddress, why: Takeover): void {
    this.#unprobed.push({ address, why });
    this.#probeNext();
  }

  /** Of thousands that wait next to nothing is kept: what a probe keeps, all at once, has cost pauses of the collector. */
  #probeNext(): void {
    while (this.#probing < concurrentProbes) {
      const next = this.#unprobed.shift();
      if (!next) return;
      this.#probing++;
      void this.#probe(next.address, next.why).finally(() => {
        this.#probing--;
        this.#probeNext();
      });
    }
  }

  async #probe(address: IpAddress, why: Takeover): Promise<void> {
    const text = formatIp(address);
    const entry = this.#ownership.entry(text);
    if (!entry || !this.#ownership.isAnswering(text) || this.#isLeaving) return;
    const outcome = await this.#responder.probe(address, entry.interfaces);
    const current = this.#ownership.entry(text);
    if (!current || !this.#ownership.isAnswering(text) || this.#isLeaving) return;
    if (outcome.kind !== 'claimed') {
      this.#begin(current, address, why);
      this.#obey(this.#ownership.setOccupied(text, false));
      return;
    }
    const { mac, interface: link } = outcome;
    this.#options.logger.warn(
      { ip: text, mac, interface: link },
      'the address is in use by another host: not answering',
    );
    this.#options.report({ kind: 'conflict', address: text, mac, interface: link, action: 'waiting' });
    this.#occupy(text);
    this.#retry(address, why);
  }

  #occupy(text: string): void {
    this.#occupied.add(text);
    this.#obey(this.#ownership.setOccupied(text, true));
  }

  /** Looks later whether an address that another host uses has become free. */
  #retry(address: IpAddress, why: Takeover): void {
    this.#clock.after(reprobeMs, () => this.#answerWhenFree(address, why));
  }

  #begin(entry: Layer2Entry, address: IpAddress, why: Takeover): void {
    const { logger, report } = this.#options;
    this.#responder.add(address, entry.interfaces);
    const interfaces = this.#responder.carriers(address, entry.interfaces);
    const announced = { address: entry.address, interfaces, since: new Date().toISOString() };
    this.#announced.set(entry.address, announced);
    this.#occupied.delete(entry.address);
    logger.info({ ip: entry.address, interface: interfaces.join(','), ...why }, 'answering');
    report({ kind: 'announcing', started: [announced], stopped: [] });
  }

  #adjust({ entry, address }: Extract<Order, { kind: 'adjust' }>): void {
    const announced = this.#announced.get(entry.address);
    if (!announced) return;
    this.#responder.add(address, entry.interfaces);
    this.#follow(announced);
  }

  /** Tells when an address goes on on other links. */
  #follow({ address: text, interfaces: before, since }: Announcing): void {
    const entry = this.#ownership.entry(text);
    const address = parseIp(text);
    if (!entry || !address) return;
    const interfaces = this.#responder.carriers(address, entry.interfaces);
    // Without a link it is another node's soon.
    if (interfaces.length === 0 || interfaces.join() === before.join()) return;
    const announced = { address: text, interfaces, since };
    this.#announced.set(text, announced);
    this.#options.logger.info(
      { ip: text, interface: interfaces.join(','), before: before.join(',') },
      'moved',
    );
    this.#options.report({ kind: 'announcing', started: [announced], stopped: [] });
  }

  #silence(address: IpAddress, reason: string): void {
    const text = formatIp(address);
    this.#responder.remove(address);
    const wasOccupied = this.#occupied.delete(text);
    if (!this.#announced.delete(text) && !wasOccupied) return;
    this.#options.logger.info({ ip: text, reason }, 'silent');
    this.#options.report({ kind: 'announcing', started: [], stopped: [text] });
  }

  #conflict({ address, mac, interface: link, action, isSpeaker }: Conflict): void {
    // Between speakers the claims decide, and a handover always shows both for a moment.
    if (isSpeaker) return;
    const text = formatIp(address);
    const { report } = this.#options;
    const hasYielded = action === 'yielded' && this.#announced.delete(text);
    if (hasYielded) report({ kind: 'announcing', started: [], stopped: [text] });
    report({ kind: 'conflict', address: text, mac, interface: link, action });
    if (!hasYielded) return;
    this.#occupy(text);
    if (this.#ownership.entry(text)) this.#retry(address, firstTakeover);
  }

  /** Hands over, leaves, lets go of every socket. */
  async #stop(): Promise<void> {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    const done = new Promise<void>((resolve) => {
      this.#onHandedOver = resolve;
    });
    const limit = this.#clock.after(handoverMs, () => this.#onHandedOver?.());
    this.#tellFacts();
    this.#lookForEnd();
    await done;
    limit.cancel();
    for (const timer of [this.#timer, this.#applying, this.#considering]) timer?.cancel();
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

class Layer2Metrics {
  readonly takeoverSeconds: Histogram;
  readonly #datagrams: Counter<'direction'>;
  readonly #dropped: Counter<'reason'>;

  constructor(
    registry: Registry,
    state: {
      readonly members: () => readonly string[];
      readonly unreachable: () => number;
      readonly owned: () => number;
    },
  ) {
    const registers = [registry];
    this.takeoverSeconds = new Histogram({
      name: 'bellman_layer2_takeover_seconds',
      help: 'From when a dead owner was last heard until this node answered in its place.',
      buckets: [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2, 5],
      registers,
    });
    this.#datagrams = new Counter({
      name: 'bellman_membership_datagrams_total',
      help: 'Membership datagrams, by direction.',
      labelNames: ['direction'],
      registers,
    });
    this.#dropped = new Counter({
      name: 'bellman_membership_dropped_total',
      help: 'Membership datagrams that were not taken, by reason.',
      labelNames: ['reason'],
      registers,
    });
    new Gauge({
      name: 'bellman_membership_members',
      help: 'Other speakers by what this one thinks of them.',
      labelNames: ['state'],
      registers,
      collect() {
        this.reset();
        for (const each of ['alive', 'suspect', 'dead', 'left']) this.set({ state: each }, 0);
        for (const each of state.members()) this.inc({ state: each });
      },
    });
    new Gauge({
      name: 'bellman_membership_unreachable',
      help: 'Speakers that Kubernetes knows and this one does not reach: above 0 for long, the network is parted.',
      registers,
      collect() {
        this.set(state.unreachable());
      },
    });
    new Gauge({
      name: 'bellman_layer2_addresses_owned',
      help: 'Addresses that this node answers for.',
      registers,
      collect() {
        this.set(state.owned());
      },
    });
  }

  datagram({ sent, received, dropped }: { sent?: number; received?: number; dropped?: string }): void {
    if (sent !== undefined) this.#datagrams.inc({ direction: 'sent' });
    if (received !== undefined) this.#datagrams.inc({ direction: 'received' });
    if (dropped !== undefined) this.#dropped.inc({ reason: dropped });
  }
}
