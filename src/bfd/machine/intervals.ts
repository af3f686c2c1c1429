/**
 * Our two intervals, Desired Min TX and Required Min RX, in microseconds. A change is announced by a Poll Sequence (RFC 5880 sections 6.5 and
 * 6.8.3). Each packet carries the newest values. While the session is Up, two changes have no effect on our own timers until the peer has
 * confirmed them with the Final bit, because the peer may still use the old value:
 *
 *   a longer Desired Min TX     we go on sending at the old interval
 *   a shorter Required Min RX   our Detection Time still counts with the old interval
 *
 * Only one Poll Sequence runs at a time. A change during a Poll Sequence causes a second one, which begins when the first has ended.
 */
export interface IntervalPair {
  readonly desiredMinTx: number;
  readonly requiredMinRx: number;
}

export class Intervals {
  /** The values that our packets carry. */
  #advertised: IntervalPair;
  /** The values that our timers use. */
  #inForce: IntervalPair;
  /** The values that the running Poll Sequence announces. */
  #polled: IntervalPair | undefined;

  constructor(initial: IntervalPair) {
    this.#advertised = initial;
    this.#inForce = initial;
  }

  get advertised(): IntervalPair {
    return this.#advertised;
  }

  get inForce(): IntervalPair {
    return this.#inForce;
  }

  get isPolling(): boolean {
    return this.#polled !== undefined;
  }

  /**
   * Sets new values. In every state but Up they are in force at once, without a Poll Sequence: the next packet tells them to the peer. Until the
   * session is Up, both ends send at intervals of at least one second (RFC 5880 section 6.8.3), so shorter values do not affect the timers yet.
   */
  set(next: IntervalPair, isUp: boolean): void {
    const isSame =
      next.desiredMinTx === this.#advertised.desiredMinTx &&
      next.requiredMinRx === this.#advertised.requiredMinRx;
    this.#advertised = next;
    if (!isUp) {
      this.#inForce = next;
      this.#polled = undefined;
      return;
    }
    if (isSame) return;
    this.#inForce = cautious(this.#inForce, next);
    this.#polled ??= next;
  }

  /** The peer has answered with the Final bit. Returns whether this answer ends a Poll Sequence. */
  confirm(): boolean {
    const polled = this.#polled;
    if (!polled) return false;
    const { desiredMinTx, requiredMinRx } = this.#advertised;
    const isNewest = polled.desiredMinTx === desiredMinTx && polled.requiredMinRx === requiredMinRx;
    // The peer has confirmed the polled values, but nothing beyond them.
    this.#inForce = isNewest ? polled : cautious(polled, this.#advertised);
    this.#polled = isNewest ? undefined : this.#advertised;
    return true;
  }
}

/** The values that are safe while the peer may know either pair. */
function cautious(known: IntervalPair, next: IntervalPair): IntervalPair {
  return {
    desiredMinTx: Math.min(known.desiredMinTx, next.desiredMinTx),
    requiredMinRx: Math.max(known.requiredMinRx, next.requiredMinRx),
  };
}
