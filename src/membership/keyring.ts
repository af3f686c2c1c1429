import { createHash } from 'node:crypto';
import { fail, ok, type Result } from '../result.ts';

/** Shared keys, 32 octets each. The first key seals datagrams, and every key opens them. */
export type Keys = readonly [Uint8Array, ...Uint8Array[]];

/**
 * How long a key that was removed from the Secret still opens datagrams. Speakers read a changed Secret at different times. A speaker that
 * has read it must still understand a speaker that has not.
 */
export const retiredKeyMs = 600_000;
const keyLength = 32;

export interface SharedKey {
  /** Sent in clear in each datagram. */
  readonly id: number;
  readonly octets: Uint8Array;
}

interface HeldKey extends SharedKey {
  readonly opensUntilMs: number;
}

/** The keys in use, and the keys that were removed less than `retiredKeyMs` ago. */
export class Keyring {
  #sealing: SharedKey;
  #held: readonly HeldKey[];

  constructor(keys: Keys) {
    this.#sealing = sharedKey(keys[0]);
    this.#held = keys.map(heldForGood);
  }

  replace(keys: Keys, nowMs: number): void {
    const current = keys.map(heldForGood);
    const retired = this.#held
      .filter((old) => old.opensUntilMs > nowMs && !current.some(({ id }) => id === old.id))
      .map((old) => ({ ...old, opensUntilMs: Math.min(old.opensUntilMs, nowMs + retiredKeyMs) }));
    this.#sealing = sharedKey(keys[0]);
    this.#held = [...current, ...retired];
  }

  get sealing(): SharedKey {
    return this.#sealing;
  }

  opening(id: number, nowMs: number): SharedKey | undefined {
    return this.#held.find((key) => key.id === id && key.opensUntilMs > nowMs);
  }
}

/** Reads the lines of the Secret. Each line is one key of 32 octets in base64. The error says which line is wrong. */
export function parseKeys(lines: readonly string[]): Result<Keys, string> {
  const keys = lines.map((line) => Buffer.from(line, 'base64'));
  // `Buffer.from` skips invalid characters.
  const wrong = keys.findIndex((key, i) => key.length !== keyLength || key.toString('base64') !== lines[i]);
  if (wrong >= 0) return fail(`key ${wrong + 1} must be ${keyLength} octets in base64`);
  const [first, ...rest] = keys.map((key) => new Uint8Array(key));
  return first ? ok([first, ...rest]) : fail('no key');
}

function heldForGood(octets: Uint8Array): HeldKey {
  return { ...sharedKey(octets), opensUntilMs: Number.POSITIVE_INFINITY };
}

function sharedKey(octets: Uint8Array): SharedKey {
  const hash = createHash('sha256').update('bellman membership key id').update(octets);
  return { id: hash.digest().readUInt32BE(0), octets };
}
