/**
 * Datagrams sealed with AES-256-GCM. When a speaker process starts, it chooses a random session. It derives a key of its own from the
 * shared key, with HKDF (RFC 5869) and the session as salt. The nonce is only a counter, but each process has a key of its own. No nonce is
 * therefore used twice with the same key.
 *
 *      0         1            5                 21               29
 *      ├─────────┼────────────┼─────────────────┼────────────────┼───────────────┬──────────┐
 *      │ version │ key id, 4  │ session, 16     │ sequence, 8    │ ciphertext …  │ tag, 16  │
 *      └─────────┴────────────┴─────────────────┴────────────────┴───────────────┴──────────┘
 *      └──────────────── authenticated, in clear ────────────────┘  nonce: 4 zeros, sequence
 *
 * Version 2 also authenticates the name of the receiver, although that name is not sent. A member therefore cannot open a datagram that was
 * sealed for another member. Version 1 lacks this protection. It is still supported so that speakers can be upgraded node by node
 * (`channel.ts`).
 */
import { createCipheriv, createDecipheriv, hash, hkdfSync } from 'node:crypto';
import { fail, ok, type Result } from '../result.ts';
import type { Keyring, SharedKey } from './keyring.ts';

export type SealVersion = 1 | 2;

const headerLength = 29;
const tagLength = 16;
const sessionEnd = 21;
const derivedKeyLength = 32;
/** Senders keep packets below 1,400 octets. The limit leaves room for longer packets of later versions. */
const maxDatagramLength = 4096;
/** Maximum number of derived keys in the cache: one for each speaker, with room for restarts. */
const maxSessions = 4096;
const maxOwnKeys = 8;

export type SealError = 'truncated' | 'malformed' | 'version' | 'unknown-key' | 'authentication';

export interface Opened {
  readonly version: SealVersion;
  /** The session of the sender, in hexadecimal. */
  readonly session: string;
  /** Grows with each datagram of the session. */
  readonly sequence: number;
  readonly plaintext: Buffer;
}

/** A datagram whose header was read and whose key is known. Nothing in it is authenticated yet. */
export interface SealedDatagram {
  readonly bytes: Buffer;
  readonly version: SealVersion;
  readonly key: SharedKey;
  /** Whether the key of its session is already derived. */
  readonly isKnownSession: boolean;
  /** Session, sequence number and tag. Forgeries can have them too. Only replays of the datagram also have the same digest (`digestOf`). */
  readonly identity: string;
}

/** Seals the datagrams of this process and opens those of other members. */
export class Seal {
  readonly #name: string;
  readonly #keyring: Keyring;
  readonly #session: Buffer;
  readonly #derived = new Map<string, Buffer>();
  /** Keys of this process, by the id of the shared key that they are derived from. */
  readonly #own = new Map<number, Buffer>();
  #sequence: number;

  /**
   * `session` is 16 random octets. The sequence numbers start at a number that depends on it. A challenge names only a sequence number, so a
   * challenge that was recorded in another session matches no datagram of this one.
   */
  constructor(name: string, keyring: Keyring, session: Buffer) {
    this.#name = name;
    this.#keyring = keyring;
    this.#session = session;
    this.#sequence = session.readUIntBE(0, 5);
  }

  /** The sequence number of the last datagram sealed. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Seals a datagram for the receiver. */
  seal(plaintext: Uint8Array, receiver: string, version: SealVersion, key: SharedKey): Buffer {
    const header = Buffer.alloc(headerLength);
    header.writeUInt8(version, 0);
    header.writeUInt32BE(key.id, 1);
    this.#session.copy(header, 5);
    header.writeBigUInt64BE(BigInt(++this.#sequence), sessionEnd);
    const cipher = createCipheriv('aes-256-gcm', this.#ownKey(key), nonceOf(header));
    cipher.setAAD(authenticated(header, receiver, version));
    const body = cipher.update(plaintext);
    cipher.final();
    return Buffer.concat([header, body, cipher.getAuthTag()]);
  }

  /** Reads the header. This needs no cryptography. */
  inspect(datagram: Uint8Array, nowMs: number): Result<SealedDatagram, SealError> {
    if (datagram.length < headerLength + tagLength) return fail('truncated');
    if (datagram.length > maxDatagramLength) return fail('malformed');
    const version = datagram[0];
    if (version !== 1 && version !== 2) return fail('version');
    const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    const key = this.#keyring.opening(bytes.readUInt32BE(1), nowMs);
    if (!key) return fail('unknown-key');
    const isKnownSession = this.#derived.has(sessionKey(bytes));
    return ok({ bytes, version, key, isKnownSession, identity: identityOf(bytes) });
  }

  /** Opens a datagram for this member. */
  open({ bytes, version, key }: SealedDatagram): Result<Opened, SealError> {
    const header = bytes.subarray(0, headerLength);
    const session = bytes.subarray(5, sessionEnd);
    const cacheKey = sessionKey(bytes);
    const derived = this.#derived.get(cacheKey) ?? derive(key, session);
    const decipher = createDecipheriv('aes-256-gcm', derived, nonceOf(header));
    decipher.setAAD(authenticated(header, this.#name, version));
    decipher.setAuthTag(bytes.subarray(-tagLength));
    try {
      const ciphertext = bytes.subarray(headerLength, -tagLength);
      const plaintext = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
      this.#keep(cacheKey, derived);
      const sequence = Number(bytes.readBigUInt64BE(sessionEnd));
      return ok({ version, session: session.toString('hex'), sequence, plaintext });
    } catch {
      // `final` throws only when the tag does not match.
      return fail('authentication');
    }
  }

  #ownKey(key: SharedKey): Buffer {
    const known = this.#own.get(key.id);
    if (known) return known;
    // A full cache is emptied, which is rare, because keys change rarely. A key that is still in use is then derived again.
    if (this.#own.size >= maxOwnKeys) this.#own.clear();
    const derived = derive(key, this.#session);
    this.#own.set(key.id, derived);
    return derived;
  }

  #keep(cacheKey: string, derived: Buffer): void {
    if (this.#derived.has(cacheKey)) return;
    this.#derived.set(cacheKey, derived);
    for (const oldest of this.#derived.keys()) {
      if (this.#derived.size <= maxSessions) break;
      this.#derived.delete(oldest);
    }
  }
}

/** The key id and session of a datagram, under which its derived key is cached. */
function sessionKey(bytes: Buffer): string {
  return bytes.toString('hex', 1, sessionEnd);
}

function identityOf(bytes: Buffer): string {
  return bytes.toString('latin1', 5, headerLength) + bytes.toString('latin1', bytes.length - tagLength);
}

/** A digest of the whole datagram. */
export function digestOf({ bytes }: Pick<SealedDatagram, 'bytes'>): string {
  return hash('sha256', bytes, 'base64');
}

function authenticated(header: Buffer, receiver: string, version: SealVersion): Buffer {
  return version === 1 ? header : Buffer.concat([header, Buffer.from(receiver, 'latin1')]);
}

function derive({ octets }: SharedKey, session: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', octets, session, 'bellman membership', derivedKeyLength));
}

function nonceOf(header: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(4), header.subarray(sessionEnd, headerLength)]);
}
