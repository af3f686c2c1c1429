import assert from 'node:assert/strict';
import { type Family, type IpAddress, sameIp } from '../../../src/address/index.ts';
import { decodeMessage, encodeMessage, FrameReader } from '../../../src/bgp/codec/index.ts';
import type { Message } from '../../../src/bgp/message.ts';
import type {
  AcceptedPeer,
  ConnectTarget,
  Incoming,
  InheritedConnection,
  ListenFailure,
  SocketRules,
  Stream,
  StreamHandler,
  Transport,
} from '../../../src/bgp/transport/transport.ts';

const receive = { receiveLimit: 65535, fourOctetAs: true, internal: false, extendedNextHop: true };

const ourAddress: IpAddress = { family: 4, value: 0xc0000201n };

/** The frozen streams. The index of a stream serves as its descriptor. */
const frozenStreams: MemoryStream[] = [];

/** A connection in memory. The test plays the peer. */
export class MemoryStream implements Stream {
  readonly localAddress = ourAddress;
  readonly #handler: StreamHandler;
  readonly #frames = new FrameReader();
  readonly messages: Message[] = [];
  /** Messages that were written while the peer did not read. */
  readonly unreadMessages: Message[] = [];
  rules: SocketRules;
  /** The target that the speaker connected to. When the peer opened the connection, only the socket rules are present. */
  readonly target: SocketRules & Partial<ConnectTarget>;
  isConnected = false;
  /** Whether the peer reads what the speaker writes. */
  isReading = true;
  isOpen = true;
  /** Whether the speaker has stopped reading, because another process may take the connection. */
  isFrozen = false;
  unread = new Uint8Array(0);
  queuedBytes = 0;
  #acknowledged = 0;

  constructor(handler: StreamHandler, rules: SocketRules) {
    this.#handler = handler;
    this.rules = rules;
    this.target = rules;
  }

  acknowledgedBytes(): number {
    return this.#acknowledged;
  }

  write(bytes: Uint8Array): void {
    if (this.isReading) this.#acknowledged += bytes.length;
    else this.queuedBytes += bytes.length;
    this.#frames.push(bytes);
    for (let frame = this.#frames.next(65535); frame; frame = this.#frames.next(65535)) {
      assert.ok(frame.ok);
      const decoded = decodeMessage(frame.value, receive);
      assert.ok(decoded.ok);
      (this.isReading ? this.messages : this.unreadMessages).push(decoded.value.message);
    }
  }

  apply(rules: SocketRules): void {
    this.rules = rules;
  }

  end(): Promise<void> {
    this.isOpen = false;
    return Promise.resolve();
  }

  destroy(): void {
    this.isOpen = false;
  }

  freeze(): number | undefined {
    if (!this.isOpen || this.queuedBytes > 0) return undefined;
    this.isFrozen = true;
    return frozenStreams.push(this) - 1;
  }

  thaw(): void {
    this.isFrozen = false;
  }

  /**
   * Delivers the octets that the earlier process has read but not handled. The TCP transport does this by itself, in the turn of the event
   * loop after `accept`.
   */
  deliverUnread(): void {
    this.#handler.onData(this.unread);
  }

  /** Kinds of the messages that the peer has read so far. */
  kinds(): string[] {
    return this.messages.map(({ kind }) => kind);
  }

  connected(): void {
    this.isConnected = true;
    this.#handler.onConnected();
  }

  send(...messages: readonly Message[]): void {
    for (const message of messages) this.sendBytes(encodeMessage(message, { fourOctetAs: true }));
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.isOpen) this.#handler.onData(bytes);
  }

  closed(reason: string): void {
    this.isOpen = false;
    this.#handler.onClosed(reason);
  }
}

export class MemoryTransport implements Transport {
  /** Every connection that the speaker made or accepted, oldest first. */
  readonly streams: MemoryStream[] = [];
  /** Descriptors of the inherited connections that the speaker rejected. */
  readonly rejected: number[] = [];
  listening: readonly AcceptedPeer[] | undefined;
  #onIncoming: ((incoming: Incoming) => void) | undefined;
  #onFailed: ((failure: ListenFailure) => void) | undefined;

  connect(target: ConnectTarget, handler: StreamHandler): Stream {
    const stream = new MemoryStream(handler, target);
    this.streams.push(stream);
    return stream;
  }

  listen(
    _port: number,
    peers: readonly AcceptedPeer[],
    onIncoming: (incoming: Incoming) => void,
    onFailed: (failure: ListenFailure) => void,
  ) {
    this.listening = peers;
    this.#onIncoming = onIncoming;
    this.#onFailed = onFailed;
    return {
      close: () => {
        this.listening = undefined;
      },
    };
  }

  /**
   * Connects as a peer at the address, with the password that is in force there. Returns `undefined` when the speaker rejects the connection.
   */
  arrive(remoteAddress: IpAddress, localAddress = ourAddress): MemoryStream | undefined {
    let taken: MemoryStream | undefined;
    this.#onIncoming?.({
      remoteAddress,
      localAddress,
      password: this.listening?.find(({ address }) => sameIp(address, remoteAddress))?.password,
      accept: (rules, handler) => {
        taken = new MemoryStream(handler, rules);
        this.streams.push(taken);
        return taken;
      },
      reject: () => undefined,
    });
    return taken;
  }

  inherit(descriptor: number, _family: Family, unread: Uint8Array): InheritedConnection {
    const earlier = frozenStreams[descriptor];
    assert.ok(earlier, 'an unknown descriptor');
    return {
      accept: (rules, handler) => {
        assert.equal(earlier.isOpen, false, 'the earlier process still has the connection');
        const stream = new MemoryStream(handler, rules);
        stream.isConnected = true;
        stream.unread = Uint8Array.from(unread);
        this.streams.push(stream);
        return stream;
      },
      reject: () => void this.rejected.push(descriptor),
    };
  }

  cannotListen(failure: ListenFailure): void {
    this.#onFailed?.(failure);
  }

  /** The newest connection. */
  get last(): MemoryStream {
    const stream = this.streams.at(-1);
    assert.ok(stream, 'no connection yet');
    return stream;
  }
}
