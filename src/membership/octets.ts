import type { Endpoint } from './endpoint.ts';
import type { PayloadFormat, PayloadRecord } from './payload.ts';

/** Appends values to a buffer of a given capacity. A text is written as its length and its characters in ISO 8859-1. */
export class OctetWriter {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  uint(value: number, octets: number): void {
    this.#at = this.#buffer.writeUIntBE(value, this.#at, octets);
  }

  text(value: string, lengthOctets: 1 | 2 = 1): void {
    this.uint(value.length, lengthOctets);
    this.#at += this.#buffer.write(value, this.#at, 'latin1');
  }

  octets(octets: Uint8Array): void {
    this.#buffer.set(octets, this.#at);
    this.#at += octets.length;
  }

  endpoint({ host, port }: Endpoint): void {
    this.text(host);
    this.uint(port, 2);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }
}

/**
 * Reads one value after another. Past the end, the reader returns zeros and empty texts, and sets `isShort`. A decoder therefore needs only
 * one check at the end.
 */
export class OctetReader {
  readonly #bytes: Buffer;
  #at = 0;
  isShort = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  uint(octets: number): number {
    if (!this.#has(octets)) return 0;
    const value = this.#bytes.readUIntBE(this.#at, octets);
    this.#at += octets;
    return value;
  }

  text(lengthOctets: 1 | 2 = 1): string {
    const length = this.uint(lengthOctets);
    if (!this.#has(length)) return '';
    this.#at += length;
    return this.#bytes.toString('latin1', this.#at - length, this.#at);
  }

  endpoint(): Endpoint {
    return { host: this.text(), port: this.uint(2) };
  }

  payload(payloads: PayloadFormat): PayloadRecord | undefined {
    const found = payloads.read(this.#bytes, this.#at);
    if (!found) return undefined;
    const octets = this.#bytes.subarray(this.#at, found.end);
    this.#at = found.end;
    return { kind: 'payload', key: found.key, octets };
  }

  #has(octets: number): boolean {
    if (this.#at + octets <= this.#bytes.length) return true;
    this.isShort = true;
    return false;
  }
}
