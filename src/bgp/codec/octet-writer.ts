const initialOctets = 64;

/** Octets in network byte order, one field after the other, in a buffer that grows as needed. */
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

  /** Puts two octets over those at an earlier offset: a length known only now. */
  patchUint16(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  /** What has been written, without a copy; the writer is done. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Room for `count` octets: where they start. */
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
