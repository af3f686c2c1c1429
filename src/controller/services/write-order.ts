/**
 * The order of writes when an address moves. A Service's new address is not written while another Service's status still shows it
 * without a right to it, so in the API, too, an address never has two owners. The write follows the one that clears the other status.
 */
export class WriteOrder {
  /** Services whose write waits, by the Service whose status is in the way. */
  readonly #waiting = new Map<string, Set<string>>();

  /** Delays the write of `key` until `blocker` changes. */
  delay(key: string, blocker: string): void {
    this.#waiting.set(blocker, (this.#waiting.get(blocker) ?? new Set()).add(key));
  }

  /** The Services whose write may be tried again now that `blocker` changed. */
  changed(blocker: string): Iterable<string> {
    const keys = this.#waiting.get(blocker) ?? [];
    this.#waiting.delete(blocker);
    return keys;
  }

  /** Drops a Service that is gone. */
  forget(key: string): void {
    for (const [blocker, keys] of this.#waiting) {
      keys.delete(key);
      if (keys.size === 0) this.#waiting.delete(blocker);
    }
  }
}
