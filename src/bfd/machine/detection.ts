/**
 * Watches for a silent peer (RFC 5880 section 6.8.4). The time counts from the last accepted packet. Once a Detection Time has passed, the
 * peer counts as silent. Once two have passed, its sequence number is forgotten too (section 6.8.1, bfd.AuthSeqKnown).
 *
 * A process that wakes late may have missed packets that the peer did send, for instance while the whole machine was paused. The peer then
 * gets a reprieve. It begins at the late wake, and is as long as the process was late, but at most a Detection Time. A second reprieve is
 * possible only after a packet has arrived.
 */

/** Smaller delays give no reprieve: a timer of Node is late by up to 2 ms on an idle machine. */
const ordinaryLatenessMs = 5;

export class Detection {
  #lastReceivedMs: number | undefined;
  #timeMs = 0;
  /** Whether the peer's discriminator is known. While it is unknown, the peer already counts as silent. */
  #isWatching = false;
  #isWindowOpen = false;
  #lateMs = 0;
  #reprieveMs = 0;

  get lastReceivedMs(): number | undefined {
    return this.#lastReceivedMs;
  }

  /** How late the process was at the last reprieve, but at most a Detection Time. */
  get lateMs(): number {
    return this.#lateMs;
  }

  /** The time at which the peer will count as silent, or its sequence number will be forgotten, whichever comes first. */
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

  /** Judges the silence: `late` when our own lateness moves the deadline, `silent` when the deadline has passed. */
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
