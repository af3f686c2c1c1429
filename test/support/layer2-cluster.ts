import { formatIp, parseIp, parsePrefix } from '../../src/address/index.ts';
import type { AddressEntry } from '../../src/layer2/address-entry.ts';
import type { Claim } from '../../src/layer2/ownership/claim.ts';
import { ClaimStore } from '../../src/layer2/ownership/claim-store.ts';
import { Eligibility } from '../../src/layer2/ownership/eligibility.ts';
import type { NodeFacts } from '../../src/layer2/ownership/node-facts.ts';
import { type Order, Ownership, type View } from '../../src/layer2/ownership/ownership.ts';
import { seededRandom } from './membership-net.ts';
import { VirtualClock } from './virtual-clock.ts';

const subnet = parsePrefix('192.0.2.0/24');

/** Facts of a node with one link, which carries 192.0.2.0/24 unless `subnets` says otherwise. */
export function nodeFacts(
  over: Partial<NodeFacts> & { readonly subnets?: readonly string[] } = {},
): NodeFacts {
  const subnets = over.subnets?.flatMap((text) => parsePrefix(text) ?? []) ?? (subnet ? [subnet] : []);
  return {
    isLeaving: over.isLeaving ?? false,
    isStarting: over.isStarting ?? false,
    links: over.links ?? [{ name: 'eth0', mac: '02:00:00:00:00:01', subnets }],
  };
}

/** An entry for every candidate with the subnet, in a group of its own. */
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

/** A claim of the first epoch that nobody need respect. */
export function firstClaim(address: string, owner: string): Claim {
  return { address, owner, epoch: 1, from: '', observedVersion: 0, inConflict: false };
}

/** One node: the machine, its claims, and what has been shown to it. */
class Member {
  readonly claims = new ClaimStore();
  readonly ownership: Ownership;
  readonly answering = new Set<string>();
  readonly entries = new Map<string, AddressEntry>();
  view: View = { nodes: new Map(), mayClaim: false };
  wake: { cancel(): void } | undefined;
  /** Batches of claims that were heard, and not considered yet. */
  unconsidered = 0;

  constructor(name: string) {
    this.ownership = new Ownership(name, this.claims);
  }
}

export interface ClusterOptions {
  readonly names: readonly string[];
  readonly seed: number;
  /** Claims, views and entries take up to so long, each one its own time. */
  readonly maxDelayMs: number;
}

/**
 * Ownership machines in virtual time. What is true (who runs, who hears whom, which entries there are) changes at once; each
 * node hears of it after a time of its own. Claims get lost only between the sides of a partition and when the receiver is
 * down; stores are compared when a node comes and when a partition ends, as the membership does.
 */
export class Layer2Cluster {
  readonly clock = new VirtualClock();
  readonly names: readonly string[];
  readonly entries = new Map<string, AddressEntry>();
  readonly facts = new Map<string, NodeFacts>();
  readonly members = new Map<string, Member>();
  /** Cannot reach the API server: they hear of no entries. */
  readonly stale = new Set<string>();
  /** Went with a goodbye: no majority counts them. */
  readonly left = new Set<string>();
  /** Looked at after everything that happens to a node. */
  check: () => void = () => {};
  readonly #random: () => number;
  readonly #maxDelayMs: number;
  readonly #side = new Map<string, number>();
  /** Have come, and do not decide yet. */
  readonly #starting = new Set<string>();
  readonly #startingFacts = new WeakMap<NodeFacts, NodeFacts>();
  #version = 0;
  /** When the node may claim again after it was in a minority. */
  readonly #healsAt = new Map<string, number>();

  constructor({ names, seed, maxDelayMs }: ClusterOptions) {
    this.names = names;
    this.#random = seededRandom(seed);
    this.#maxDelayMs = maxDelayMs;
    for (const name of names) this.facts.set(name, nodeFacts());
  }

