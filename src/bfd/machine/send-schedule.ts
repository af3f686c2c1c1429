/**
 * The times of the periodic packets. Each interval is shortened by a fresh random part, so that senders do not fall into step. RFC 5880
 * section 6.8.7 asks for 75 to 100 % of the interval, and for 75 to 90 % with a Detect Mult of 1. 75 to 90 % fits both.
 */
const jitter = { least: 0.75, most: 0.9 } as const;

export class SendSchedule {
  readonly #random: () => number;
  #intervalMs = Number.POSITIVE_INFINITY;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The next packet is due at this time; infinite while no periodic packets are sent. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Sets the interval; `undefined` stops the periodic packets. A shorter interval brings the next packet forward. */
  setInterval(intervalMs: number | undefined, nowMs: number): void {
    if (intervalMs === undefined) {
      this.#intervalMs = Number.POSITIVE_INFINITY;
      this.#dueMs = Number.POSITIVE_INFINITY;
      return;
    }
    if (intervalMs < this.#intervalMs)
      this.#dueMs = Math.min(this.#dueMs, Math.max(nowMs, this.#lastSentMs + this.#jittered(intervalMs)));
    this.#intervalMs = intervalMs;
  }

  /**
   * A periodic packet has been sent. The next interval begins at the time at which this packet was due, so that delays do not add up. If that
   * interval is already over, the next one begins now.
   */
  sentPeriodic(nowMs: number): void {
    const nextMs = this.#dueMs + this.#jittered(this.#intervalMs);
    this.#lastSentMs = nowMs;
    this.#dueMs = nextMs > nowMs ? nextMs : nowMs + this.#jittered(this.#intervalMs);
  }

  /** A packet has been sent out of turn. The next periodic packet counts from now. */
  sentExtra(nowMs: number): void {
    this.#lastSentMs = nowMs;
    this.#dueMs = nowMs + this.#jittered(this.#intervalMs);
  }

  #jittered(intervalMs: number): number {
    return intervalMs * (jitter.least + (jitter.most - jitter.least) * this.#random());
  }
}
