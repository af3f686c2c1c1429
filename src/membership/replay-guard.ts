import { createHmac } from 'node:crypto';
import { ReplayWindow } from './replay-window.ts';

/** Octets of a token on the wire. */
export const tokenLength = 8;
/** Takes the place of the token in datagrams of a member that has not received a token yet. */
export const noToken = '00'.repeat(tokenLength);

interface ProvenSession {
  readonly session: string;
  readonly token: string;
  readonly window: ReplayWindow;
  /** Number of sessions that the member has proven to this process. */
  readonly generation: number;
}

export type ReplayVerdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'replayed' }
  /** The sender must show this token before its datagrams are accepted. */
  | { readonly kind: 'challenge'; readonly token: string };

/**
 * Accepts each datagram once. Refuses replays of datagrams from before the last start of the sender or of this process. A session is fresh
 * when its datagrams show the token that this process made for it:
 *
 *     token = first 8 octets of HMAC-SHA-256(secret of this process, forgotten │ generation │ session │ name)
 *
 * The process stores nothing about a token until the sender shows it. Datagrams that an attacker recorded and sends again therefore take no
 * memory, and do not disturb a challenge under way. The generation grows with each proven session of the name. The tokens of earlier
 * sessions are then void. `forgotten` grows with each proven name that is forgotten. This voids the tokens of that name, and all tokens that no
 * member has shown yet. The members that have received such a token are challenged again.
 */
export class ReplayGuard {
  readonly #secret: Uint8Array;
  readonly #proven = new Map<string, ProvenSession>();
  #forgotten = 0;

  /** `secret` is random and lives as long as the process. */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  judge(name: string, session: string, sequence: number, token: string): ReplayVerdict {
    const proven = this.#proven.get(name);
    if (proven?.session === session) {
      if (proven.token !== token) return { kind: 'challenge', token: proven.token };
      return proven.window.accept(sequence) ? { kind: 'accept' } : { kind: 'replayed' };
    }
    const generation = (proven?.generation ?? 0) + 1;
    const expected = this.#token(name, session, generation);
    if (token !== expected) return { kind: 'challenge', token: expected };
    const window = new ReplayWindow();
    window.accept(sequence);
    this.#proven.set(name, { session, token, window, generation });
    return { kind: 'accept' };
  }

  /** Drops what is kept about the name. */
  forget(name: string): void {
    if (this.#proven.delete(name)) this.#forgotten++;
  }

  #token(name: string, session: string, generation: number): string {
    const text = `${this.#forgotten} ${generation} ${session} ${name}`;
    const hmac = createHmac('sha256', this.#secret).update(text, 'latin1');
    return hmac.digest('hex').slice(0, 2 * tokenLength);
  }
}
