/**
 * The order of writes when an address moves from one Service to another. The new holder's status is written only after the address is gone from
 * the old holder's status. The API therefore never shows an address on two Services that do not share it.
 *
 * Services can wait for each other in a circle, for example when two of them swap their addresses. Then one of them first clears the addresses
 * that it has lost.
 */
export class WriteOrder {
  /** For each blocking Service, the Services whose write waits for it. */
  readonly #waiting = new Map<string, Set<string>>();

  /** Delays the write of `key` until `blocker` changes. */
  delay(key: string, blocker: string): void {
    this.#waiting.set(blocker, (this.#waiting.get(blocker) ?? new Set()).add(key));
  }

  /** Notes that `blocker` changed. Returns the Services whose write may now be tried again. */
  changed(blocker: string): Iterable<string> {
    const keys = this.#waiting.get(blocker) ?? [];
    this.#waiting.delete(blocker);
    return keys;
  }

  /** Whether the write of `key` waits for a Service whose own write waits, through others or not, for `key`. */
  isCircular(key: string): boolean {
    const waiting = new Set(this.#waiting.get(key));
    for (const each of waiting) for (const next of this.#waiting.get(each) ?? []) waiting.add(next);
    return waiting.has(key);
  }

  /** Drops a Service that is gone. */
  forget(key: string): void {
    for (const [blocker, keys] of this.#waiting) {
      keys.delete(key);
      if (keys.size === 0) this.#waiting.delete(blocker);
    }
  }
}
