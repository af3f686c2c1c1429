import { fail, ok, type Result } from '../../result.ts';
import type { BgpError } from './errors.ts';
import { headerOctets, judgeHeader, statedLength } from './header.ts';

const nothing: Uint8Array = new Uint8Array(0);

/**
 * Cuts the octets of a TCP stream into messages. A message that lies inside one chunk is a view of that chunk, not a copy. The parts of a
 * message that is split between chunks are copied into a buffer of exactly its length, which is allocated after the header has been judged.
 * However slowly the peer writes, a reader therefore holds only the current chunk and this buffer.
 *
 *   chunk    ………┊ message ┊ message ┊ mess       chunk    age ┊ message ┊ …
 *                view      view      └─ assembled ──────────┘   view
 */
export class FrameReader {
  #chunk = nothing;
  #at = 0;
  /**
   * The message being assembled. The buffer has the length of a header until the header is complete, and then the length of the message.
   */
  #assembled: Uint8Array = nothing;
  /** Octets of `#assembled` that have arrived. */
  #filled = 0;

  /** Takes the next octets of the stream. The caller must not change them until `next` returns `undefined`. */
  push(chunk: Uint8Array): void {
    if (this.#at < this.#chunk.length) {
      const rest = this.#chunk.subarray(this.#at);
      const joined = new Uint8Array(rest.length + chunk.length);
      joined.set(rest);
      joined.set(chunk, rest.length);
      this.#chunk = joined;
    } else this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * Returns the next whole message with its header, or the error of a malformed header; `undefined` when more octets are needed. After an
   * error the boundaries of messages are lost, and every call returns the same error.
   */
  next(receiveLimit: number): Result<Uint8Array, BgpError> | undefined {
    return this.#filled > 0 ? this.#assemble(receiveLimit) : this.#cut(receiveLimit);
  }

  /** A copy of the octets that `next` has not returned. */
  unread(): Uint8Array {
    const assembled = this.#assembled.subarray(0, this.#filled);
    const rest = this.#chunk.subarray(this.#at);
    const octets = new Uint8Array(assembled.length + rest.length);
    octets.set(assembled);
    octets.set(rest, assembled.length);
    return octets;
  }

  #cut(receiveLimit: number): Result<Uint8Array, BgpError> | undefined {
    const left = this.#chunk.length - this.#at;
    if (left < headerOctets) {
      if (left > 0) this.#begin(headerOctets);
      return undefined;
    }
    const error = judgeHeader(this.#chunk, this.#at, receiveLimit);
    if (error) return fail(error);
    const length = statedLength(this.#chunk, this.#at);
    if (left < length) {
      this.#begin(length);
      return undefined;
    }
    const frame = this.#chunk.subarray(this.#at, this.#at + length);
    this.#at += length;
    return ok(frame);
  }

  #assemble(receiveLimit: number): Result<Uint8Array, BgpError> | undefined {
    this.#fill();
    if (this.#assembled.length === headerOctets) {
      if (this.#filled < headerOctets) return undefined;
      const error = judgeHeader(this.#assembled, 0, receiveLimit);
      if (error) return fail(error);
      const whole = new Uint8Array(statedLength(this.#assembled, 0));
      whole.set(this.#assembled);
      this.#assembled = whole;
      this.#fill();
    }
    if (this.#filled < this.#assembled.length) return undefined;
    const frame = this.#assembled;
    this.#assembled = nothing;
    this.#filled = 0;
    return ok(frame);
  }

  #begin(octets: number): void {
    this.#assembled = new Uint8Array(octets);
    this.#fill();
  }

  /** Copies octets from the chunk until the message is complete or the chunk is used up. */
  #fill(): void {
    const part = this.#chunk.subarray(this.#at, this.#at + this.#assembled.length - this.#filled);
    this.#assembled.set(part, this.#filled);
    this.#filled += part.length;
    this.#at += part.length;
  }
}
