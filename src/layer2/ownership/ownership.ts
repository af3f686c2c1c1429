/**
 * Ownership: which addresses this node answers for. A machine: entries from Kubernetes, live nodes and claims from the
 * membership, and the time in; orders to answer, to fall silent and to claim out.
 *
 * An address belongs to who claims it, as long as that node lives and is eligible; a node that comes back finds its addresses with
 * others and leaves them there. When nobody has claimed it yet, the owner recorded on the Service counts as claimant.
 *
 *     claimant lives, is eligible   it is the owner
 *     by a newer picture only       it is the owner all the same (below)
 *     claimant lives, is not        handover: the next owner answers and announces, then claims; the old one sees the claim and
 *                                   falls silent; without a next owner it falls silent at once
 *     claimant is gone, or has      orphan: whom the placement names answers at once, and claims
 *     started anew and is not ready
 *     never claimed                 the placed node claims first, and answers once a probe has shown that the address is free;
 *                                   so does who follows an owner that another host kept from answering
 *
 * Nodes hear of the cluster at different times, one that cannot reach the API server not at all. A claim says how new the picture
 * was that it was made by, and who has an older one respects it, whatever that one says: so what the newest says wins, and no two
 * take an address from each other without end. So it is with the release of an address that no Service uses any more: who still
 * knows one leaves it alone, until it has heard of a newer one. A claimant that ought to go, and is not followed for a second, drops its observedVersion:
 * then anybody may.
 *
 * All members place alike (`election.ts`), so none waits for another. Where the placed node does not act, because it has not
 * heard of the entry, the others place again without it after a second.
 *
 * A minority of the members that were seen answers for what it must, but claims nothing: when a partition ends, what the
 * majority did holds. Half of them counts as majority, for the sake of clusters of two. Where nobody claims, silence says nothing:
 * nobody is passed over, and an old owner falls silent at once.
 *
 * With many addresses a decision takes longer than neighbours should wait: it calls `breathe` as it goes, in which they are answered by
 * what was decided before, and nothing comes in here.
 *
 * It refuses to decide before `start()`: a node that has just come knows neither claims nor members.
 */
import type { IpAddress } from '../../address/index.ts';
import type { AddressEntry, AddressRemoval } from '../address-entry.ts';
import { type Claim, isReleasedByOwner } from './claim.ts';
import type { ClaimStore } from './claim-store.ts';
import { type Orphan, placeOrphans } from './election.ts';
import { Eligibility } from './eligibility.ts';
import { EntryTable, type Row } from './entry-table.ts';
import type { NodeFacts } from './node-facts.ts';

/** Live nodes as the membership sees them, this one included. */
export interface View {
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  /** False in a minority. */
  readonly mayClaim: boolean;
}

export type TakeoverReason = 'first' | 'recorded' | 'failover' | 'handover';

export type Order =
  | {
      readonly kind: 'answer';
      readonly entry: AddressEntry;
      readonly address: IpAddress;
      readonly reason: TakeoverReason;
      /** The owner before. */
      readonly from: string;
      /** Another host may have the address: it must be probed for before it is answered. */
      readonly mustProbe: boolean;
    }
  /** Interfaces of an address that is answered have changed. */
  | { readonly kind: 'adjust'; readonly entry: AddressEntry; readonly address: IpAddress }
  | { readonly kind: 'silence'; readonly address: IpAddress; readonly reason: string }
  /** After the answers, so that the old owner hears of it when neighbours have. */
  | { readonly kind: 'claim'; readonly claims: readonly Claim[] };

/** A first placement waits until none has come for so long, so that all nodes place the same set; but no longer than that. */
const settleMs = 100;
const longestSettleMs = 1000;
/** A placed node that has not claimed by then is passed over. */
const patienceMs = 1000;
/** Members hear of one loss within this time; what is taken of the same owner later belongs to another. */
const lossMs = 2000;

interface Item extends Row {
  isAnswering: boolean;
  pending?: Pending;
}

/** Of an address without an owner that could stay. */
interface Pending {
  readonly since: number;
  readonly passedOver: Set<string>;
  /** Whose claim is expected. */
  awaited?: string | undefined;
  wakeAt: number;
}

export class Ownership {
  readonly #self: string;
  readonly #claims: ClaimStore;
  readonly #breathe: () => void;
  readonly #items: EntryTable<Item>;
  readonly #pending = new Set<string>();
  /** Claims on them are new. */
  readonly #heard = new Set<string>();
  /** When addresses were claimed of late. */
  readonly #taken = new Map<string, number>();
  #eligibility = new Eligibility(new Map());
  #mayClaim = false;
  #isStarted = false;

