/**
 * What one peer should hold (RFC 4271 section 3.2, Adj-RIB-Out), what it has been sent, and the difference as a queue.
 *
 *   announce, withdraw ──→ desired ──┐
 *                                    ├─ differs ─→ queue: one bucket per attribute set ─→ next() ─→ UPDATE
 *   session up, ROUTE-REFRESH ─→ sent┘
 *
 * A prefix is in one bucket at most, its newest: a change that has not left yet is replaced and not followed, and a change back
 * to what the peer has leaves the queue. One change costs O(1) whatever the table holds. The buckets are lists linked through
 * typed arrays, so that a route costs a peer 16 octets beside its share of the tables (prefix-table.ts, attribute-table.ts).
 *
 * An attribute set that the session's messages have no room for is refused: its prefixes count as desired, and are at the peer in
 * no version, for an older one would be wrong.
 *
 * End-of-RIB (RFC 4724) follows the first time a family's queue runs empty after `synced`; a refresh (RFC 2918) queues the family
 * again, between Begin and End marks where the peer knows them (RFC 7313), the first of which never precedes End-of-RIB.
 */
import type { Family, Prefix } from '../../address/index.ts';
import type { RouteAttributes } from '../speaker-api.ts';
import { type AttributeTable, noAttributes } from './attribute-table.ts';
import type { PrefixTable } from './prefix-table.ts';

/** The peer holds something for the prefix that must be sent anew: equal to no attribute set, and not to "nothing". */
const stale = 0xffff_ffff;
/** No neighbour in a list. */
const none = 0xffff_ffff;

/** The next thing to send. Prefixes are handed out one by one for as long as they fit into the message. */
export type Outgoing =
  | { readonly kind: 'withdraw'; readonly family: Family; readonly prefixes: PrefixSource }
  | {
      readonly kind: 'announce';
      readonly family: Family;
      /** Number in the AttributeTable. */
      readonly attributes: number;
      readonly prefixes: PrefixSource;
    }
  | { readonly kind: 'end-of-rib' | 'refresh-begin' | 'refresh-end'; readonly family: Family };

/** Prefixes of one bucket. */
export interface PrefixSource {
  /** The number of the next prefix without taking it, `undefined` at the end. */
  peek(): number | undefined;
  /** Takes what `peek` showed: it counts as sent. */
  take(): void;
}

interface Bucket {
  readonly family: Family;
  /** Number of the set to announce, `noAttributes` for withdrawals. */
  readonly attributes: number;
  head: number;
  tail: number;
}

interface FamilyState {
  /** The session carries the family. Only then is anything queued. */
  active: boolean;
  /** The session carries the family, but has no next hop for it at the moment: the peer should hold nothing. */
  isWithheld: boolean;
  queued: number;
  endOfRib: 'wanted' | 'sent';
  refresh: 'no' | 'asked' | 'begun' | 'asked-again';
}

const idleFamily: FamilyState = {
  active: false,
  isWithheld: false,
  queued: 0,
  endOfRib: 'wanted',
  refresh: 'no',
};
const families: readonly Family[] = [4, 6];

export class AdjRibOut {
  readonly #prefixes: PrefixTable;
  readonly #attributes: AttributeTable;
  /** By number of the prefix. A prefix is in a bucket exactly when its family is active and the two differ. */
  #desired = new Uint32Array(64);
  #sent = new Uint32Array(64);
  #next = new Uint32Array(64);
  #previous = new Uint32Array(64);
  /** Keys of buckets whose set was refused in this session. */
  readonly #refused = new Set<number>();
  /** By family and attribute set, oldest first. */
  readonly #buckets = new Map<number, Bucket>();
  readonly #families: Record<Family, FamilyState> = { 4: { ...idleFamily }, 6: { ...idleFamily } };
  #enhancedRefresh = false;
  #synced = false;
  #desiredCount = 0;
  #sentCount = 0;
  #refusedCount = 0;

  constructor(prefixes: PrefixTable, attributes: AttributeTable) {
    this.#prefixes = prefixes;
    this.#attributes = attributes;
  }

  get desiredCount(): number {
    return this.#desiredCount;
  }

  /** Routes the peer holds as far as they have been sent. */
  get sentCount(): number {
    return this.#sentCount;
  }

  /** Desired routes that no message of this session has room for. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** Changes that have not left yet. */
  get queuedCount(): number {
    return this.#families[4].queued + this.#families[6].queued;
  }

  /** Sets what the peer should hold for the prefix. */
  announce(prefix: Prefix, attributes: RouteAttributes): void {
    const set = this.#attributes.acquire(attributes);
    const known = this.#prefixes.find(prefix);
    const id = known !== undefined && this.#holds(known) ? known : this.#prefixes.acquire(prefix);
    this.#reserve(id);
    const before = this.#desired[id] ?? noAttributes;
    if (before === set) this.#attributes.release(set);
    else this.#desire(id, set);
  }

