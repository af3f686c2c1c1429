const initialOctets = 64;

/** Writes fields in network byte order, one after the other, into a buffer that grows as needed. */
export class OctetWriter {
  #bytes = new Uint8Array(initialOctets);
  #length = 0;

  /** Octets written so far. */
  get length(): number {
    return this.#length;
  }

  uint8(value: number): this {
    const at = this.#take(1);
    this.#bytes[at] = value;
    return this;
  }

  uint16(value: number): this {
    return this.uint8(value >>> 8).uint8(value);
  }

  uint32(value: number): this {
    return this.uint16(value >>> 16).uint16(value & 0xffff);
  }

  octets(bytes: Uint8Array): this {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Overwrites two octets at an earlier offset, for a length that becomes known later. */
  patchUint16(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  /** Returns the written octets as a view. The writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Reserves `count` octets and returns their offset. */
  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    return at;
  }
}
