/** Speakers whose ownership and membership machines run together, over a network in virtual time. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { formatIp, parsePrefix } from '../../src/address/index.ts';
import type { Clock, Timer } from '../../src/clock.ts';
import type { AddressEntry } from '../../src/layer2/address-entry.ts';
import { Coalescer } from '../../src/layer2/coalescer.ts';
import { FirstDecision } from '../../src/layer2/first-decision.ts';
import { MemberView } from '../../src/layer2/member-view.ts';
import type { Claim } from '../../src/layer2/ownership/claim.ts';
import { ClaimPayloads, payloadOf } from '../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore } from '../../src/layer2/ownership/claim-store.ts';
import { formatFacts } from '../../src/layer2/ownership/node-facts.ts';
import { Ownership } from '../../src/layer2/ownership/ownership.ts';
import { OwnershipRunner } from '../../src/layer2/ownership-runner.ts';
import { ViewUpdates } from '../../src/layer2/view-updates.ts';
import type { Logger } from '../../src/log.ts';
import type { Changes } from '../../src/membership/change-log.ts';
import type { Membership } from '../../src/membership/membership.ts';
import type { MergeOrder, PayloadRecord } from '../../src/membership/payload.ts';
import { AnswerLedger } from './answer-ledger.ts';
import { addressEntry } from './layer2-cluster.ts';
import { MembershipNet } from './membership-net.ts';

const subnets = [parsePrefix('10.0.0.0/8') ?? assert.fail()];
/** Links of a node with several networks. The node facts about these links take some 230 octets, as on a usual node. */
const links = ['eth0', 'bond0.120', 'storage0'].map((name, index) => ({
  ...{ index, name, subnets, epoch: 0 },
  mac: Uint8Array.of(2, 0, 0, 0, 0, index),
}));
export const addressOf = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;

const silent = pino({ enabled: false });

interface SpeakerOptions {
  readonly logger?: Logger;
  readonly ledger?: AnswerLedger;
  readonly costs?: ProcessCosts;
}

/** CPU times of a process, in milliseconds. */
export interface ProcessCosts {
  /** One step of a decision. */
  readonly stepMs: number;
  /** To begin or to end the answers for an address, with the lines in the log and the report to the parent. */
  readonly actionMs: number;
  readonly datagramMs: number;
}

/** One speaker without its shells. Its machines are connected as in the layer-2 process. */
export class MemorySpeaker {
  readonly name: string;
  readonly claims = new ClaimStore();
  readonly answering = new Set<string>();
  readonly ownership: Ownership;
  readonly #net: MembershipNet;
  readonly #ledger: AnswerLedger | undefined;
  readonly #view: MemberView;
  readonly #runner: OwnershipRunner;
  #firstDecision: FirstDecision | undefined;
  readonly #decideOnClaims: Coalescer;
  readonly #viewUpdates: ViewUpdates;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #stalledUntilMs = 0;
  #isReady = false;
  #isStopped = false;

