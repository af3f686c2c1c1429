/** Sequence numbers of authenticated packets (RFC 5880 section 6.7). They are 32-bit circular numbers. */

/** Numbers our packets. The first number is random, unless the session is inherited. */
export class SendSequence {
  #value: number;
  #raisedMs = Number.NEGATIVE_INFINITY;
  #contents = '';

  constructor(first: number) {
    this.#value = first >>> 0;
  }

  /** The number of the last packet. */
  get value(): number {
    return this.#value;
  }

  /**
   * The number for the next packet. Meticulous types give every packet a number of its own. The other types raise the number when the contents
   * change, and otherwise once a second, so that a recorded packet cannot be replayed for long.
   */
  next(isMeticulous: boolean, contents: string, nowMs: number): number {
    if (isMeticulous || contents !== this.#contents || nowMs - this.#raisedMs >= raiseMs) {
      this.#value = (this.#value + 1) >>> 0;
      this.#raisedMs = nowMs;
      this.#contents = contents;
    }
    return this.#value;
  }
}

const raiseMs = 1000;

/** Checks the numbers of the peer's packets. */
export class ReceiveWindow {
  /** The number of the last accepted packet (bfd.RcvAuthSeq); `undefined` while bfd.AuthSeqKnown is 0. */
  #last: number | undefined;

  get last(): number | undefined {
    return this.#last;
  }

  /**
   * Whether the number lies in the window. The window begins with the last number, or for meticulous types with the number after it. It ends
   * with the last number + 3 × Detect Mult.
   */
  includes(sequence: number, isMeticulous: boolean, detectMultiplier: number): boolean {
    if (this.#last === undefined) return true;
    const distance = (sequence - this.#last) >>> 0;
    return distance >= (isMeticulous ? 1 : 0) && distance <= 3 * detectMultiplier;
  }

  /**
   * Stores the number of a packet whose digest is correct. The RFC's text sets bfd.AuthSeqKnown before it checks the digest. In that order, one
   * forged packet could shut the peer out.
   */
  accept(sequence: number): void {
    this.#last = sequence;
  }

  /** Accepts any number as the next one. Call it when nothing has arrived for twice the Detection Time. */
  forget(): void {
    this.#last = undefined;
  }
}
