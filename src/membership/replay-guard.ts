/** How far behind the newest a datagram of a session may arrive. */
const windowSize = 256n;

/** Which sequence numbers have come, as in RFC 4303 section 3.4.3: each once, none too old. */
export class ReplayWindow {
  #newest = 0;
  #seen = 0n;

  /** True the first time, for a number that is new or within the window. */
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

interface PeerSession {
  readonly session: string;
  /** What we gave the peer to show in each datagram. */
  readonly token: string;
  readonly window: ReplayWindow;
}

export type GuardVerdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'replayed' }
  /** Send the token to the peer: it has to show it before it is believed. */
  | { readonly kind: 'challenge'; readonly token: string };

/**
 * Lets each datagram in once, and none of an earlier life of the sender or of ourselves. A session is believed only when it
 * shows a token that we made up for it; a recorded datagram shows an old one. A proven new session ends the old.
 */
export class ReplayGuard {
  readonly #newToken: () => string;
  readonly #current = new Map<string, PeerSession>();
  readonly #pending = new Map<string, PeerSession>();

  constructor(newToken: () => string) {
    this.#newToken = newToken;
  }

  judge(peer: string, session: string, sequence: number, token: string): GuardVerdict {
    const current = this.#current.get(peer);
    if (current?.session === session && current.token === token)
      return current.window.accept(sequence) ? { kind: 'accept' } : { kind: 'replayed' };
    const pending = this.#pending.get(peer);
    if (pending?.session === session && pending.token === token) {
      this.#pending.delete(peer);
      this.#current.set(peer, pending);
      pending.window.accept(sequence);
      return { kind: 'accept' };
    }
    // Right after a challenge, datagrams sent before it are still on their way: they get the same token.
    const asked =
      pending?.session === session
        ? pending
        : current?.session === session
          ? current
          : { session, token: this.#newToken(), window: new ReplayWindow() };
    if (asked !== current) this.#pending.set(peer, asked);
    return { kind: 'challenge', token: asked.token };
  }
}
