/** Counts, over time, how many nodes answer for each address. Times are in milliseconds. */
export class AnswerLedger {
  readonly #answerers = new Map<string, Set<string>>();
  readonly #doubledSince = new Map<string, number>();
  readonly #now: () => number;
  /** Greatest number of addresses that two or more nodes answered for at one time. */
  mostDoubled = 0;
  /** Longest time for which two or more nodes answered for one address. A time that still goes on does not count yet. */
  longestDoubledMs = 0;
  #answered = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Number of addresses that at least one node answers for. */
  get answered(): number {
    return this.#answered;
  }

  /** Number of addresses that two or more nodes answer for. */
  get doubled(): number {
    return this.#doubledSince.size;
  }

  began(address: string, node: string): void {
    const answerers = this.#answerers.get(address) ?? new Set();
    this.#answerers.set(address, answerers.add(node));
    if (answerers.size === 1) this.#answered++;
    if (answerers.size < 2 || this.#doubledSince.has(address)) return;
    this.#doubledSince.set(address, this.#now());
    this.mostDoubled = Math.max(this.mostDoubled, this.#doubledSince.size);
  }

  ended(address: string, node: string): void {
    const answerers = this.#answerers.get(address);
    if (!answerers?.delete(node)) return;
    if (answerers.size === 0) this.#answered--;
    const since = this.#doubledSince.get(address);
    if (since === undefined || answerers.size > 1) return;
    this.#doubledSince.delete(address);
    this.longestDoubledMs = Math.max(this.longestDoubledMs, this.#now() - since);
  }

  /** Starts the count again, but keeps the present answerers. For an address that several nodes already answer for, the doubled time begins now. */
  reset(): void {
    this.mostDoubled = this.#doubledSince.size;
    this.longestDoubledMs = 0;
    for (const address of this.#doubledSince.keys()) this.#doubledSince.set(address, this.#now());
  }
}
