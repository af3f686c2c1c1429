import {
  type BgpError,
  type Decoded,
  decodeMessage,
  FrameReader,
  type ReceiveOptions,
} from '../codec/index.ts';

export type Received =
  | ({ readonly kind: 'message' } & Decoded)
  | { readonly kind: 'error'; readonly error: BgpError };

/** Reads messages from a stream of octets one at a time, because each message may change how the next one is read. */
export class Receiver {
  readonly #frames = new FrameReader();

  push(bytes: Uint8Array): void {
    this.#frames.push(bytes);
  }

  /** A copy of the octets that `next` has not returned. */
  unread(): Uint8Array {
    return this.#frames.unread();
  }

  /** The next whole message; `undefined` until more octets arrive. After an error the stream cannot be read any further. */
  next(options: ReceiveOptions): Received | undefined {
    const frame = this.#frames.next(options.receiveLimit);
    if (!frame) return undefined;
    if (!frame.ok) return { kind: 'error', error: frame.error };
    const decoded = decodeMessage(frame.value, options);
    return decoded.ok ? { kind: 'message', ...decoded.value } : { kind: 'error', error: decoded.error };
  }
}
