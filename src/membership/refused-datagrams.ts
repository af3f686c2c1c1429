import { digestOf, type SealedDatagram } from './seal.ts';

/** Maximum number of datagrams remembered. A replay of an older datagram is opened and refused again. */
const maxRemembered = 4096;

type Refused = Pick<SealedDatagram, 'identity' | 'bytes'>;

/**
 * Remembers refused datagrams, so that a replay is not opened again. A failed attempt to open a datagram takes 40 µs.
 *
 * A forgery can have the identity of an authentic datagram that has not arrived yet. The digest of the whole datagram tells the two apart, so a
 * forgery never blocks an authentic datagram. The digest is computed only when the identity is known, so most datagrams cost one look-up.
 */
export class RefusedDatagrams {
  readonly #digests = new Map<string, string>();

  has(datagram: Refused): boolean {
    const digest = this.#digests.get(datagram.identity);
    return digest !== undefined && digest === digestOf(datagram);
  }

  add(datagram: Refused): void {
    this.#digests.set(datagram.identity, digestOf(datagram));
    for (const oldest of this.#digests.keys()) {
      if (this.#digests.size <= maxRemembered) return;
      this.#digests.delete(oldest);
    }
  }
}