  /** Brings a node up; it decides once it has a table, a view and what others hold. With claims it has run before. */
  up(name: string, held?: readonly Claim[]): void {
    if (this.members.has(name)) return;
    const member = new Member(name);
    this.members.set(name, member);
    this.left.delete(name);
    this.stale.delete(name);
    if (!held) this.#starting.add(name);
    this.#healsAt.delete(name);
    for (const claim of held ?? []) member.claims.merge(claim);
    this.#shortly(() => {
      if (this.members.get(name) !== member) return;
      for (const other of this.#reached(name)) this.#hold(member, [...other.claims.all()]);
      for (const entry of this.entries.values()) member.entries.set(entry.address, entry);
      this.#obey(name, member, member.ownership.table([...this.entries.values()], this.clock.now()));
      this.#showView(name, member);
      this.#obey(name, member, member.ownership.start(this.clock.now()));
      this.#starting.delete(name);
      this.#viewsChanged();
    });
    this.#viewsChanged();
  }

  down(name: string, how: 'crash' | 'leave'): void {
    const member = this.members.get(name);
    if (!member) return;
    member.wake?.cancel();
    this.members.delete(name);
    if (how === 'leave') this.left.add(name);
    this.#viewsChanged();
  }

  setFacts(name: string, facts: NodeFacts): void {
    this.facts.set(name, facts);
    this.#viewsChanged();
  }

  /** Puts the entries in the place of those of the same address, or takes them away. */
  change(upsert: readonly AddressEntry[], remove: readonly string[] = []): void {
    const observedVersion = ++this.#version;
    for (const entry of upsert) this.entries.set(entry.address, { ...entry, observedVersion });
    for (const address of remove) this.entries.delete(address);
    const addresses = [...upsert.map(({ address }) => address), ...remove];
    this.#each((name, member) => {
      if (this.stale.has(name)) return;
      const current = addresses.flatMap((address) => this.entries.get(address) ?? []);
      const gone = addresses.filter((address) => !this.entries.has(address));
      const removals = gone.map((address) => ({ address, observedVersion }));
      for (const entry of current) member.entries.set(entry.address, entry);
      for (const address of gone) member.entries.delete(address);
      this.#obey(name, member, member.ownership.change(current, removals, this.clock.now()));
    });
  }

  /** The node hears of entries no more, or again, and then of all that it has missed. */
  setStale(name: string, isStale: boolean): void {
    if (isStale) this.stale.add(name);
    else if (this.stale.delete(name))
      this.#each((each, member) => {
        if (each !== name || this.stale.has(name)) return;
        member.entries.clear();
        for (const entry of this.entries.values()) member.entries.set(entry.address, entry);
        this.#obey(name, member, member.ownership.table([...this.entries.values()], this.clock.now()));
      });
  }

  /** These hear only each other, and so do the rest. */
  part(names: readonly string[]): void {
    for (const name of this.names) this.#side.set(name, names.includes(name) ? 1 : 0);
    this.#viewsChanged();
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
    return new Eligibility(this.#liveFacts(this.members.keys())).eligible(parsed, entry);
  }

  /** All that is true and known to nobody yet gets known. */
  #viewsChanged(): void {
    this.#each((name, member) => this.#showView(name, member));
  }

  #showView(name: string, member: Member): void {
    const live = [...this.members.keys()].filter((other) => this.#hears(name, other));
    const dead = this.names.filter((other) => !live.includes(other) && !this.left.has(other));
    const view = {
      nodes: this.#liveFacts(live).set(name, this.facts.get(name) ?? nodeFacts()),
      mayClaim: this.#mayClaim(name, member, live.length >= dead.length),
    };
    member.view = view;
    this.#obey(name, member, member.ownership.setView(view, this.clock.now()));
  }

  #mayClaim(name: string, member: Member, isMajority: boolean): boolean {
    if (!isMajority) {
      this.#healsAt.set(name, Number.POSITIVE_INFINITY);
      return false;
    }
    const healsAt = this.#healsAt.get(name);
    if (healsAt === undefined || healsAt <= this.clock.now()) {
      this.#healsAt.delete(name);
      return true;
    }
    if (healsAt !== Number.POSITIVE_INFINITY) return false;
    this.#healsAt.set(name, this.clock.now() + 2000);
    this.clock.after(2000, () => {
      if (this.members.get(name) === member) this.#showView(name, member);
    });
    return false;
  }

  #liveFacts(names: Iterable<string>): Map<string, NodeFacts> {
    return new Map([...names].map((name) => [name, this.#factsOf(name)]));
  }

  /** The same object for the same facts: by it views are compared. */
  #factsOf(name: string): NodeFacts {
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
    return [...this.members]
      .filter(([other]) => other !== name && this.#hears(name, other))
      .map(([, member]) => member);
  }

  #tell(from: string, claims: readonly Claim[]): void {
    this.#each((name, member) => {
      if (name === from || !this.#hears(from, name)) return;
      const newer = this.#hold(member, claims);
      if (newer.length === 0) return;
      member.ownership.hear(newer, this.clock.now());
      // Claims are gathered before they are considered; whatever is decided meanwhile counts them.
      member.unconsidered++;
      this.#shortly(() => {
        member.unconsidered--;
        if (this.members.get(name) === member)
          this.#obey(name, member, member.ownership.wake(this.clock.now()));
      });
    });
  }

  #hold(member: Member, claims: readonly Claim[]): string[] {
    return claims.filter((claim) => member.claims.merge(claim) === 'newer').map(({ address }) => address);
  }

  #obey(name: string, member: Member, orders: readonly Order[]): void {
    const claimed = new Set<string>();
    for (const order of orders) {
      if (order.kind === 'answer') member.answering.add(formatIp(order.address));
      else if (order.kind === 'silence') member.answering.delete(formatIp(order.address));
      else if (order.kind === 'claim') {
        const newer = order.claims.filter((claim) => member.claims.merge(claim) === 'newer');
        if (newer.length > 0) this.#tell(name, newer);
        for (const { address } of order.claims) claimed.add(address);
      }
    }
    if (claimed.size > 0)
      return this.#obey(name, member, member.ownership.claimsChanged(claimed, this.clock.now()));
    member.wake?.cancel();
    const at = member.ownership.wakeAt();
    if (at <= this.clock.now()) throw new Error(`${name} wants to be woken at once, for ever`);
    if (at !== Number.POSITIVE_INFINITY)
      member.wake = this.clock.after(at - this.clock.now(), () =>
        this.#obey(name, member, member.ownership.wake(this.clock.now())),
      );
    this.check();
  }

  /** Does it to each node after a time of its own, if that still runs. */
  #each(happen: (name: string, member: Member) => void): void {
    for (const [name, member] of this.members)
      this.#shortly(() => {
        if (this.members.get(name) === member) happen(name, member);
      });
  }

  #shortly(happen: () => void): void {
    this.clock.after(Math.floor(this.#random() * (this.#maxDelayMs + 1)), happen);
  }
}
