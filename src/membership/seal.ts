/**
 * Datagrams sealed with AES-256-GCM. Each process life derives its own key from the shared one (HKDF, RFC 5869, the random
 * session as salt), so that a counter serves as nonce without ever meeting one that another speaker used.
 *
 *      0       1            5                 21               29
 *      ├───────┼────────────┼─────────────────┼────────────────┼───────────────┬──────────┐
 *      │ 0x01  │ key id, 4  │ session, 16     │ sequence, 8    │ ciphertext …  │ tag, 16  │
 *      └───────┴────────────┴─────────────────┴────────────────┴───────────────┴──────────┘
 *      └──────────────── authenticated, in clear ──────────────┘  nonce: 4 zeros, sequence
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { fail, ok, type Result } from '../result.ts';

const version = 1;
const headerLength = 29;
const tagLength = 16;
const sessionLength = 16;
const keyLength = 32;
/** Sessions whose derived key is kept: of every speaker, with room for restarts. */
const keptSessions = 4096;

export type SealError = 'truncated' | 'version' | 'unknown-key' | 'authentication';

export interface Opened {
  /** Of the sender's process life, in hexadecimal. */
  readonly session: string;
  /** Grows with each datagram of the session. */
  readonly sequence: number;
  readonly plaintext: Buffer;
}

interface SharedKey {
  readonly id: number;
  readonly key: Buffer;
}

/** Seals what this process sends and opens what others sent. */
export class Seal {
  readonly #keys: readonly SharedKey[];
  readonly #own: { readonly session: Buffer; readonly derived: Buffer; readonly id: number };
  readonly #derived = new Map<string, Buffer>();
  #sequence: number;

  /** The first of the keys (32 octets each) seals, all open. `session` is 16 random octets; `sequence` the last one used in it. */
  constructor(keys: readonly [Uint8Array, ...Uint8Array[]], session: Uint8Array, sequence = 0) {
    this.#keys = keys.map((key) => ({ id: keyId(key), key: Buffer.from(key) }));
    this.#own = { session: Buffer.from(session), derived: derive(keys[0], session), id: keyId(keys[0]) };
    this.#sequence = sequence;
  }

  /** The last sequence number used. */
  get sequence(): number {
    return this.#sequence;
  }

  seal(plaintext: Uint8Array): Buffer {
    const header = Buffer.alloc(headerLength);
    header[0] = version;
    header.writeUInt32BE(this.#own.id, 1);
    this.#own.session.copy(header, 5);
    header.writeBigUInt64BE(BigInt(++this.#sequence), 21);
    const cipher = createCipheriv('aes-256-gcm', this.#own.derived, nonceOf(header));
    cipher.setAAD(header);
    const body = cipher.update(plaintext);
    cipher.final();
    return Buffer.concat([header, body, cipher.getAuthTag()]);
  }

  open(datagram: Uint8Array): Result<Opened, SealError> {
    if (datagram.length < headerLength + tagLength) return fail('truncated');
    if (datagram[0] !== version) return fail('version');
    const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    const id = bytes.readUInt32BE(1);
    const shared = this.#keys.find((key) => key.id === id);
    if (!shared) return fail('unknown-key');
    const header = bytes.subarray(0, headerLength);
    const session = bytes.subarray(5, 5 + sessionLength);
    const cacheKey = header.toString('hex', 1, 5 + sessionLength);
    const derived = this.#derived.get(cacheKey) ?? derive(shared.key, session);
    const decipher = createDecipheriv('aes-256-gcm', derived, nonceOf(header));
    decipher.setAAD(header);
    decipher.setAuthTag(bytes.subarray(-tagLength));
    try {
      const plaintext = Buffer.concat([
        decipher.update(bytes.subarray(headerLength, -tagLength)),
        decipher.final(),
      ]);
      this.#keep(cacheKey, derived);
      const sequence = Number(bytes.readBigUInt64BE(21));
      return ok({ session: session.toString('hex'), sequence, plaintext });
    } catch {
      // The only thing that `final` throws for: the tag does not fit.
      return fail('authentication');
    }
  }

  #keep(cacheKey: string, derived: Buffer): void {
    if (this.#derived.has(cacheKey)) return;
    this.#derived.set(cacheKey, derived);
    if (this.#derived.size <= keptSessions) return;
    for (const oldest of this.#derived.keys()) {
      this.#derived.delete(oldest);
      break;
    }
  }
}

/** Reads the Secret's value: lines of base64, 32 octets each. The error says which line is wrong. */
export function parseKeys(lines: readonly string[]): Result<readonly [Uint8Array, ...Uint8Array[]], string> {
  const keys = lines.map((line) => Buffer.from(line, 'base64'));
  const wrong = keys.findIndex((key) => key.length !== keyLength);
  if (wrong >= 0) return fail(`key ${wrong + 1} is not base64 of ${keyLength} octets`);
  const [first, ...rest] = keys;
  return first ? ok([first, ...rest]) : fail('no key');
}

function keyId(key: Uint8Array): number {
  return createHash('sha256').update('bellman membership key id').update(key).digest().readUInt32BE(0);
}

function derive(key: Uint8Array, session: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', key, session, 'bellman membership', keyLength));
}

function nonceOf(header: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(4), header.subarray(21, 29)]);
}
