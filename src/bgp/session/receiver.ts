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

/** Messages from a stream of bytes, one at a time: what a message changes counts for the next. */
export class Receiver {
  readonly #frames = new FrameReader();

  push(bytes: Uint8Array): void {
    this.#frames.push(bytes);
  }

  /** The next whole message, `undefined` when more must arrive first. After an error nothing more can be read. */
  next(options: ReceiveOptions): Received | undefined {
    const frame = this.#frames.next(options.receiveLimit);
    if (!frame) return undefined;
    if (!frame.ok) return { kind: 'error', error: frame.error };
    const decoded = decodeMessage(frame.value, options);
    return decoded.ok ? { kind: 'message', ...decoded.value } : { kind: 'error', error: decoded.error };
  }
}