  constructor(
    net: MembershipNet,
    name: string,
    entries: readonly AddressEntry[],
    { logger = silent, ledger, costs }: SpeakerOptions = {},
  ) {
    this.name = name;
    this.#net = net;
    this.#ledger = ledger;
    const clock: Clock = {
      now: () => net.timeOf(name),
      epochMs: () => net.now,
      after: (delayMs, callback) => net.after(delayMs, callback, name),
    };
    this.#clock = clock;
    this.ownership = new Ownership(name, this.claims);
    this.#view = new MemberView({
      nodeName: name,
      clock,
      logger,
      report: () => {},
      setSpeakerMacs: () => {},
      onReturn: () => {},
    });
    this.#runner = new OwnershipRunner({
      clock,
      ownership: this.ownership,
      recorder: { *record() {} },
      answers: {
        answer: ({ address, mustProbe }) => {
          this.#spend(costs?.actionMs);
          if (!mustProbe) this.#begin(formatIp(address));
          else clock.after(300, () => this.#probed(formatIp(address)));
        },
        adjust: () => {},
        silence: ({ address }) => {
          this.#spend(costs?.actionMs);
          this.#end(formatIp(address));
        },
      },
      publish: (claims) => this.#publish(claims),
      drainCaptures: () => this.#spend(costs?.stepMs),
      beforeTick: () => this.#viewUpdates.refresh(),
      onAnswer: () => {},
    });
    this.#decideOnClaims = new Coalescer(clock, () => {
      this.#viewUpdates.refresh();
      this.#runner.send({ kind: 'tick' });
    });
    this.#viewUpdates = new ViewUpdates(clock, () => this.#updateView());
    this.show(entries);
  }

  /** Replaces the entries. */
  show(entries: readonly AddressEntry[]): void {
    this.#runner.send({ kind: 'table', entries });
  }

  changed({ members, sync, payloads, lost }: Changes): void {
    if (this.#isStopped) return;
    const machine = this.#net.machine(this.name);
    if (!machine) return;
    this.#view.logLosses(lost, machine);
    if (members.size === 0 && !sync && payloads.size === 0 && this.#firstDecision) return;
    this.#viewUpdates.request(members);
    if (payloads.size > 0) {
      this.#viewUpdates.refreshFor([...payloads].map((address) => this.claims.get(address)?.owner ?? ''));
      this.#runner.send({ kind: 'claims-received', addresses: payloads });
      this.#decideOnClaims.request();
    }
    if (this.#firstDecision) this.#firstDecision.check();
    else this.#join(machine);
  }

  #publish(claims: readonly Claim[]): void {
    this.#net.do(this.name, (machine, now) => machine.publish(claims.map(payloadOf), now));
  }

  /**
   * Stops for this time, as a process without CPU. Meanwhile the process answers no neighbours. The kernel keeps the packets that arrive, until
   * the socket buffer is full.
   */
  stall(ms: number): void {
    this.#net.spend(this.name, ms);
    const untilMs = this.#net.timeOf(this.name);
    if (this.#stalledUntilMs <= this.#net.now)
      for (const address of this.answering) this.#ledger?.ended(address, this.name);
    this.#stalledUntilMs = untilMs;
    this.#net.after(untilMs - this.#net.now, () => {
      if (this.#stalledUntilMs !== untilMs || this.#isStopped) return;
      this.#stalledUntilMs = 0;
      for (const address of this.answering) this.#ledger?.began(address, this.name);
    });
  }

  /** Ends as a process that is killed. Call `MembershipNet.kill` too. */
  stop(): void {
    this.#firstDecision?.cancel();
    this.#runner.stop();
    for (const address of this.answering) this.#ledger?.ended(address, this.name);
    this.answering.clear();
    this.#isStopped = true;
  }

  #spend(ms = 0): void {
    if (ms > 0) this.#net.spend(this.name, ms);
  }

  #probed(address: string): void {
    if (this.ownership.isAnswering(address)) this.#begin(address);
  }

  #begin(address: string): void {
    if (this.#isStopped) return;
    this.answering.add(address);
    this.#ledger?.began(address, this.name);
  }

  #end(address: string): void {
    if (this.answering.delete(address)) this.#ledger?.ended(address, this.name);
  }

  #facts(): string {
    const phase = { isLeaving: false, isStarting: !this.#isReady };
    return formatFacts(links, () => true, phase).text;
  }

  #updateView(): void {
    const machine = this.#net.machine(this.name);
    if (!machine || this.#isStopped) return;
    this.#runner.send({
      kind: 'view',
      view: this.#view.update(machine, this.#facts(), {
        isCertain: true,
        isStarted: this.ownership.isStarted,
      }),
    });
    this.#timer?.cancel();
    const atMs = this.#view.wakeAtMs();
    if (atMs < Number.POSITIVE_INFINITY)
      this.#timer = this.#clock.after(atMs - this.#clock.now(), () => this.#updateView());
  }

  #join(machine: Membership): void {
    const first = new FirstDecision({
      clock: this.#clock,
      membership: {
        get isSynced() {
          return machine.isSynced;
        },
        get liveMembers() {
          return machine.liveCount;
        },
        get isAnyUnreachable() {
          return machine.isAnyUnreachable;
        },
        isAlone: false,
      },
      begin: () => {
        this.#viewUpdates.refresh();
        this.#runner.send({ kind: 'started' }, () => {
          this.#isReady = true;
          this.#tellFacts(machine);
        });
      },
    });
    this.#firstDecision = first;
    this.#tellFacts(machine);
    first.joined();
    first.entriesArrived();
  }

  #tellFacts(machine: Membership): void {
    const facts = this.#facts();
    if (facts === machine.metadata) return;
    this.#net.do(this.name, (each, now) => each.setMetadata(facts, now));
    this.#updateView();
  }
}

export interface SpeakersOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly addresses: number;
  /** The claims with which each speaker starts. */
  readonly held?: readonly Claim[];
  /** Whether the speakers start without entries and get them from `place`. */
  readonly startsEmpty?: boolean;
  /**
   * Number of nodes in a rack; by default all nodes form one rack. The nodes of a rack may answer for the same addresses. A speaker has all
   * claims, but only the entries of its own rack, because it never answers for the addresses of another rack.
   */
  readonly rack?: number;
  readonly loss?: number;
  readonly logger?: Logger;
  /** CPU times of the work of a speaker; none by default. */
  readonly costs?: ProcessCosts;
}

