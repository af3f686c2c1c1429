import { type Family, type IpAddress, ipToBytes, type Prefix } from '../../address/index.ts';

/** Octets that one prefix takes in the table: the length in bits, then the address, whatever the family. */
const stride = 17;

/**
 * Prefixes as small integers, shared by the adj-RIBs-out of all peers: each is stored once, in the form the wire wants it.
 * Numbers are dense and used again once nobody refers to them, so that a peer can keep what it knows of a prefix in typed
 * arrays indexed by number.
 */
export class PrefixTable {
  /** Per prefix: `length | address octets` (RFC 4271 section 4.3), in a row of fixed width. */
  #octets = new Uint8Array(64 * stride);
  #families = new Uint8Array(64);
  #references = new Uint32Array(64);
  readonly #ids = new Map<number | string, number>();
  readonly #free: number[] = [];
  #next = 0;

  /** One more than the greatest number in use: what arrays indexed by number must hold. */
  get bound(): number {
    return this.#next;
  }

  /** Prefixes in use. */
  get size(): number {
    return this.#ids.size;
  }

  /** The number of the prefix, without taking a reference; `undefined` when it is not in the table. */
  find(prefix: Prefix): number | undefined {
    return this.#ids.get(keyOf(prefix));
  }

  /** The number of the prefix, new or known, with one reference more. */
  acquire(prefix: Prefix): number {
    const key = keyOf(prefix);
    const known = this.#ids.get(key);
    if (known !== undefined) {
      this.#references[known] = (this.#references[known] ?? 0) + 1;
      return known;
    }
    const id = this.#free.pop() ?? this.#next++;
    if (id >= this.#families.length) this.#grow();
    this.#ids.set(key, id);
    this.#families[id] = prefix.family;
    this.#references[id] = 1;
    this.#octets[id * stride] = prefix.length;
    this.#octets.set(ipToBytes(prefix), id * stride + 1);
    return id;
  }

  /** Gives a reference back; with the last one the number may soon mean another prefix. */
  release(id: number): void {
    const left = (this.#references[id] ?? 0) - 1;
    this.#references[id] = left;
    if (left > 0) return;
    this.#ids.delete(keyOf(this.prefix(id)));
    this.#free.push(id);
  }

  family(id: number): Family {
    return this.#families[id] === 4 ? 4 : 6;
  }

  /** Octets of the prefix as NLRI: one for the length and as few as hold its bits. */
  wireLength(id: number): number {
    return 1 + (((this.#octets[id * stride] ?? 0) + 7) >> 3);
  }

  /** Writes the prefix as NLRI at the offset and returns the offset after it. */
  write(id: number, into: Uint8Array, offset: number): number {
    const octets = this.#octets;
    const start = id * stride;
    const end = start + this.wireLength(id);
    let at = offset;
    for (let i = start; i < end; i++) into[at++] = octets[i] ?? 0;
    return at;
  }

  prefix(id: number): Prefix {
    const family = this.family(id);
    const start = id * stride;
    let value = 0n;
    for (let i = 1; i <= (family === 4 ? 4 : 16); i++)
      value = (value << 8n) | BigInt(this.#octets[start + i] ?? 0);
    return { family, value, length: this.#octets[start] ?? 0 };
  }

  #grow(): void {
    const capacity = this.#families.length * 2;
    const octets = new Uint8Array(capacity * stride);
    octets.set(this.#octets);
    this.#octets = octets;
    const families = new Uint8Array(capacity);
    families.set(this.#families);
    this.#families = families;
    const references = new Uint32Array(capacity);
    references.set(this.#references);
    this.#references = references;
  }
}

/** A number for IPv4 (37 bits), text for IPv6. */
function keyOf({ family, value, length }: Prefix & IpAddress): number | string {
  return family === 4 ? Number(value) * 64 + length : `${value.toString(36)}/${length}`;
}
