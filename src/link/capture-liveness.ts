/**
 * Distinguishes a deaf capture from an idle link. A capture is deaf when, in two checks in a row, the kernel counted frames and none
 * was delivered.
 */
export class CaptureLiveness {
  #received = 0;
  #delivered = 0;
  #silentChecks = 0;

  /** Compares both counters, which never decrease, with those of the last check. */
  check(received: number, delivered: number): 'alive' | 'deaf' {
    const isSilent = received > this.#received && delivered === this.#delivered;
    this.#silentChecks = isSilent ? this.#silentChecks + 1 : 0;
    this.#received = received;
    this.#delivered = delivered;
    return this.#silentChecks >= 2 ? 'deaf' : 'alive';
  }
}