/** Speakers that share addresses. */
export class MemorySpeakers {
  readonly net: MembershipNet;
  readonly all = new Map<string, MemorySpeaker>();
  readonly addresses: readonly string[];
  readonly ledger: AnswerLedger;
  readonly #options: SpeakersOptions;
  readonly #entriesOfRack: readonly (readonly AddressEntry[])[];

  constructor(options: SpeakersOptions) {
    const { nodes, seed, addresses, loss = 0, rack = nodes } = options;
    this.#options = options;
    this.addresses = Array.from({ length: addresses }, (_, i) => addressOf(i));
    this.net = new MembershipNet({
      ...{ nodes, loss, seed, isListCertain: true },
      ...(options.costs ? { datagramMs: options.costs.datagramMs } : {}),
      storeOf: (name) => this.#storeOf(name, options.held ?? [], options.startsEmpty),
    });
    this.ledger = new AnswerLedger(() => this.net.now);
    this.#entriesOfRack = Array.from({ length: Math.ceil(nodes / rack) }, (_, i) => {
      const candidates = this.net.names.slice(i * rack, (i + 1) * rack).sort();
      return this.addresses
        .filter((_address, at) => this.rackOf(at) === i)
        .map((address) => ({ ...addressEntry(address, [], { observedVersion: 1 }), candidates }));
    });
    this.net.onChanges = (name, changes) => this.all.get(name)?.changed(changes);
  }

  /** The rack of the address with this index. */
  rackOf(address: number): number {
    const { nodes, rack = nodes } = this.#options;
    return address % Math.ceil(nodes / rack);
  }

  /** Gives each running speaker these claims and its entries, as if the claims had been made long ago. */
  place(claims: readonly Claim[]): void {
    for (const [name, speaker] of this.all) {
      for (const claim of claims) speaker.claims.merge(claim);
      speaker.show(this.#entriesOf(name));
    }
  }

  /** Kills the node's speaker. The other speakers receive no message about it. */
  kill(name: string): void {
    this.net.kill(name);
    this.all.get(name)?.stop();
    this.all.delete(name);
  }

  /** Starts a speaker that has its entries, but no claims. */
  start(name: string): void {
    this.net.start(name, this.#storeOf(name, []));
  }

  answerers(address: string): string[] {
    return [...this.all.values()].filter(({ answering }) => answering.has(address)).map(({ name }) => name);
  }

  owners(): Map<string, string> {
    return new Map(this.addresses.map((address) => [address, this.answerers(address).join()]));
  }

  #entriesOf(name: string): readonly AddressEntry[] {
    const { nodes, rack = nodes } = this.#options;
    return this.#entriesOfRack[Math.floor(this.net.names.indexOf(name) / rack)] ?? [];
  }

  #storeOf(name: string, held: readonly Claim[], isEmpty = false): ClaimPayloads {
    const { logger, costs } = this.#options;
    const entries = isEmpty ? [] : this.#entriesOf(name);
    const speaker = new MemorySpeaker(this.net, name, entries, {
      ledger: this.ledger,
      ...(logger ? { logger } : {}),
      ...(costs ? { costs } : {}),
    });
    for (const claim of held) speaker.claims.merge(claim);
    this.all.set(name, speaker);
    return new SharedClaims(speaker.claims);
  }
}

/**
 * Keeps one object and one encoding of each claim, which all speakers share. Otherwise thousands of speakers would hold thousands of copies.
 */
class SharedClaims extends ClaimPayloads {
  static readonly #decoded = new WeakMap<Uint8Array, Claim>();
  static readonly #encoded = new WeakMap<Claim, PayloadRecord>();
  readonly #claims: ClaimStore;

  constructor(claims: ClaimStore) {
    super(claims);
    this.#claims = claims;
  }

  override merge(record: PayloadRecord): MergeOrder {
    const known = SharedClaims.#decoded.get(record.octets);
    if (known) return this.#claims.merge(known);
    const order = super.merge(record);
    const claim = this.#claims.newest(record.key);
    if (order === 'newer' && claim) SharedClaims.#decoded.set(record.octets, claim);
    return order;
  }

  override newest(key: string): PayloadRecord | undefined {
    const claim = this.#claims.newest(key);
    if (!claim) return undefined;
    const known = SharedClaims.#encoded.get(claim) ?? payloadOf(claim);
    SharedClaims.#encoded.set(claim, known);
    SharedClaims.#decoded.set(known.octets, claim);
    return known;
  }
}
