import type { Family, Prefix } from '../../address/index.ts';

/** Octets that the table keeps for each prefix: 1 for the length in bits, and 16 for an address of either family. */
const stride = 17;

/**
 * Gives prefixes small numbers. The Adj-RIBs-Out of all peers share the table. It stores each prefix once, in its wire form.
 *
 * Numbers are dense and are reused, so that a peer can keep its state of each prefix in typed arrays indexed by number. A prefix without
 * references keeps its number until another prefix needs that number. Withdrawing a whole table therefore deletes nothing here, and
 * announcing the same table again inserts nothing.
 */
export class PrefixTable {
  /** A row of fixed width for each prefix: one octet for its length in bits, then 4 or 16 octets for its address (RFC 4271 section 4.3). */
  #octets = new Uint8Array(64 * stride);
  #view = new DataView(this.#octets.buffer);
  #families = new Uint8Array(64);
  #references = new Uint32Array(64);
  /**
   * The number of each IPv4 prefix, by the prefix's length and then by its address as a signed 32-bit integer. V8 allocates nothing for such a
   * key and hashes it quickly.
   */
  readonly #ids4 = Array.from({ length: 33 }, () => new Map<number, number>());
  readonly #ids6 = new Map<string, number>();
  /** Numbers whose last reference was removed. Some of them have since been acquired again by their old prefix. */
  readonly #free: number[] = [];
  #isInFree = new Uint8Array(64);
  #next = 0;
  #size = 0;
  #lastFound = 0;

  /** Prefixes in use. */
  get size(): number {
    return this.#size;
  }

  /** Returns the number of the prefix without adding a reference; `undefined` when the prefix has no references. */
  find(prefix: Prefix): number | undefined {
    const id = this.#lookUp(prefix);
    return id !== undefined && this.#references[id] ? id : undefined;
  }

  /** Returns the number of the prefix, which may be new, and adds a reference. */
  acquire(prefix: Prefix): number {
    const known = this.#lookUp(prefix);
    const id = known ?? this.#assign(prefix);
    const references = this.#references[id] ?? 0;
    if (references === 0) this.#size++;
    this.#references[id] = references + 1;
    return id;
  }

  #lookUp(prefix: Prefix): number | undefined {
    if (prefix.family === 6) return this.#ids6.get(keyOf(prefix));
    const address = Number(prefix.value) | 0;
    // Bulk changes usually come in the order in which the prefixes were added, so the next number is a good guess and near in memory.
    const guess = this.#lastFound + 1;
    const at = guess * stride;
    const isNext =
      this.#families[guess] === 4 &&
      this.#octets[at] === prefix.length &&
      this.#view.getInt32(at + 1) === address;
    const id = isNext ? guess : this.#ids4[prefix.length]?.get(address);
    if (id !== undefined) this.#lastFound = id;
    return id;
  }

  /** Assigns a number to a prefix that has none. */
  #assign(prefix: Prefix): number {
    const id = this.#takeFree() ?? this.#next++;
    if (id >= this.#families.length) this.#grow();
    if (prefix.family === 4) this.#ids4[prefix.length]?.set(Number(prefix.value) | 0, id);
    else this.#ids6.set(keyOf(prefix), id);
    this.#families[id] = prefix.family;
    this.#store(id, prefix);
    return id;
  }

  #takeFree(): number | undefined {
    for (let id = this.#free.pop(); id !== undefined; id = this.#free.pop()) {
      this.#isInFree[id] = 0;
      if (this.#references[id]) continue;
      if (this.#families[id] === 4)
        this.#ids4[this.#octets[id * stride] ?? 0]?.delete(this.#view.getInt32(id * stride + 1));
      else this.#ids6.delete(keyOf(this.prefix(id)));
      return id;
    }
    return undefined;
  }

  /** Removes a reference. Without references the number may be reused for another prefix. */
  release(id: number): void {
    const left = (this.#references[id] ?? 0) - 1;
    this.#references[id] = left;
    if (left > 0) return;
    this.#size--;
    if (this.#isInFree[id]) return;
    this.#isInFree[id] = 1;
    this.#free.push(id);
  }

  family(id: number): Family {
    return this.#families[id] === 4 ? 4 : 6;
  }

  /** Octets of the prefix as NLRI: one for the length, then as few as can hold its bits. */
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
    const length = this.#octets[id * stride] ?? 0;
    const at = id * stride + 1;
    if (this.family(id) === 4) return { family: 4, value: BigInt(this.#view.getUint32(at)), length };
    const value = (this.#view.getBigUint64(at) << 64n) | this.#view.getBigUint64(at + 8);
    return { family: 6, value, length };
  }

  #store(id: number, { family, value, length }: Prefix): void {
    const at = id * stride + 1;
    this.#octets[at - 1] = length;
    if (family === 4) {
      this.#view.setUint32(at, Number(value));
    } else {
      this.#view.setBigUint64(at, value >> 64n);
      this.#view.setBigUint64(at + 8, value & 0xffff_ffff_ffff_ffffn);
    }
  }

  #grow(): void {
    const capacity = this.#families.length * 2;
    const octets = new Uint8Array(capacity * stride);
    octets.set(this.#octets);
    this.#octets = octets;
    this.#view = new DataView(octets.buffer);
    const families = new Uint8Array(capacity);
    families.set(this.#families);
    this.#families = families;
    const references = new Uint32Array(capacity);
    references.set(this.#references);
    this.#references = references;
    const isInFree = new Uint8Array(capacity);
    isInFree.set(this.#isInFree);
    this.#isInFree = isInFree;
  }
}

function keyOf({ value, length }: Prefix): string {
  return `${value.toString(36)}/${length}`;
}
