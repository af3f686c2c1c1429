import type { NotificationError } from '../fsm-types.ts';
import type { Message } from '../message.ts';
import { decodeMessage } from './interim-codec.ts';

/** Something in an UPDATE that RFC 7606 tells to live with. */
export interface ReceivedFault {
  readonly attribute: number;
  readonly treatment: string;
  readonly reason: string;
}

export interface ReceivedMessage {
  readonly kind: 'message';
  readonly message: Message;
  /** Reachable prefixes of an UPDATE. */
  readonly prefixes: number;
  readonly faults: readonly ReceivedFault[];
}

export type Received = ReceivedMessage | { readonly kind: 'error'; readonly error: NotificationError };

/** What of the session decides how messages are read. */
export interface ReceiveContext {
  readonly receiveLimit: number;
  readonly fourOctetAs: boolean;
  readonly internal: boolean;
}

const headerBytes = 19;

/** Cuts a stream of bytes into messages. Holds no more than one unfinished message. */
export class Receiver {
  #pending: Uint8Array = new Uint8Array(0);

  /** The bytes are the receiver's until `next` has returned `undefined`. */
  push(bytes: Uint8Array): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
  }

  /** The next whole message, `undefined` when more must arrive first. After an error nothing more can be read. */
  next(context: ReceiveContext): Received | undefined {
    const bytes = this.#pending;
    if (bytes.length < headerBytes) return this.#wait();
    const length = (bytes[16] ?? 0) * 256 + (bytes[17] ?? 0);
    if (length < headerBytes || length > context.receiveLimit)
      return { kind: 'error', error: { code: 1, subcode: 2, data: bytes.slice(16, 18) } };
    if (bytes.length < length) return this.#wait();
    this.#pending = bytes.subarray(length);
    const decoded = decodeMessage(bytes.subarray(0, length));
    if (!decoded.ok) return { kind: 'error', error: decoded.error };
    return { kind: 'message', message: decoded.message, prefixes: decoded.prefixes, faults: [] };
  }

  /** Keeps a copy of the rest: the buffer it lies in belongs to the socket. */
  #wait(): undefined {
    this.#pending = this.#pending.slice();
    return undefined;
  }
}
