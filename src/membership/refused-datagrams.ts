/** Maximum number of datagrams remembered. A replay of an older datagram is opened and refused again. */
const maxRemembered = 4096;

/**
 * Remembers refused datagrams, so that a replay costs no cryptography. A failed attempt to open a datagram takes 40 µs. Finding it here takes less
 * than 1 µs. The identity of a datagram is the membership session of its sender, its sequence number and its tag. Because the identity
 * includes the tag, a forgery that uses the sequence number of an authentic datagram does not block the authentic one.
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