  /** The peer should hold nothing for the prefix; nothing happens when it should not before. */
  withdraw(prefix: Prefix): void {
    const id = this.#prefixes.find(prefix);
    if (id !== undefined && this.#desired[id]) this.#desire(id, noAttributes);
  }

  /** Everything desired is known: End-of-RIB may follow what is queued. */
  synced(): void {
    this.#synced = true;
  }

  /** A session is up and carries these families: the peer holds nothing yet. Costs O(routes). */
  up(active: readonly Family[], enhancedRefresh: boolean): void {
    this.down();
    this.#enhancedRefresh = enhancedRefresh;
    for (const family of active) this.#families[family].active = true;
    for (let id = 0; id < this.#desired.length; id++)
      if (this.#desired[id] && this.#families[this.#prefixes.family(id)].active) this.#link(id);
  }

  /** The session is gone, and with it what the peer held. Costs O(routes). */
  down(): void {
    for (const family of families) Object.assign(this.#families[family], idleFamily);
    this.#buckets.clear();
    for (const key of this.#refused) this.#attributes.release(attributesOf(key));
    this.#refused.clear();
    this.#refusedCount = 0;
    this.#sentCount = 0;
    for (let id = 0; id < this.#sent.length; id++) {
      const sent = this.#sent[id] ?? noAttributes;
      if (sent === noAttributes) continue;
      if (sent !== stale) this.#attributes.release(sent);
      this.#sent[id] = noAttributes;
      this.#forgetIfIdle(id);
    }
  }

  /** The peer should hold nothing at all. Costs O(routes). */
  withdrawAll(): void {
    for (let id = 0; id < this.#desired.length; id++) if (this.#desired[id]) this.#desire(id, noAttributes);
  }

  /** The peer asked for the family again (RFC 2918): all it should hold is queued. Asked twice at once, it is sent once more. */
  refresh(family: Family): void {
    const state = this.#families[family];
    if (!state.active || state.isWithheld) return;
    if (state.refresh === 'begun') state.refresh = 'asked-again';
    if (state.refresh !== 'no') return;
    // RFC 7313 section 4: no Begin mark before the End-of-RIB of the initial table.
    if (this.#enhancedRefresh && state.endOfRib === 'sent') state.refresh = 'asked';
    this.#requeue(family);
  }

  /** The session carries the family from now on, or no longer: then what was sent of it is withdrawn. Costs O(routes). */
  carry(family: Family, isCarried: boolean): void {
    const state = this.#families[family];
    if (!state.active && !isCarried) return;
    const ids = [...this.#held(family)];
    if (state.active) for (const id of ids) if (this.#target(id) !== this.#sent[id]) this.#unlink(id);
    state.active = true;
    state.isWithheld = !isCarried;
    for (const id of ids) if (this.#target(id) !== this.#sent[id]) this.#link(id);
  }

  /** The family's next hop has changed: what was sent of it is sent again. Costs O(routes). */
  resend(family: Family): void {
    if (this.#families[family].active) this.#requeue(family);
  }

  /** Attributes that leave no room for a prefix: what was to be announced with them is withdrawn where the peer has it. */
  refuse(family: Family, attributes: number): void {
    const key = bucketKey(family, attributes);
    const bucket = this.#buckets.get(key);
    if (!bucket) return;
    this.#attributes.retain(attributes);
    while (bucket.head !== none) {
      const id = bucket.head;
      this.#unlinkFrom(bucket, id);
      this.#refusedCount++;
      // Until the set itself is refused, the bucket to link to would be this one.
      if (this.#sent[id] !== noAttributes) this.#append(id, noAttributes);
    }
    this.#refused.add(key);
  }

  /** What to send next, `undefined` when the peer is up to date. Withdrawals first: they keep traffic from a black hole. */
  next(): Outgoing | undefined {
    for (const family of families) {
      const state = this.#families[family];
      if (state.refresh !== 'asked') continue;
      state.refresh = 'begun';
      return { kind: 'refresh-begin', family };
    }
    const bucket =
      this.#buckets.get(bucketKey(4, noAttributes)) ??
      this.#buckets.get(bucketKey(6, noAttributes)) ??
      this.#buckets.values().next().value;
    if (bucket) {
      const { family, attributes } = bucket;
      const prefixes = this.#source(bucket);
      return attributes === noAttributes
        ? { kind: 'withdraw', family, prefixes }
        : { kind: 'announce', family, attributes, prefixes };
    }
    for (const family of families) {
      const mark = this.#endMark(family);
      if (mark) return { kind: mark, family };
    }
    return undefined;
  }

  #endMark(family: Family): 'end-of-rib' | 'refresh-end' | undefined {
    const state = this.#families[family];
    if (!state.active || state.isWithheld || state.queued > 0) return undefined;
    if (state.endOfRib === 'wanted' && this.#synced) {
      state.endOfRib = 'sent';
      return 'end-of-rib';
    }
    if (state.refresh !== 'begun' && state.refresh !== 'asked-again') return undefined;
    const again = state.refresh === 'asked-again';
    state.refresh = again ? 'asked' : 'no';
    if (again) this.#requeue(family);
    return 'refresh-end';
  }

  #source(bucket: Bucket): PrefixSource {
    return {
      peek: () => (bucket.head === none ? undefined : bucket.head),
      take: () => this.#take(bucket, bucket.head),
    };
  }

  #take(bucket: Bucket, id: number): void {
    const before = this.#sent[id] ?? noAttributes;
    this.#unlinkFrom(bucket, id);
    if (before === noAttributes) this.#sentCount++;
    else if (before !== stale) this.#attributes.release(before);
    if (bucket.attributes === noAttributes) this.#sentCount--;
    else this.#attributes.retain(bucket.attributes);
    this.#sent[id] = bucket.attributes;
    this.#forgetIfIdle(id);
  }

  /** Takes over the caller's reference to the set. */
  #desire(id: number, set: number): void {
    const before = this.#desired[id] ?? noAttributes;
    const family = this.#prefixes.family(id);
    const { active } = this.#families[family];
    if (active && this.#target(id) !== this.#sent[id]) this.#unlink(id);
    if (this.#refused.has(bucketKey(family, before))) this.#refusedCount--;
    if (this.#refused.has(bucketKey(family, set))) this.#refusedCount++;
    this.#desired[id] = set;
    if (active && this.#target(id) !== this.#sent[id]) this.#link(id);
    if (before === noAttributes) this.#desiredCount++;
    else this.#attributes.release(before);
    if (set === noAttributes) this.#desiredCount--;
    this.#forgetIfIdle(id);
  }

  #requeue(family: Family): void {
    for (let id = 0; id < this.#sent.length; id++) {
      const sent = this.#sent[id] ?? noAttributes;
      if (sent === noAttributes || sent === stale || this.#prefixes.family(id) !== family) continue;
      this.#attributes.release(sent);
      this.#sent[id] = stale;
      if (sent === this.#desired[id]) this.#link(id);
    }
  }

  /** What the peer should have as far as this session can tell it. */
  #target(id: number): number {
    const desired = this.#desired[id] ?? noAttributes;
    if (this.#families[this.#prefixes.family(id)].isWithheld) return noAttributes;
    return this.#refused.has(bucketKey(this.#prefixes.family(id), desired)) ? noAttributes : desired;
  }

  /** Prefixes of the family that the peer should hold or has been sent. */
  *#held(family: Family): Iterable<number> {
    for (let id = 0; id < this.#desired.length; id++)
      if (this.#holds(id) && this.#prefixes.family(id) === family) yield id;
  }

  #holds(id: number): boolean {
    return Boolean(this.#desired[id]) || Boolean(this.#sent[id]);
  }

  #forgetIfIdle(id: number): void {
    if (!this.#holds(id)) this.#prefixes.release(id);
  }

  /** Queues what the prefix should become. */
  #link(id: number): void {
    this.#append(id, this.#target(id));
  }

  #append(id: number, attributes: number): void {
    const family = this.#prefixes.family(id);
    const key = bucketKey(family, attributes);
    let bucket = this.#buckets.get(key);
    if (!bucket) {
      bucket = { family, attributes, head: none, tail: none };
      this.#buckets.set(key, bucket);
    }
    this.#previous[id] = bucket.tail;
    this.#next[id] = none;
    if (bucket.tail === none) bucket.head = id;
    else this.#next[bucket.tail] = id;
    bucket.tail = id;
    this.#families[family].queued++;
  }

  #unlink(id: number): void {
    const bucket = this.#buckets.get(bucketKey(this.#prefixes.family(id), this.#target(id)));
    if (!bucket) throw new RangeError(`prefix ${id} is not queued`);
    this.#unlinkFrom(bucket, id);
  }

  #unlinkFrom(bucket: Bucket, id: number): void {
    const previous = this.#previous[id] ?? none;
    const next = this.#next[id] ?? none;
    if (previous === none) bucket.head = next;
    else this.#next[previous] = next;
    if (next === none) bucket.tail = previous;
    else this.#previous[next] = previous;
    if (bucket.head === none) this.#buckets.delete(bucketKey(bucket.family, bucket.attributes));
    this.#families[bucket.family].queued--;
  }

  /** Makes room for the number. */
  #reserve(id: number): void {
    if (id < this.#desired.length) return;
    const capacity = Math.max(this.#desired.length * 2, id + 1);
    this.#desired = grown(this.#desired, capacity);
    this.#sent = grown(this.#sent, capacity);
    this.#next = grown(this.#next, capacity);
    this.#previous = grown(this.#previous, capacity);
  }
}

function bucketKey(family: Family, attributes: number): number {
  return attributes * 2 + (family === 4 ? 0 : 1);
}

function attributesOf(key: number): number {
  return Math.floor(key / 2);
}

function grown(array: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(array);
  return larger;
}
