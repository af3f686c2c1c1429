import { formatIp, parseIp, parsePrefix } from '../../src/address/index.ts';
import type { Timer } from '../../src/clock.ts';
import type { AddressEntry } from '../../src/layer2/address-entry.ts';
import type { Claim } from '../../src/layer2/ownership/claim.ts';
import { ClaimStore } from '../../src/layer2/ownership/claim-store.ts';
import { Eligibility } from '../../src/layer2/ownership/eligibility.ts';
import type { OwnershipView } from '../../src/layer2/ownership/event.ts';
import type { NodeFacts } from '../../src/layer2/ownership/node-facts.ts';
import { Ownership } from '../../src/layer2/ownership/ownership.ts';
import { Quorum } from '../../src/layer2/ownership/quorum.ts';
import { Readiness } from '../../src/layer2/ownership/readiness.ts';
import { OwnershipRunner } from '../../src/layer2/ownership-runner.ts';
import { seededRandom } from './membership-net.ts';
import { VirtualClock } from './virtual-clock.ts';

const subnet = parsePrefix('192.0.2.0/24');

/** Facts of a node with one link, which carries 192.0.2.0/24 unless `subnets` says otherwise. */
export function nodeFacts({
  subnets: texts,
  ...over
}: Partial<NodeFacts> & { readonly subnets?: readonly string[] } = {}): NodeFacts {
  const subnets = texts?.flatMap((text) => parsePrefix(text) ?? []) ?? (subnet ? [subnet] : []);
  return {
    isLeaving: false,
    isStarting: false,
    links: [{ name: 'eth0', mac: '02:00:00:00:00:01', subnets }],
    ...over,
  };
}

/** An entry with these candidates. Any link whose subnet contains the address may answer for it. The address forms a group of its own. */
export function addressEntry(
  address: string,
  candidates: readonly string[],
  over: Partial<AddressEntry> = {},
): AddressEntry {
  return {
    address,
    candidates: [...candidates].sort(),
    interfaces: [],
    group: address,
    observedVersion: 0,
    ...over,
  };
}

/** A claim with epoch 1 and `observedVersion` 0. The address had no earlier owner. */
export function firstClaim(address: string, owner: string): Claim {
  return { address, owner, epoch: 1, from: '', observedVersion: 0, inConflict: false };
}

/** The state of another node as one member sees it. */
type SeenState = 'unknown' | 'alive' | 'suspect' | 'dead' | 'left';

/** One node: the product's machines, and what the node has learned so far. */
class Member {
  readonly name: string;
  readonly claims = new ClaimStore();
  readonly ownership: Ownership;
  readonly runner: OwnershipRunner;
  readonly quorum = new Quorum();
  readonly readiness: Readiness;
  readonly answering = new Set<string>();
  readonly entries = new Map<string, AddressEntry>();
  /** State of each other node as this node sees it. */
  readonly seen = new Map<string, SeenState>();
  /** The state in which this node will soon see each of the other nodes. A newer change of a state cancels one that is still pending. */
  readonly expected = new Map<string, SeenState>();
  view: OwnershipView = { nodes: new Map(), claiming: 'refused' };
  hasEntries = false;
  isSynced = false;
  /** Number of received batches of claims that still await a decision. */
  undecided = 0;
  timer: Timer | undefined;

  constructor(name: string, clock: VirtualClock, publish: (claims: readonly Claim[]) => void) {
    this.name = name;
    this.ownership = new Ownership(name, this.claims);
    this.readiness = new Readiness(clock.now());
    this.runner = new OwnershipRunner({
      clock,
      ownership: this.ownership,
      recorder: { *record() {} },
      answers: {
        answer: ({ address }) => void this.answering.add(formatIp(address)),
        adjust: () => {},
        silence: ({ address }) => void this.answering.delete(formatIp(address)),
      },
      publish,
      drainCaptures: () => {},
      onAnswer: () => {},
    });
  }

