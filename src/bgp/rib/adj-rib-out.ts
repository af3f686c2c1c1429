/**
 * The Adj-RIB-Out of one peer (RFC 4271 section 3.2): the routes that the peer should hold, the routes that have been sent to it, and a
 * queue of the differences.
 *
 *   announce, withdraw ──→ desired ──┐
 *                                    ├─ differ ─→ ChangeQueue ─→ next() ─→ UPDATE
 *   session up, ROUTE-REFRESH ─→ sent┘
 *
 * A queued change that is replaced is never sent. A change back to the route that the peer holds takes the prefix off the queue. One change
 * costs O(1), whatever the size of the table. A route costs 16 octets per peer (four arrays of 32-bit numbers) in addition to its share of the
 * tables (prefix-table.ts, attribute-table.ts).
 *
 * An attribute set that leaves no room for a prefix in the session's messages is refused. Its prefixes stay desired, but the peer gets no
 * route for them. If the peer holds a route for such a prefix, that route is withdrawn.
 *
 * End-of-RIB (RFC 4724 section 2) is sent when a family's queue first runs empty after `synced`. A refresh (RFC 2918) queues all routes of
 * the family again. If the peer supports RFC 7313, a Begin mark precedes and an End mark follows these routes. No Begin mark is sent before
 * the End-of-RIB. A family that the session does not carry gets its End-of-RIB only after `endWithout`: a peer that keeps the routes of our
 * earlier session would drop them at the End-of-RIB, although the session may soon carry the family.
 */
import type { Family, Prefix } from '../../address/index.ts';
import type { RouteAttributes } from '../speaker-api.ts';
import { type AttributeTable, noAttributes } from './attribute-table.ts';
import { attributesOfKey, type Bucket, bucketKey, ChangeQueue, grown } from './change-queue.ts';
import type { PrefixTable } from './prefix-table.ts';

/** Stands in `#sent` for a route that the peer holds and that must be sent again or withdrawn. No attribute set has this number. */
const stale = 0xffff_ffff;

/** The next thing to send. The writer takes prefixes one by one, as many as fit into a message. */
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

/** The prefixes of one bucket. */
export interface PrefixSource {
  /** The number of the next prefix, which stays in the bucket; `undefined` at the end. */
  peek(): number | undefined;
  /** Removes the prefix that `peek` returned. The prefix then counts as sent. */
  take(): void;
}

interface FamilyState {
  /**
   * The session carries the family or carried it earlier, `inherit` got a prefix of the family, or `endWithout` got the family. Only then are the
   * family's changes queued and its marks sent.
   */
  active: boolean;
  /** The session does not carry the family now. The peer should hold no route of the family. */
  isWithheld: boolean;
  /** `due`: may be sent even while the session does not carry the family. */
  endOfRib: 'wanted' | 'due' | 'sent';
  refresh: 'no' | 'asked' | 'begun' | 'asked-again';
}

const idleFamily: FamilyState = { active: false, isWithheld: false, endOfRib: 'wanted', refresh: 'no' };
const families: readonly Family[] = [4, 6];

export class AdjRibOut {
  readonly #prefixes: PrefixTable;
  readonly #attributes: AttributeTable;
  /**
   * The desired and the sent attribute set of each prefix, by the number of the prefix. A prefix is queued exactly when its family is
   * active and `#target` differs from the sent set (`#isQueued`).
   */
  #desired = new Uint32Array(64);
  #sent = new Uint32Array(64);
  readonly #queue = new ChangeQueue();
  /** Keys (`bucketKey`) of the buckets whose attribute set was refused in this session. */
  readonly #refused = new Set<number>();
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

  /** Routes that have been sent to the peer and not withdrawn. */
  get sentCount(): number {
    return this.#sentCount;
  }

  /** Desired routes whose attributes leave no room in a message of this session. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** Changes that have not been sent. */
  get queuedCount(): number {
    return this.#queue.count(4) + this.#queue.count(6);
  }

  /** Sets the route that the peer should hold for the prefix. */
  announce(prefix: Prefix, attributes: RouteAttributes): void {
    const set = this.#attributes.acquire(attributes);
    const known = this.#prefixes.find(prefix);
    const id = known !== undefined && this.#holds(known) ? known : this.#prefixes.acquire(prefix);
    this.#reserve(id);
    const before = this.#desired[id] ?? noAttributes;
    if (before === set) this.#attributes.release(set);
    else this.#desire(id, set);
  }

