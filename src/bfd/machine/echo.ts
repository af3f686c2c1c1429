/**
 * The echo function of one session (RFC 5880 sections 6.8.5 and 6.8.9, RFC 5881 section 4). We send Echo packets to ourselves through the peer's
 * forwarding. The session goes down when Detect Mult packets in a row have not returned by the time that the next one is due. The machine
 * counts packets, not time, so a pause of this process does not count as silence.
 *
 * A router may offer the echo function and yet not forward a packet back to the link from which it came. So that the session with such a
 * router does not flap for ever, silence counts only after a first packet has returned.
 */
import { SendSchedule } from './send-schedule.ts';

export class Echo {
  readonly #schedule: SendSchedule;
  #intervalMs: number | undefined;
  #detectMultiplier = 0;
  /** The number of the last packet that was sent. A packet carries its low 32 bits. */
  #sequence: number;
  /** All packets up to this number count as returned; `undefined` while Echo packets do not watch the path. */
  #lastReturned: number | undefined;
  /** Packets that could not be sent since the last return. */
  #unsent = 0;

  constructor(random: () => number, lastSequence = 0) {
    this.#sequence = lastSequence;
    this.#schedule = new SendSchedule(random);
  }

  /** Whether Echo packets are sent. */
  get isActive(): boolean {
    return this.#intervalMs !== undefined;
  }

  /** Whether Echo packets watch the path. They do from the first returned packet on, until the sending stops or too many packets are unsent. */
  get isProven(): boolean {
    return this.#lastReturned !== undefined;
  }

  get intervalMs(): number {
    return this.#intervalMs ?? 0;
  }

  get wakeAtMs(): number {
    return this.#schedule.dueMs;
  }

  /** Whether the peer counts as silent now. A packet that has arrived, but has not been passed to `returned`, counts as missing. */
  isDetectionDue(nowMs: number): boolean {
    if (this.#lastReturned === undefined || nowMs < this.#schedule.dueMs) return false;
    return this.#sequence - this.#lastReturned >= this.#detectMultiplier;
  }

  /** Sets the interval between Echo packets; `undefined` stops them. */
  setInterval(intervalMs: number | undefined, detectMultiplier: number, nowMs: number): void {
    if (intervalMs === undefined) this.#lastReturned = undefined;
    this.#intervalMs = intervalMs;
    this.#detectMultiplier = detectMultiplier;
    this.#schedule.setInterval(intervalMs, nowMs);
  }

  /** A packet with this sequence number has returned. Returns false for a number that was never sent, and while no packets are sent. */
  returned(sequence: number): boolean {
    const number = this.#sequence - ((this.#sequence - sequence) >>> 0);
    if (!this.isActive || number < 1) return false;
    this.#unsent = 0;
    // The first packet that returns proves the path. Packets that were sent before its return never count as missing.
    this.#lastReturned =
      this.#lastReturned === undefined ? this.#sequence : Math.max(this.#lastReturned, number);
    return true;
  }

  /** The sequence number of the packet that is due; `undefined` when none is. */
  wake(nowMs: number): number | undefined {
    if (nowMs < this.#schedule.dueMs) return undefined;
    this.#schedule.sentPeriodic(nowMs);
    return ++this.#sequence >>> 0;
  }

  /**
   * The packet of the last `wake` was not sent, for a reason inside this node, such as a full queue. That says nothing about the path, so the
   * packet does not count as missing. When Detect Mult packets are unsent since the last return, Echo packets do not watch the path, and
   * `isProven` is false until an Echo packet returns.
   */
  notSent(): void {
    this.#sequence--;
    this.#unsent++;
    if (this.#unsent >= this.#detectMultiplier) this.#lastReturned = undefined;
  }
}
