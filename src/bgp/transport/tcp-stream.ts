import type { Socket } from 'node:net';
import { type Family, type IpAddress, parseIp } from '../../address/index.ts';
import type { Clock } from '../../clock.ts';
import { failureReason } from './failure-reason.ts';
import { receiveArrived, setRules, unacknowledgedOctets } from './socket-options.ts';
import type { SocketRules, Stream, StreamHandler } from './transport.ts';

/** Longest time that a closing connection waits until all written octets are sent and the peer has closed its end. */
const lingerMs = 1000;
/** Size of one read of the input that a broken connection left behind. */
const leftoverOctets = 65_536;
/**
 * After this much handling time, a stream waits for the next turn of the event loop. libuv reads up to 32 chunks of 64 KiB from one socket
 * in a turn. To handle a chunk takes 4 ms with the smallest UPDATEs and 0.4 ms with full ones (measured). Without this limit, one peer could
 * stop the loop for 130 ms.
 */
const readBudgetMs = 5;

/** The socket of a stream, and the objects that the stream works with. */
export interface TcpStreamOptions {
  readonly socket: Socket;
  /** The socket's descriptor, for options that Node cannot set. */
  readonly fd: number;
  readonly family: Family;
  readonly handler: StreamHandler;
  readonly clock: Clock;
}

/** A Node socket as a Stream. */
export class TcpStream implements Stream {
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #family: Family;
  readonly #handler: StreamHandler;
  readonly #clock: Clock;
  #isOpen = true;
  #isFrozen = false;
  /** Handling time since the stream last waited for a turn. */
  #handledMs = 0;

  constructor({ socket, fd, family, handler, clock }: TcpStreamOptions) {
    this.#socket = socket;
    this.#fd = fd;
    this.#family = family;
    this.#handler = handler;
    this.#clock = clock;
    socket.on('data', (bytes: Uint8Array) => this.#receive(bytes));
    socket.on('drain', () => {
      if (this.#isOpen) handler.onDrain();
    });
    this.#readBeforeDestroy();
    socket.on('end', () => this.#closed('connection closed by the peer'));
    socket.on('error', (error) => this.#closed(failureReason(error)));
    socket.on('close', () => this.#closed('connection closed'));
  }

  get localAddress(): IpAddress | undefined {
    return parseIp((this.#socket.localAddress ?? '').replace(/%.*$/, ''));
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  acknowledgedBytes(): number {
    if (this.#socket.destroyed) return this.#socket.bytesWritten;
    return this.#socket.bytesWritten - this.#socket.writableLength - unacknowledgedOctets(this.#fd);
  }

  write(bytes: Uint8Array): void {
    if (this.#isOpen) this.#socket.write(bytes);
  }

  apply(rules: SocketRules): void {
    if (!this.#socket.destroyed) setRules(this.#fd, this.#family, rules);
  }

  end(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return Promise.resolve();
    this.#isOpen = false;
    return new Promise((resolve) => {
      const timer = this.#clock.after(lingerMs, () => socket.destroy());
      socket.once('close', () => {
        timer.cancel();
        resolve();
      });
      if (socket.connecting) {
        socket.destroy();
        return;
      }
      // The kernel turns a close with unread input into a reset, and the reset would overtake the NOTIFICATION. So this side goes on reading.
      socket.once('end', () => socket.destroySoon());
      socket.end();
      socket.resume();
    });
  }

  destroy(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  freeze(): number | undefined {
    const socket = this.#socket;
    if (!this.#isOpen || socket.destroyed || socket.connecting) return undefined;
    this.#isFrozen = true;
    // A paused stream may hold a chunk that has been read. `read` emits it as data, and starts to read from the kernel again.
    if (socket.isPaused()) socket.read();
    this.#setReading(false);
    if (this.#isOpen && socket.writableLength === 0) return this.#fd;
    this.thaw();
    return undefined;
  }

  thaw(): void {
    this.#isFrozen = false;
    if (this.#socket.destroyed) return;
    this.#setReading(true);
    this.#socket.resume();
  }

  /** Starts or stops reading at once. After a call of `pause`, Node's socket would go on reading until its buffer is full. */
  #setReading(isReading: boolean): void {
    const handle: unknown = Reflect.get(this.#socket, '_handle');
    if (typeof handle !== 'object' || handle === null) return;
    const call: unknown = Reflect.get(handle, isReading ? 'readStart' : 'readStop');
    if (typeof call === 'function') Reflect.apply(call, handle, []);
    Reflect.set(handle, 'reading', isReading);
  }

  /** Hands over a chunk. A peer that sends faster than its octets are handled must wait, so that the event loop serves everything else. */
  #receive(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    const before = this.#clock.now();
    this.#handler.onData(bytes);
    this.#handledMs += this.#clock.now() - before;
    if (this.#handledMs < readBudgetMs || !this.#isOpen) return;
    this.#socket.pause();
    this.#clock.after(0, () => {
      this.#handledMs = 0;
      // If the stream was frozen meanwhile, another process has to read the octets that follow.
      if (!this.#isFrozen) this.#socket.resume();
    });
  }

  /**
   * A failed write destroys the socket and its unread input, usually the NOTIFICATION that says why the peer closed the connection. Linux
   * keeps that input readable after a reset, so it is read before the socket is destroyed.
   */
  #readBeforeDestroy(): void {
    const socket = this.#socket;
    const destroy = socket._destroy.bind(socket);
    socket._destroy = (error, callback) => {
      if (error) this.#readLeftover();
      destroy(error, callback);
    };
  }

  #readLeftover(): void {
    // A paused stream may hold a chunk that came before the octets in the kernel.
    const held: Uint8Array | null = this.#isOpen && this.#socket.isPaused() ? this.#socket.read() : null;
    if (held) this.#handler.onData(held);
    while (this.#isOpen) {
      const bytes = receiveArrived(this.#fd, leftoverOctets);
      if (!bytes) return;
      this.#handler.onData(bytes);
    }
  }

  #closed(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.destroy();
    this.#handler.onClosed(reason);
  }
}