  /** Removes the desired route of the prefix, if there is one. */
  withdraw(prefix: Prefix): void {
    const id = this.#prefixes.find(prefix);
    if (id !== undefined && this.#desired[id]) this.#desire(id, noAttributes);
  }

  /** The desired routes are complete: End-of-RIB may follow the queued changes. */
  synced(): void {
    this.#synced = true;
  }

  /** A session that carries these families is up; the peer holds nothing yet. Costs O(routes). */
  up(active: readonly Family[], enhancedRefresh: boolean): void {
    this.down();
    this.#enhancedRefresh = enhancedRefresh;
    for (const family of active) this.#families[family].active = true;
    for (let id = 0; id < this.#desired.length; id++)
      if (this.#desired[id] && this.#families[this.#prefixes.family(id)].active) this.#enqueue(id);
  }

  /** The prefixes that the peer holds. */
  *sentPrefixes(): Iterable<Prefix> {
    for (let id = 0; id < this.#sent.length; id++) if (this.#sent[id]) yield this.#prefixes.prefix(id);
  }

  /**
   * An earlier process has sent the peer a route for the prefix. The desired route replaces this old route. If there is no desired route, or this
   * session cannot carry it, the old route is withdrawn, even in a family that the session does not carry now. If this process has already sent
   * a route for the prefix, nothing is left to do, because that route has replaced the old one.
   */
  inherit(prefix: Prefix): void {
    const known = this.#prefixes.find(prefix);
    if (known !== undefined && this.#sent[known]) return;
    const id = known !== undefined && this.#holds(known) ? known : this.#prefixes.acquire(prefix);
    const family = this.#families[prefix.family];
    if (!family.active) Object.assign(family, { active: true, isWithheld: true });
    this.#reserve(id);
    // A desired route that waits in the queue stays there. It replaces the old route when it is sent.
    const isQueued = this.#isQueued(id);
    this.#sent[id] = stale;
    this.#sentCount++;
    if (!isQueued) this.#enqueue(id);
  }

  /** The session is down: the peer holds nothing. Costs O(routes). */
  down(): void {
    for (const family of families) Object.assign(this.#families[family], idleFamily);
    this.#queue.clear();
    for (const key of this.#refused) this.#attributes.release(attributesOfKey(key));
    this.#refused.clear();
    this.#refusedCount = 0;
    this.#sentCount = 0;
    for (let id = 0; id < this.#sent.length; id++) {
      const sent = this.#sent[id] ?? noAttributes;
      if (sent === noAttributes) continue;
      if (sent !== stale) this.#attributes.release(sent);
      this.#sent[id] = noAttributes;
      this.#releaseIfIdle(id);
    }
  }

  /** Removes all desired routes. Costs O(routes). */
  withdrawAll(): void {
    for (let id = 0; id < this.#desired.length; id++) if (this.#desired[id]) this.#desire(id, noAttributes);
  }

  /**
   * Queues all routes of the family again, because the peer asks for them (RFC 2918). A second request while the first is being answered
   * adds one more round.
   */
  refresh(family: Family): void {
    const state = this.#families[family];
    if (!state.active || state.isWithheld) return;
    if (state.refresh === 'begun') state.refresh = 'asked-again';
    if (state.refresh !== 'no') return;
    // RFC 7313 section 4: no Begin mark before the End-of-RIB of the initial table.
    if (this.#enhancedRefresh && state.endOfRib === 'sent') state.refresh = 'asked';
    this.#requeue(family);
  }

  /** Starts or stops carrying the family while the session is up. Stopping withdraws its routes. Costs O(routes). */
  carry(family: Family, isCarried: boolean): void {
    const state = this.#families[family];
    if (!state.active && !isCarried) return;
    this.#retarget(family, [...this.#held(family)], () => {
      state.active = true;
      state.isWithheld = !isCarried;
    });
  }

  /**
   * The session is not expected to carry the family soon. Its End-of-RIB is due nevertheless (RFC 4724 section 4.1). Does nothing if the session
   * carries the family.
   */
  endWithout(family: Family): void {
    const state = this.#families[family];
    if (!state.active) Object.assign(state, { active: true, isWithheld: true });
    if (state.isWithheld && state.endOfRib === 'wanted') state.endOfRib = 'due';
  }

  /** Sends the routes of the family again, because its next hop has changed. Costs O(routes). */
  resend(family: Family): void {
    if (this.#families[family].active) this.#requeue(family);
  }

  /**
   * Refuses an attribute set that leaves no room for a prefix. The prefixes with this set stay desired. If the peer holds routes for them,
   * these routes are withdrawn. Costs O(routes).
   */
  refuse(family: Family, attributes: number): void {
    if (!this.#queue.bucket(family, attributes)) return;
    this.#attributes.retain(attributes);
    const ids = [...this.#held(family)].filter((id) => this.#desired[id] === attributes);
    this.#retarget(family, ids, () => this.#refused.add(bucketKey(family, attributes)));
    this.#refusedCount += ids.length;
  }

  /** The next thing to send; `undefined` when the peer is up to date. */
  next(): Outgoing | undefined {
    for (const family of families) {
      const state = this.#families[family];
      if (state.refresh !== 'asked') continue;
      state.refresh = 'begun';
      return { kind: 'refresh-begin', family };
    }
    const bucket = this.#queue.nextBucket();
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
    if (!state.active || this.#queue.count(family) > 0) return undefined;
    const mayEnd = state.endOfRib === 'due' || (state.endOfRib === 'wanted' && !state.isWithheld);
    if (mayEnd && this.#synced) {
      state.endOfRib = 'sent';
      return 'end-of-rib';
    }
    if (state.isWithheld) return undefined;
    if (state.refresh !== 'begun' && state.refresh !== 'asked-again') return undefined;
    const again = state.refresh === 'asked-again';
    state.refresh = again ? 'asked' : 'no';
    if (again) this.#requeue(family);
    return 'refresh-end';
  }

  #source(bucket: Bucket): PrefixSource {
    return {
      peek: () => this.#queue.first(bucket),
      take: () => this.#take(bucket),
    };
  }

  /** Moves the first prefix of the bucket from the queue to `sent`. */
  #take(bucket: Bucket): void {
    const { head: id, attributes } = bucket;
    const before = this.#sent[id] ?? noAttributes;
    this.#queue.removeFirst(bucket);
    if (before === noAttributes) this.#sentCount++;
    else if (before !== stale) this.#attributes.release(before);
    if (attributes === noAttributes) this.#sentCount--;
    else this.#attributes.retain(attributes);
    this.#sent[id] = attributes;
    this.#releaseIfIdle(id);
  }

  /** Runs `change`, which changes the targets of these prefixes, and moves the prefixes to the buckets of their new targets. */
  #retarget(family: Family, ids: readonly number[], change: () => void): void {
    for (const id of ids) if (this.#isQueued(id)) this.#queue.remove(id, family, this.#target(id));
    change();
    for (const id of ids) if (this.#isQueued(id)) this.#enqueue(id);
  }

  /** Changes the desired route. Takes over the caller's reference to the set. */
  #desire(id: number, set: number): void {
    const before = this.#desired[id] ?? noAttributes;
    const family = this.#prefixes.family(id);
    if (this.#isQueued(id)) this.#queue.remove(id, family, this.#target(id));
    if (this.#refused.has(bucketKey(family, before))) this.#refusedCount--;
    if (this.#refused.has(bucketKey(family, set))) this.#refusedCount++;
    this.#desired[id] = set;
    if (this.#isQueued(id)) this.#enqueue(id);
    if (before === noAttributes) this.#desiredCount++;
    else this.#attributes.release(before);
    if (set === noAttributes) this.#desiredCount--;
    this.#releaseIfIdle(id);
  }

  #requeue(family: Family): void {
    for (let id = 0; id < this.#sent.length; id++) {
      const sent = this.#sent[id] ?? noAttributes;
      if (sent === noAttributes || sent === stale || this.#prefixes.family(id) !== family) continue;
      const isQueued = this.#isQueued(id);
      this.#attributes.release(sent);
      this.#sent[id] = stale;
      if (!isQueued) this.#enqueue(id);
    }
  }

  /** Whether the prefix belongs in the queue. */
  #isQueued(id: number): boolean {
    return this.#families[this.#prefixes.family(id)].active && this.#target(id) !== this.#sent[id];
  }

  /** The route that the peer should hold; `noAttributes` when this session cannot carry it. */
  #target(id: number): number {
    const desired = this.#desired[id] ?? noAttributes;
    const family = this.#prefixes.family(id);
    if (this.#families[family].isWithheld) return noAttributes;
    return this.#refused.has(bucketKey(family, desired)) ? noAttributes : desired;
  }

  /** Prefixes of the family that the peer should hold or has been sent. */
  *#held(family: Family): Iterable<number> {
    for (let id = 0; id < this.#desired.length; id++)
      if (this.#holds(id) && this.#prefixes.family(id) === family) yield id;
  }

  #enqueue(id: number): void {
    this.#queue.append(id, this.#prefixes.family(id), this.#target(id));
  }

  #holds(id: number): boolean {
    return Boolean(this.#desired[id]) || Boolean(this.#sent[id]);
  }

  #releaseIfIdle(id: number): void {
    if (!this.#holds(id)) this.#prefixes.release(id);
  }

  /** Makes room in the arrays for the prefix with this number. */
  #reserve(id: number): void {
    if (id < this.#desired.length) return;
    const capacity = Math.max(this.#desired.length * 2, id + 1);
    this.#desired = grown(this.#desired, capacity);
    this.#sent = grown(this.#sent, capacity);
    this.#queue.reserve(capacity);
  }
}
