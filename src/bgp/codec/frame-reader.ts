import { fail, ok, type Result } from '../../result.ts';
import type { BgpError } from './errors.ts';
import { headerOctets, judgeHeader, statedLength } from './header.ts';

const nothing: Uint8Array = new Uint8Array(0);

/**
 * Cuts the octets of a TCP stream into messages. A message that lies inside one chunk is a view of it, without a copy; only one
 * that the chunks cut apart is put together, in a buffer of its own length that is made once its header has been judged. So
 * a reader holds one message at most beside the chunk it was given, however slowly the peer writes.
 *
 *   chunk    ………┊ message ┊ message ┊ mess       chunk    age ┊ message ┊ …
 *                view      view      └─ assembled ──────────┘   view
 */
export class FrameReader {
  #chunk = nothing;
  #at = 0;
  /** A message whose beginning has been seen: its header's size until that is complete, then its own. */
  #assembled: Uint8Array = nothing;
  #filled = 0;

  /** Takes the next octets of the stream: they and the messages cut from them stay as they are until `next` returns `undefined`. */
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
   * The next whole message with its header, or what is wrong with its header; `undefined` until more has been pushed. After an error
   * the stream has lost its borders: the answer stays the same.
   */
  next(receiveLimit: number): Result<Uint8Array, BgpError> | undefined {
    return this.#filled > 0 ? this.#assemble(receiveLimit) : this.#cut(receiveLimit);
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

  /** Moves as much of the chunk as there is room for. */
  #fill(): void {
    const part = this.#chunk.subarray(this.#at, this.#at + this.#assembled.length - this.#filled);
    this.#assembled.set(part, this.#filled);
    this.#filled += part.length;
    this.#at += part.length;
  }
}
