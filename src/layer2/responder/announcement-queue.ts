/** Times and pace of announcements. */
export interface AnnouncementPolicy {
  /** Milliseconds from the start of a schedule to each announcement, in ascending order. */
  readonly offsetsMs: readonly number[];
  /** Interval of the repeats after the last offset, for switches that forget addresses. 0 means no repeats. */
  readonly refreshMs: number;
  /** Rate limit for all addresses together: announcements per second, and the size of a burst. */
  readonly perSecond: number;
  readonly burst: number;
}

interface Schedule<T> {
  readonly item: T;
  readonly startedAt: number;
}

interface Pending<T> {
  readonly schedule: Schedule<T>;
  readonly dueAt: number;
}

/**
 * Chooses the next announcement. Every due address is announced once before any address is announced twice. After the death of a node, the
 * first announcement of an address restores traffic. The repeats help only when that announcement is lost. Within a round, the address whose
 * schedule started first goes first. A token bucket limits the rate. All methods take a monotonic time in milliseconds.
 *
 *     round 0: c d e          While the bucket has a token, next() takes the first round whose head is due.
 *     round 1: a b            It returns the head and moves it to the following round.
 *     refresh: z
 */
export class AnnouncementQueue<T> {
  readonly #policy: AnnouncementPolicy;
  readonly #rounds: Fifo<Pending<T>>[];
  /** The valid schedule of each item. Queued announcements of an older schedule are skipped. */
  readonly #current = new Map<T, Schedule<T>>();
  #tokens: number;
  #filledAt = 0;

  constructor(policy: AnnouncementPolicy) {
    this.#policy = policy;
    this.#tokens = policy.burst;
    this.#rounds = Array.from({ length: policy.offsetsMs.length + 1 }, () => new Fifo());
  }

  /** Starts the item's schedule, or restarts it. */
  start(item: T, now: number): void {
    const schedule = { item, startedAt: now };
    this.#current.set(item, schedule);
    this.#enqueue(schedule, 0, now);
  }

  cancel(item: T): void {
    this.#current.delete(item);
  }

  /** The item to announce now; `undefined` when no item is due or the rate limit allows no announcement. */
  next(now: number): T | undefined {
    this.#refill(now);
    if (this.#tokens < 1) return undefined;
    for (const [round, queue] of this.#rounds.entries()) {
      const head = this.#head(queue);
      if (!head || head.dueAt > now) continue;
      queue.shift();
      this.#tokens--;
      this.#enqueue(head.schedule, Math.min(round + 1, this.#rounds.length - 1), now);
      return head.schedule.item;
    }
    return undefined;
  }

  /** Milliseconds until `next` may return an item; `undefined` when nothing is scheduled. */
  delayMs(now: number): number | undefined {
    this.#refill(now);
    let dueAt: number | undefined;
    for (const queue of this.#rounds) {
      const head = this.#head(queue);
      if (head && (dueAt === undefined || head.dueAt < dueAt)) dueAt = head.dueAt;
    }
    if (dueAt === undefined) return undefined;
    const tokenDelay = this.#tokens >= 1 ? 0 : ((1 - this.#tokens) * 1000) / this.#policy.perSecond;
    return Math.max(0, dueAt - now, tokenDelay);
  }

  #enqueue(schedule: Schedule<T>, round: number, now: number): void {
    const offset = this.#policy.offsetsMs[round];
    if (offset !== undefined) {
      this.#rounds[round]?.push({ schedule, dueAt: Math.max(now, schedule.startedAt + offset) });
    } else if (this.#policy.refreshMs > 0) {
      this.#rounds[round]?.push({ schedule, dueAt: now + this.#policy.refreshMs });
    } else if (this.#current.get(schedule.item) === schedule) {
      this.#current.delete(schedule.item);
    }
  }

  #head(queue: Fifo<Pending<T>>): Pending<T> | undefined {
    for (;;) {
      const head = queue.peek();
      if (!head || this.#current.get(head.schedule.item) === head.schedule) return head;
      queue.shift();
    }
  }

  #refill(now: number): void {
    const { burst, perSecond } = this.#policy;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1000);
    this.#filledAt = now;
  }
}

/** A queue whose `shift` takes constant time on average. */
class Fifo<T> {
  #items: T[] = [];
  #first = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#first];
  }

  shift(): void {
    this.#first++;
    if (this.#first * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#first);
    this.#first = 0;
  }
}
