/**
 * Watches for a silent peer (RFC 5880 section 6.8.4). The time counts from the last accepted packet. After a Detection Time the peer is silent.
 * After twice the Detection Time its sequence number is forgotten, too (section 6.8.1, bfd.AuthSeqKnown).
 *
 * When this process wakes late, the peer gets as much time again from then on, once. During a pause of the whole machine, packets are lost
 * that the peer did send.
 */

/** A timer of Node is late by up to 2 ms on an idle machine. */
const ordinaryLatenessMs = 5;

export class Detection {
  #lastReceivedMs: number | undefined;
  #timeMs = 0;
  /** Whether the peer's discriminator is known, so that its silence would be news. */
  #isWatching = false;
  #isWindowOpen = false;
  #lateMs = 0;
  #reprieveMs = 0;

  get lastReceivedMs(): number | undefined {
    return this.#lastReceivedMs;
  }

  /** The lateness that was granted last. */
  get lateMs(): number {
    return this.#lateMs;
  }

  /** The next point in time at which there is something to judge. */
  get dueMs(): number {
    return Math.min(this.#silentAtMs, this.#forgottenAtMs);
  }

  get #silentAtMs(): number {
    if (!this.#isWatching || this.#lastReceivedMs === undefined) return Number.POSITIVE_INFINITY;
    return this.#lastReceivedMs + this.#timeMs + this.#reprieveMs;
  }

  get #forgottenAtMs(): number {
    if (!this.#isWindowOpen || this.#lastReceivedMs === undefined) return Number.POSITIVE_INFINITY;
    return this.#lastReceivedMs + 2 * this.#timeMs + this.#reprieveMs;
  }

  setTime(timeMs: number, isWatching: boolean): void {
    this.#timeMs = timeMs;
    this.#isWatching = isWatching;
  }

  received(nowMs: number): void {
    this.#lastReceivedMs = nowMs;
    this.#reprieveMs = 0;
    this.#isWindowOpen = true;
  }

  isWindowDue(nowMs: number): boolean {
    return nowMs >= this.#forgottenAtMs;
  }

  windowForgotten(): void {
    this.#isWindowOpen = false;
  }

  /** Judges the silence: `late` when the deadline moved because of our own lateness, `silent` when it has passed. */
  expire(nowMs: number): 'late' | 'silent' | undefined {
    const silentAtMs = this.#silentAtMs;
    if (nowMs < silentAtMs) return undefined;
    const lateMs = Math.min(nowMs - silentAtMs, this.#timeMs);
    if (this.#reprieveMs > 0 || lateMs < ordinaryLatenessMs) return 'silent';
    this.#lateMs = lateMs;
    this.#reprieveMs = nowMs - silentAtMs + lateMs;
    return 'late';
  }
}
