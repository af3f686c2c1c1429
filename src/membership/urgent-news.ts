import { type Draft, updateOctets } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import { subjectOf } from './gossip-queue.ts';
import type { MemberState, Update } from './packet.ts';
import { shuffle } from './shuffle.ts';
import { packUpdates } from './update-packing.ts';

/** Urgent news waits this long, so that more news can travel in the same packet. */
const gatherMs = 2;
/**
 * In one batch, each receiver gets at most this many packets with the sender's own news, and at most as many with news of other members. More
 * packets would overflow the receiver's socket buffer.
 */
const maxPacketsAtOnce = 64;
/** Time between two batches. */
const overflowPauseMs = 10;
/** If at most this many other members are live, a member sends its own news to all of them. */
const smallCluster = 16;

type Receiver = { readonly name: string; readonly endpoint: Endpoint; readonly state: MemberState };

/**
 * News that cannot wait for the next ping: deaths, joins, departures and payload records. A member's own news is what it states about itself,
 * the records that it publishes, and the deaths that it declares. A member sends its own news to all other members of a small cluster, or to
 * some members of a large one. It passes news of other members on to a few members. When it chooses among the members, it leaves out suspects.
 * When a packet is lost, gossip and anti-entropy deliver its news. News that does not fit in one batch goes out in the next batch.
 */
export class UrgentNews {
  readonly #random: () => number;
  #own = new Map<string, Update>();
  readonly #others = new Map<string, Update>();
  #flushAtMs = Number.POSITIVE_INFINITY;

  constructor(random: () => number) {
    this.#random = random;
  }

  add(update: Update, isOwn: boolean, nowMs: number): void {
    const subject = subjectOf(update);
    this.#own.delete(subject);
    this.#others.delete(subject);
    (isOwn ? this.#own : this.#others).set(subject, update);
    this.#flushAtMs = Math.min(this.#flushAtMs, nowMs + gatherMs);
  }

  /** Adds this member's own news ahead of the own news that is pending. */
  addFirst(update: Update, nowMs: number): void {
    const pending = this.#own;
    this.#own = new Map();
    pending.delete(subjectOf(update));
    this.add(update, true, nowMs);
    for (const [subject, each] of pending) this.#own.set(subject, each);
  }

  wakeAtMs(): number {
    return this.#flushAtMs;
  }

  wake(live: readonly Receiver[], nowMs: number): Draft[] {
    return nowMs >= this.#flushAtMs ? this.flush(live, nowMs) : [];
  }

  /** Sends one batch now. */
  flush(live: readonly Receiver[], nowMs: number): Draft[] {
    const isSmall = live.length <= smallCluster;
    const drafts = [
      ...this.#send(this.#own, live, isSmall ? live.length : 8),
      ...this.#send(this.#others, live, isSmall ? 2 : 4),
    ];
    const isEmpty = this.#own.size + this.#others.size === 0;
    this.#flushAtMs = isEmpty ? Number.POSITIVE_INFINITY : nowMs + overflowPauseMs;
    return drafts;
  }

  #send(news: Map<string, Update>, live: readonly Receiver[], receivers: number): Draft[] {
    if (news.size === 0) return [];
    const packets = packUpdates(news.values(), updateOctets).slice(0, maxPacketsAtOnce);
    for (const update of packets.flat()) news.delete(subjectOf(update));
    // When many members die at once, most of those chosen at random would be suspects, and the news would not spread.
    const among = receivers < live.length ? live.filter(({ state }) => state === 'alive') : [...live];
    return shuffle(among, this.#random)
      .slice(0, receivers)
      .flatMap(({ name, endpoint }) =>
        packets.map((updates) => ({ to: name, endpoint, body: { kind: 'gossip' }, updates }) as const),
      );
  }
}
