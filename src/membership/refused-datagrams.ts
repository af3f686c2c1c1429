/** Datagrams remembered; beyond it the oldest may be opened, and refused, once more. */
const maxRemembered = 4096;

/**
 * Remembers datagrams that were opened in vain, so that a replay of them costs no cryptography: to open one that fails takes 40 µs,
 * to find it here less than one. A datagram is known by its session, its sequence number and its tag. The tag is part of it, so a
 * forgery under the number of an authentic datagram does not keep that one out.
 */
export class RefusedDatagrams {
  readonly #identities = new Set<string>();

  has(identity: string): boolean {
    return this.#identities.has(identity);
  }

  add(identity: string): void {
    this.#identities.add(identity);
    for (const oldest of this.#identities) {
      if (this.#identities.size <= maxRemembered) return;
      this.#identities.delete(oldest);
    }
  }
}
