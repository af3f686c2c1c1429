/**
 * Waits that all take equally long, in the order in which they began. The first to begin is the first to end. Adding a wait, removing one
 * and reading the first take the same time, however many there are. In a Set, reading the first would take longer with each removal,
 * because V8 steps over the places of all removed values.
 */
export interface Wait {
  /** By the monotonic clock. */
  readonly sinceMs: number;
}

/** The neighbours of a wait in the order. */
interface Link<T> {
  readonly wait: T;
  before: Link<T> | undefined;
  after: Link<T> | undefined;
}

export class WaitList<T extends Wait> {
  readonly #links = new Map<T, Link<T>>();
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;

  /** Adds a wait that begins now: no earlier than those that the list holds. */
  add(wait: T): void {
    const link: Link<T> = { wait, before: this.#last, after: undefined };
    if (this.#last) this.#last.after = link;
    else this.#first = link;
    this.#last = link;
    this.#links.set(wait, link);
  }

  /** Removes a wait. Does nothing if the list does not hold it. */
  delete(wait: T): void {
    const link = this.#links.get(wait);
    if (!link) return;
    this.#links.delete(wait);
    if (link.before) link.before.after = link.after;
    else this.#first = link.after;
    if (link.after) link.after.before = link.before;
    else this.#last = link.before;
  }

  /** When the first wait began; `undefined` while there is none. */
  get firstMs(): number | undefined {
    return this.#first?.wait.sinceMs;
  }

  /** The waits that are over, in order. */
  over(nowMs: number, delayMs: number): T[] {
    const found: T[] = [];
    for (let link = this.#first; link && isOver(link.wait, nowMs, delayMs); link = link.after)
      found.push(link.wait);
    return found;
  }
}

export function isOver({ sinceMs }: Wait, nowMs: number, delayMs: number): boolean {
  return nowMs >= sinceMs + delayMs;
}
