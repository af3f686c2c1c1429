/** Size of the window. A datagram is refused if it is this many sequence numbers or more behind the newest datagram of its session. */
const windowSize = 256n;

/** Accepts each sequence number of a session once, as the anti-replay window of RFC 4303 section 3.4.3 does. */
export class ReplayWindow {
  #newest = 0;
  #seen = 0n;

  /** Returns true when the number is newer than all before, or when it is within the window and arrives for the first time. */
  accept(sequence: number): boolean {
    if (sequence > this.#newest) {
      const shift = BigInt(sequence - this.#newest);
      this.#seen = shift >= windowSize ? 1n : ((this.#seen << shift) | 1n) & ((1n << windowSize) - 1n);
      this.#newest = sequence;
      return true;
    }
    const behind = BigInt(this.#newest - sequence);
    if (behind >= windowSize || (this.#seen >> behind) & 1n) return false;
    this.#seen |= 1n << behind;
    return true;
  }
}