  stop(): void {
    this.runner.stop();
    this.timer?.cancel();
  }
}

export interface ClusterOptions {
  readonly names: readonly string[];
  readonly seed: number;
  /** Upper limit of the delay of each claim, fact and entry; each receiver has a delay of its own. */
  readonly maxDelayMs: number;
  /**
   * Upper limit of a random time. A node declares another one dead when `maxDelayMs` and this random time have passed since the suspicion. Each
   * pair of nodes has a random time of its own. With 0, a node learns of a death without a suspicion, as if another member had reported it. In a
   * partition, the limit is 1 s, whatever this option says.
   */
  readonly maxSuspicionMs?: number;
}

const partitionSuspicionMs = 1000;

/**
 * A cluster of ownership machines in virtual time, with the product's quorum, readiness and runner. The truth (which nodes run,
 * which hear each other, which entries exist) changes at once, and each node learns of it after a delay of its own. Claims get
 * lost only across a partition and when the receiver is down. As in the membership, a node that comes up receives the claims of the
 * nodes that it reaches, and nodes exchange their claims when a partition heals.
 */
export class Layer2Cluster {
  readonly clock = new VirtualClock();
  readonly names: readonly string[];
  readonly entries = new Map<string, AddressEntry>();
  readonly facts = new Map<string, NodeFacts>();
  readonly members = new Map<string, Member>();
  /** Nodes without access to the API server: they learn of no entries. */
  readonly stale = new Set<string>();
  /** Nodes that announced their departure. */
  readonly left = new Set<string>();
  /** Called after each event of a node. */
  check: () => void = () => {};
  readonly #random: () => number;
  readonly #maxDelayMs: number;
  readonly #maxSuspicionMs: number;
  readonly #side = new Map<string, number>();
  /** Nodes that make no decisions yet. */
  readonly #starting = new Set<string>();
  readonly #startingFacts = new WeakMap<NodeFacts, NodeFacts>();
  #version = 0;

  constructor({ names, seed, maxDelayMs, maxSuspicionMs = 0 }: ClusterOptions) {
    this.names = names;
    this.#random = seededRandom(seed);
    this.#maxDelayMs = maxDelayMs;
    this.#maxSuspicionMs = maxSuspicionMs;
    for (const name of names) this.facts.set(name, nodeFacts());
  }