  constructor(self: string, claims: ClaimStore, breathe: () => void = () => {}) {
    this.#self = self;
    this.#claims = claims;
    this.#breathe = breathe;
    this.#items = new EntryTable(self, (entry, address) => ({ entry, address, isAnswering: false }));
  }

  /** Members and claims are known: decisions may be made. */
  start(now: number): Order[] {
    this.#isStarted = true;
    const owned = this.#claims.addressesOf(this.#self);
    return this.#decide(new Set([...this.#items.texts(), ...owned]), now);
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** The whole table; replaces what was before. */
  table(entries: readonly AddressEntry[], now: number): Order[] {
    const kept = new Set(entries.map(({ address }) => address));
    const gone = [...this.#items.texts()].filter((address) => !kept.has(address));
    // How new the whole table is it does not say: nobody need respect what it lacks.
    return this.change(
      entries,
      gone.map((address) => ({ address, observedVersion: 0 })),
      now,
    );
  }

  change(upsert: readonly AddressEntry[], remove: readonly AddressRemoval[], now: number): Order[] {
    const orders: Order[] = [];
    const released: Claim[] = [];
    for (const { address: text, observedVersion } of remove) {
      this.#breathe();
      const item = this.#items.remove(text);
      if (!item) continue;
      this.#pending.delete(text);
      if (item.isAnswering) orders.push(silence(item, 'no Service uses it any more'));
      released.push(...this.#release(text, observedVersion));
    }
    for (const entry of upsert) {
      this.#breathe();
      const put = this.#items.put(entry);
      if (put?.hasMoved && put.row.isAnswering)
        orders.push({ kind: 'adjust', entry: put.row.entry, address: put.row.address });
    }
    if (released.length > 0) orders.push({ kind: 'claim', claims: released });
    return [
      ...orders,
      ...this.#decide(
        upsert.map(({ address }) => address),
        now,
      ),
    ];
  }

  setView(view: View, now: number): Order[] {
    this.#eligibility = new Eligibility(view.nodes);
    if (view.mayClaim !== this.#mayClaim) this.#forgetSilence();
    this.#mayClaim = view.mayClaim;
    return this.#decide(this.#items.texts(), now);
  }

  /** Claims of others have come: they count in the next decision, whatever is decided. */
  hear(addresses: Iterable<string>, now: number): void {
    for (const text of addresses) {
      if (this.#isStarted) this.#taken.set(text, now);
      this.#heard.add(text);
    }
  }

  /** Claims of others have come, or orders of this node to claim have been carried out. */
  claimsChanged(addresses: Iterable<string>, now: number): Order[] {
    this.hear(addresses, now);
    return this.#decide([], now);
  }

  /** Call it at `wakeAt()`. */
  wake(now: number): Order[] {
    return this.#decide([], now);
  }

  wakeAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const text of this.#pending) at = Math.min(at, this.#items.get(text)?.pending?.wakeAt ?? at);
    return at;
  }

  /** Another host uses an address of this node, so that it is owned and not answered; or does so no longer. */
  setInConflict(address: string, inConflict: boolean): Order[] {
    const claim = this.#claims.get(address);
    if (claim?.owner !== this.#self || claim.inConflict === inConflict || !this.#mayClaim) return [];
    return [{ kind: 'claim', claims: [{ ...claim, epoch: claim.epoch + 1, inConflict }] }];
  }

  /** Addresses that this node answers for, or would if no other host used them. */
  answered(): string[] {
    return [...this.#items.rows()].filter(([, { isAnswering }]) => isAnswering).map(([text]) => text);
  }

  /** The entries as they stand, whoever owns their addresses. */
  get entries(): Pick<EntryTable<Row>, 'addresses' | 'namedInterfaces' | 'carriesAny'> {
    return this.#items;
  }

  entry(address: string): AddressEntry | undefined {
    return this.#items.get(address)?.entry;
  }

  isAnswering(address: string): boolean {
    return this.#items.get(address)?.isAnswering ?? false;
  }

  #decide(addresses: Iterable<string>, now: number): Order[] {
    if (!this.#isStarted) return [];
    const orders: Order[] = [];
    const claims: Claim[] = [];
    // What is placed below is placed among what all others hold by now.
    const all = new Set([...this.#heard, ...addresses]);
    this.#heard.clear();
    for (const text of all) {
      this.#breathe();
      const item = this.#items.get(text);
      if (item) this.#judge(text, item, now, orders);
      else claims.push(...this.#release(text));
    }
    if (this.#pending.size > 0) this.#place(now, orders, claims);
    if (claims.length > 0) orders.push({ kind: 'claim', claims });
    return orders;
  }

  #judge(text: string, item: Item, now: number, orders: Order[]): void {
    const claim = this.#claims.get(text);
    if (this.#isGone(text, item)) {
      this.#settle(text, item);
      if (!item.isAnswering) return;
      item.isAnswering = false;
      orders.push(silence(item, 'no Service uses it any more'));
      return;
    }
    if (!claim || !this.#mayKeep(claim, item)) {
      item.pending ??= { since: now, passedOver: new Set(), wakeAt: Number.POSITIVE_INFINITY };
      this.#pending.add(text);
      return;
    }
    this.#settle(text, item);
    const { owner } = claim;
    if (owner === this.#self) {
      if (!item.isAnswering) orders.push(answer(item, 'failover', owner, claim.inConflict));
    } else if (item.isAnswering) {
      item.isAnswering = false;
      orders.push(silence(item, `${owner} owns it`));
    }
  }

  /** By a newer picture than this node's. */
  #isGone(text: string, { entry }: Item): boolean {
    const newest = this.#claims.newest(text);
    return newest?.owner === '' && newest.observedVersion > entry.observedVersion;
  }

  #mayKeep({ owner, observedVersion }: Claim, { entry, address }: Item): boolean {
    if (owner !== this.#self && !this.#eligibility.isReady(owner)) return false;
    if (this.#eligibility.isEligible(owner, address, entry)) return true;
    const knowsBetter =
      owner !== this.#self && observedVersion > 0 && observedVersion >= entry.observedVersion;
    return knowsBetter && this.#eligibility.couldAnswer(owner, address, entry);
  }

  #settle(text: string, item: Item): void {
    delete item.pending;
    this.#pending.delete(text);
  }

  /** Places everything that has no owner to stay, and takes what falls to this node. */
  #place(now: number, orders: Order[], claims: Claim[]): void {
    const orphans = this.#orphans(now, claims);
    const taken = new Set<string>();
    const takenOf = new Map<string, number>();
    for (const { address, takenBy } of orphans) {
      if (takenBy === undefined) continue;
      taken.add(address);
      takenOf.set(takenBy, (takenOf.get(takenBy) ?? 0) + 1);
    }
    const placed = placeOrphans(orphans, {
      load: (node) => this.#claims.load(node) - (takenOf.get(node) ?? 0),
      ownersOf: (group) => this.#ownersOf(group, taken),
      breathe: this.#breathe,
    });
    for (const { address: text, takenBy } of orphans) {
      this.#breathe();
      const item = this.#items.get(text);
      if (!item?.pending || takenBy !== undefined) continue;
      const next = placed.get(text);
      this.#await(item.pending, next, now);
      if (next === this.#self) this.#take(text, item, now, orders, claims);
      else if (item.isAnswering && next === undefined) {
        // Nobody could take it over, this node neither: to answer would be to lie.
        item.isAnswering = false;
        orders.push(silence(item, 'no node is eligible'));
        claims.push(...this.#release(text));
      } else if (item.isAnswering && (this.#claims.get(text)?.owner !== this.#self || !this.#mayClaim)) {
        item.isAnswering = false;
        orders.push(silence(item, `${next} answers`));
      }
    }
  }

  #await(pending: Pending, next: string | undefined, now: number): void {
    if (next === undefined || next === this.#self || !this.#mayClaim)
      pending.wakeAt = Number.POSITIVE_INFINITY;
    else if (next !== pending.awaited) pending.wakeAt = now + patienceMs;
    pending.awaited = next;
  }

  /** What was awaited under another rule. */
  #forgetSilence(): void {
    for (const text of this.#pending) {
      const pending = this.#items.get(text)?.pending;
      pending?.passedOver.clear();
      if (pending) pending.awaited = undefined;
    }
  }

  #take(text: string, item: Item, now: number, orders: Order[], claims: Claim[]): void {
    const claim = this.#claims.get(text);
    const before = claim?.owner ?? item.entry.recordedOwner ?? '';
    const reason = this.#reason(before);
    const mustProbe = reason === 'first' || this.#isUnproven(claim, reason, now);
    if (!item.isAnswering) orders.push(answer(item, reason, before, mustProbe));
    if (!this.#mayClaim) return;
    claims.push({
      address: text,
      owner: this.#self,
      epoch: (this.#claims.newest(text)?.epoch ?? 0) + 1,
      from: before,
      observedVersion: item.entry.observedVersion,
      inConflict: claim?.inConflict ?? false,
    });
    this.#settle(text, item);
  }

  #reason(before: string): TakeoverReason {
    if (before === '') return 'first';
    if (before === this.#self) return 'recorded';
    return this.#eligibility.isReady(before) ? 'handover' : 'failover';
  }

  /**
   * The owner has found another host at the address, or has gone before it knew; or nobody who lives remembers it, and the record may
   * be as old as it likes. An owner that lives would object to the probe itself.
   */
  #isUnproven(claim: Claim | undefined, reason: TakeoverReason, now: number): boolean {
    if (claim?.inConflict) return true;
    if (reason !== 'failover') return false;
    return !claim || (claim.from === '' && now - (this.#taken.get(claim.address) ?? -lossMs) < lossMs);
  }

  /** What is to be placed now, with what others have already taken of the same owners. */
  #orphans(now: number, claims: Claim[]): Orphan[] {
    const orphans: Orphan[] = [];
    const losers = new Set<string>();
    const firstAt = this.#firstPlacementAt();
    for (const text of this.#pending) {
      this.#breathe();
      const item = this.#items.get(text);
      if (!item?.pending) continue;
      const { entry, address, pending } = item;
      const claim = this.#claims.get(text);
      const owner = claim?.owner;
      if (now < firstAt && isFirst(item, claim)) {
        pending.wakeAt = firstAt;
        pending.awaited = undefined;
        continue;
      }
      if (now >= pending.wakeAt && pending.awaited !== undefined) {
        pending.passedOver.add(pending.awaited);
        pending.awaited = undefined;
        if (claim && owner === this.#self && claim.observedVersion > 0)
          claims.push({ ...claim, epoch: claim.epoch + 1, from: this.#self, observedVersion: 0 });
      }
      if (owner !== undefined) losers.add(owner);
      orphans.push({
        address: text,
        group: entry.group,
        eligible: this.#successors(address, entry, pending, owner),
      });
    }
    return [...orphans, ...this.#takenOf(losers, now)];
  }

  /** When those that nobody has owned are placed, all together. */
  #firstPlacementAt(): number {
    let oldest = Number.POSITIVE_INFINITY;
    let newest = Number.NEGATIVE_INFINITY;
    for (const text of this.#pending) {
      const item = this.#items.get(text);
      if (!item?.pending || !isFirst(item, this.#claims.get(text))) continue;
      oldest = Math.min(oldest, item.pending.since);
      newest = Math.max(newest, item.pending.since);
    }
    return Math.min(newest + settleMs, oldest + longestSettleMs);
  }

  /** Who could be next: the recorded owner when nobody has claimed it yet, else all that have not been passed over. */
  #successors(
    address: IpAddress,
    entry: AddressEntry,
    { passedOver }: Pending,
    owner: string | undefined,
  ): readonly string[] {
    const all = this.#eligibility.eligible(address, entry);
    const { recordedOwner } = entry;
    // What was never claimed can wait until all that come together are there; what has lost its owner cannot.
    const eligible =
      owner === undefined
        ? all
        : all.filter((node) => node === this.#self || this.#eligibility.isReady(node));
    const isRecordedNext =
      owner === undefined && recordedOwner !== undefined && eligible.includes(recordedOwner);
    if (isRecordedNext && !passedOver.has(recordedOwner)) return [recordedOwner];
    if (passedOver.size === 0) return eligible;
    const patient = eligible.filter((node) => !passedOver.has(node));
    return patient.length > 0 ? patient : eligible;
  }

  #takenOf(losers: ReadonlySet<string>, now: number): Orphan[] {
    const orphans: Orphan[] = [];
    for (const [address, at] of this.#taken) {
      const claim = this.#claims.get(address);
      if (!claim || now - at > lossMs) this.#taken.delete(address);
      else if (this.#mayClaim && losers.has(claim.from) && !this.#pending.has(address))
        orphans.push({
          address,
          group: this.#items.get(address)?.entry.group ?? address,
          eligible: [],
          takenBy: claim.owner,
        });
    }
    return orphans;
  }

  *#ownersOf(group: string, except: ReadonlySet<string>): Iterable<string> {
    for (const text of this.#items.group(group)) {
      const claim = this.#claims.get(text);
      if (claim && !this.#pending.has(text) && !except.has(text)) yield claim.owner;
    }
  }

  /** Takes back a claim of ours; with the observedVersion by which nobody need claim it any more. */
  #release(address: string, observedVersion = 0): Claim[] {
    const claim = this.#claims.get(address);
    if (claim?.owner !== this.#self) return [];
    return [
      {
        ...claim,
        owner: '',
        // Who takes over meanwhile has heard of neither, or of the waiver: either way it must win.
        epoch: isReleasedByOwner(claim) ? claim.epoch : claim.epoch + 1,
        from: this.#self,
        observedVersion: observedVersion,
        inConflict: false,
      },
    ];
  }
}

function isFirst({ entry, isAnswering }: Item, claim: Claim | undefined): boolean {
  return claim === undefined && entry.recordedOwner === undefined && !isAnswering;
}

function answer(item: Item, reason: TakeoverReason, from: string, mustProbe: boolean): Order {
  item.isAnswering = true;
  return { kind: 'answer', entry: item.entry, address: item.address, reason, from, mustProbe };
}

function silence(item: Item, reason: string): Order {
  return { kind: 'silence', address: item.address, reason };
}
