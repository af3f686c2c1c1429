import type { Clock } from '../../clock.ts';
import { encodeMessage, type ReceiveOptions, standardMessageLimit } from '../codec/index.ts';
import type { FsmTimer } from '../fsm/connection-state.ts';
import type { Message } from '../message.ts';
import type { Negotiated } from '../negotiation.ts';
import type { Stream, StreamHandler } from '../transport/transport.ts';
import { ConnectionTimers } from './connection-timers.ts';
import { type Received, Receiver } from './receiver.ts';

/** An event on a connection. */
export type ConnectionInput =
  | { readonly kind: 'connected' }
  | { readonly kind: 'closed'; readonly reason: string }
  | { readonly kind: 'received'; readonly received: Received }
  | { readonly kind: 'octets'; readonly count: number }
  /** The socket has taken everything written. */
  | { readonly kind: 'drained' }
  | { readonly kind: 'expired'; readonly timer: FsmTimer };

export interface ConnectionOwner {
  readonly clock: Clock;
  readonly random: () => number;
  input(connection: Connection, input: ConnectionInput): void;
  /** Runs `handle` and catches its exceptions. An exception is a bug, and it must end only this connection. */
  guard(connection: Connection, octets: Uint8Array | undefined, handle: () => void): void;
}

/** How messages are read before the two OPENs have settled the options of the session. */
const beforeOpen: ReceiveOptions = {
  receiveLimit: standardMessageLimit,
  fourOctetAs: false,
  internal: false,
  extendedNextHop: false,
};

/**
 * The shell of one connection: its stream, its timers, its messages. It reports events and runs the machine's actions. The stream may be
 * replaced when an attempt is retried. Inputs of an earlier stream are then ignored.
 */
export class Connection {
  /** The connection's id in the peer's machine. */
  readonly id: number;
  readonly timers: ConnectionTimers;
  readonly #owner: ConnectionOwner;
  #stream: Stream | undefined;
  #receiver = new Receiver();
  #negotiated: Negotiated | undefined;
  #closing: Promise<void> = Promise.resolve();
  #isDiscarded = false;

  constructor(id: number, owner: ConnectionOwner) {
    this.id = id;
    this.#owner = owner;
    this.timers = new ConnectionTimers({
      clock: owner.clock,
      random: owner.random,
      acknowledgedBytes: () => this.#stream?.acknowledgedBytes() ?? 0,
      expired: (timer) => this.#guarded(() => this.#input({ kind: 'expired', timer })),
    });
  }

  get stream(): Stream | undefined {
    return this.#stream;
  }

  /** Resolves when the most recently ended stream is closed. */
  get closing(): Promise<void> {
    return this.#closing;
  }

  /** Opens a new stream, which replaces an earlier one. */
  attach(open: (handler: StreamHandler) => Stream): void {
    this.#stream?.destroy();
    this.#receiver = new Receiver();
    this.#negotiated = undefined;
    const isCurrent = () => this.#stream === stream;
    const stream = open({
      onConnected: () => isCurrent() && this.#guarded(() => this.#input({ kind: 'connected' })),
      onData: (bytes) => isCurrent() && this.#owner.guard(this, bytes, () => this.#read(bytes)),
      onDrain: () => isCurrent() && this.#guarded(() => this.#input({ kind: 'drained' })),
      onClosed: (reason) => {
        if (!isCurrent()) return;
        this.#stream = undefined;
        this.#guarded(() => this.#input({ kind: 'closed', reason }));
      },
    });
    this.#stream = stream;
  }

  /** From now on, messages are read and written as negotiated. */
  agree(negotiated: Negotiated): void {
    this.#negotiated = negotiated;
  }

  /** Sends a message, and returns its length in octets. */
  send(message: Message): number {
    const bytes = encodeMessage(message, { fourOctetAs: this.#negotiated?.fourOctetAs ?? false });
    this.#stream?.write(bytes);
    return bytes.length;
  }

  /**
   * Stops reading. Returns the descriptor, and the octets of a message that has not fully arrived. Returns `undefined` when the connection
   * cannot be passed on. `thaw` starts to read again.
   */
  freeze(): { readonly descriptor: number; readonly unread: Uint8Array } | undefined {
    const descriptor = this.#stream?.freeze();
    return descriptor === undefined ? undefined : { descriptor, unread: this.#receiver.unread() };
  }

  thaw(): void {
    this.#stream?.thaw();
  }

  /** Closes the socket and sends nothing, because another process has the connection. The owner gets no more inputs. */
  letGo(): void {
    this.#isDiscarded = true;
    this.timers.stopAll();
    this.#stream?.destroy();
    this.#stream = undefined;
  }

  /** Closes the stream after it has sent everything that was written. */
  end(): void {
    if (this.#stream) this.#closing = this.#stream.end();
    this.#stream = undefined;
  }

  /** Ends the connection for good. The owner gets no more inputs. */
  discard(): void {
    this.#isDiscarded = true;
    this.timers.stopAll();
    this.end();
  }

  #read(bytes: Uint8Array): void {
    this.#input({ kind: 'octets', count: bytes.length });
    const stream = this.#stream;
    this.#receiver.push(bytes);
    // A message may end the connection. The octets after it are then not read.
    while (this.#stream === stream) {
      const received = this.#receiver.next(this.#negotiated ?? beforeOpen);
      if (!received) return;
      this.#input({ kind: 'received', received });
    }
  }

  #input(input: ConnectionInput): void {
    if (!this.#isDiscarded) this.#owner.input(this, input);
  }

  #guarded(handle: () => void): void {
    this.#owner.guard(this, undefined, handle);
  }
}