  /** Starts a node. With `held`, the node has run before and holds these claims. */
  up(name: string, held?: readonly Claim[]): void {
    if (this.members.has(name)) return;
    const member = new Member(name, this.clock, (claims) => this.#publish(member, claims));
    this.members.set(name, member);
    this.left.delete(name);
    this.stale.delete(name);
    if (!held) this.#starting.add(name);
    for (const claim of held ?? []) member.claims.merge(claim);
    this.#soon(() => {
      if (this.members.get(name) !== member) return;
      for (const other of this.#reached(name)) {
        this.#merge(member, [...other.claims.all()]);
        member.isSynced = true;
        other.isSynced = true;
      }
      this.#showAllEntries(member);
      member.hasEntries = true;
      this.#showView(member);
    });
    this.#membersChanged();
    this.#factsChanged();
  }

  down(name: string, how: 'crash' | 'leave'): void {
    const member = this.members.get(name);
    if (!member) return;
    member.stop();
    this.members.delete(name);
    if (how === 'leave') this.left.add(name);
    this.#membersChanged();
  }

  setFacts(name: string, facts: NodeFacts): void {
    this.facts.set(name, facts);
    this.#factsChanged();
  }

  /** Adds the entries in `upsert`, or replaces those with the same address. Removes the entries of the addresses in `remove`. */
  change(upsert: readonly AddressEntry[], remove: readonly string[] = []): void {
    const observedVersion = ++this.#version;
    for (const entry of upsert) this.entries.set(entry.address, { ...entry, observedVersion });
    for (const address of remove) this.entries.delete(address);
    const addresses = [...upsert.map(({ address }) => address), ...remove];
    this.#each((member) => {
      if (this.stale.has(member.name)) return;
      const current = addresses.flatMap((address) => this.entries.get(address) ?? []);
      const gone = addresses.filter((address) => !this.entries.has(address));
      for (const entry of current) member.entries.set(entry.address, entry);
      for (const address of gone) member.entries.delete(address);
      const removals = gone.map((address) => ({ address, observedVersion }));
      member.runner.send({ kind: 'change', upsert: current, remove: removals });
    });
  }

  /** With `isStale`, the node receives no entries. Otherwise it learns all entries that it has missed. */
  setStale(name: string, isStale: boolean): void {
    if (isStale) this.stale.add(name);
    else if (this.stale.delete(name))
      this.#each((member) => {
        if (member.name === name && !this.stale.has(name)) this.#showAllEntries(member);
      });
  }

  /** Separates these nodes from the others. Each side hears only itself. */
  part(names: readonly string[]): void {
    for (const name of this.names) this.#side.set(name, names.includes(name) ? 1 : 0);
    this.#membersChanged();
    for (const [name, { claims }] of this.members) this.#tell(name, [...claims.all()]);
  }

  heal(): void {
    if (this.isParted) this.part([]);
  }

  get isParted(): boolean {
    return new Set(this.names.map((name) => this.#side.get(name) ?? 0)).size > 1;
  }

  run(ms: number): void {
    this.clock.advance(ms);
  }

  answering(address: string): string[] {
    return [...this.members].filter(([, { answering }]) => answering.has(address)).map(([name]) => name);
  }

  owner(address: string): string | undefined {
    const [member] = this.members.values();
    return member?.claims.get(address)?.owner;
  }

  load(name: string): number {
    return this.members.get(name)?.answering.size ?? 0;
  }

  eligible(address: string): readonly string[] {
    const entry = this.entries.get(address);
    const parsed = parseIp(address);
    if (!entry || !parsed) return [];
    return new Eligibility(this.#factsOf(this.members.keys())).eligible(parsed, entry);
  }

  /** The eligible nodes that the entry prefers most. */
  preferred(address: string): readonly string[] {
    const entry = this.entries.get(address);
    const nodes = this.eligible(address);
    return entry ? new Eligibility(new Map()).preferred(nodes, entry) : nodes;
  }

  /** Lets each member find out which nodes are reachable now. */
  #membersChanged(): void {
    for (const member of this.members.values())
      for (const other of this.names) if (other !== member.name) this.#expect(member, other);
  }

  #expect(member: Member, other: string): void {
    const isReachable = this.members.has(other) && this.#hears(member.name, other);
    const state = isReachable ? 'alive' : this.left.has(other) ? 'left' : 'dead';
    if (member.expected.get(other) === state) return;
    member.expected.set(other, state);
    const become = (seen: SeenState) => {
      if (this.members.get(member.name) !== member || member.expected.get(other) !== state) return false;
      member.seen.set(other, seen);
      this.#showView(member);
      return true;
    };
    const suspicionMs = this.isParted ? partitionSuspicionMs : this.#maxSuspicionMs;
    if (state !== 'dead' || suspicionMs === 0 || (member.seen.get(other) ?? 'unknown') === 'unknown') {
      this.#soon(() => become(state));
      return;
    }
    // Every suspicion begins before the first death: one round of probes raises all suspicions, and a death takes longer.
    this.#soon(() => {
      if (become('suspect'))
        this.clock.after(this.#maxDelayMs + this.#random() * suspicionMs, () => become('dead'));
    });
  }

  #factsChanged(): void {
    this.#each((member) => this.#showView(member));
  }

  #showAllEntries(member: Member): void {
    member.entries.clear();
    for (const entry of this.entries.values()) member.entries.set(entry.address, entry);
    member.runner.send({ kind: 'table', entries: [...this.entries.values()] });
  }

  #showView(member: Member): void {
    const { name, seen, quorum } = member;
    const inState = (...states: readonly SeenState[]) =>
      [...seen].filter(([, state]) => states.includes(state)).map(([other]) => other);
    const live = inState('alive', 'suspect');
    const claiming = quorum.judge(
      {
        live: new Set(live),
        suspected: new Set(inState('suspect')),
        missing: inState('dead').length,
        isStarted: member.ownership.isStarted,
      },
      this.clock.now(),
    );
    member.view = { nodes: this.#factsOf(live).set(name, this.facts.get(name) ?? nodeFacts()), claiming };
    member.runner.send({ kind: 'view', view: member.view });
    const absent = this.names.length - 1 - live.length - inState('left').length;
    this.#tryToStart(member, live.length, absent > 0);
    member.timer?.cancel();
    const atMs = Math.min(
      quorum.wakeAtMs(),
      member.ownership.isStarted ? Number.POSITIVE_INFINITY : member.readiness.wakeAtMs(this.clock.now()),
    );
    if (atMs < Number.POSITIVE_INFINITY)
      member.timer = this.clock.after(atMs - this.clock.now(), () => this.#showView(member));
    this.check();
  }

  #tryToStart(member: Member, liveMembers: number, isAnyUnreachable: boolean): void {
    const { ownership, readiness, hasEntries, isSynced } = member;
    if (ownership.isStarted) return;
    const membership = { isSynced, liveMembers, isAnyUnreachable, isAlone: false };
    if (!readiness.isReady({ hasEntries, membership }, this.clock.now())) return;
    member.runner.send({ kind: 'started' });
    this.#starting.delete(member.name);
    this.#factsChanged();
  }

  #factsOf(names: Iterable<string>): Map<string, NodeFacts> {
    return new Map([...names].map((name) => [name, this.#currentFacts(name)]));
  }

  /** Returns the same object while the facts of the node stay the same, so that views can be compared by identity. */
  #currentFacts(name: string): NodeFacts {
    const facts = this.facts.get(name) ?? nodeFacts();
    if (!this.#starting.has(name)) return facts;
    const starting = this.#startingFacts.get(facts) ?? { ...facts, isStarting: true };
    this.#startingFacts.set(facts, starting);
    return starting;
  }

  #hears(name: string, other: string): boolean {
    return (this.#side.get(name) ?? 0) === (this.#side.get(other) ?? 0);
  }

  #reached(name: string): Member[] {
    return [...this.members.values()].filter((other) => other.name !== name && this.#hears(name, other.name));
  }

  #publish(member: Member, claims: readonly Claim[]): void {
    const newer = claims.filter((claim) => member.claims.merge(claim) === 'newer');
    if (newer.length > 0) this.#tell(member.name, newer);
  }

  #tell(from: string, claims: readonly Claim[]): void {
    this.#each((member) => {
      if (member.name === from || !this.#hears(from, member.name)) return;
      member.isSynced = true;
      const newer = this.#merge(member, claims);
      if (newer.length === 0) return;
      member.runner.send({ kind: 'claims-received', addresses: newer });
      // Received claims are coalesced before the next decision.
      member.undecided++;
      this.#soon(() => {
        member.undecided--;
        if (this.members.get(member.name) === member) member.runner.send({ kind: 'tick' });
        this.check();
      });
    });
  }

  #merge(member: Member, claims: readonly Claim[]): string[] {
    return claims.filter((claim) => member.claims.merge(claim) === 'newer').map(({ address }) => address);
  }

  /** Calls `happen` for each member after a random delay of its own, if the member still runs by then. */
  #each(happen: (member: Member) => void): void {
    for (const member of this.members.values())
      this.#soon(() => {
        if (this.members.get(member.name) !== member) return;
        happen(member);
        this.check();
      });
  }

  #soon(happen: () => void): void {
    this.clock.after(Math.floor(this.#random() * (this.#maxDelayMs + 1)), happen);
  }
}
