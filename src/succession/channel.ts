/**
 * The local socket between two speaker processes of one node. Only a process of the same user may connect to it: the file of the socket has the
 * mode 0600, and both ends ask the kernel which user the other end belongs to.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import * as libc from '../linux/libc.ts';
import { AF_UNIX, encodeSocketPath } from '../linux/socket-address.ts';
import { reasonOf } from '../result.ts';
import { decodeRecord, encodeRecord, maxRecordOctets, type SuccessionRecord } from './record.ts';

/**
 * SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK: a connection that keeps the boundaries of messages. Without SOCK_NONBLOCK, a connect would
 * block the thread while the other process hangs and its queue of connections is full.
 */
const SOCK_SEQPACKET_CLOEXEC_NONBLOCK = 0o2004005;
const backlog = 4;
/** Maximum number of messages that are read in one go. */
const recordsAtOnce = 64;

export interface ChannelHandler {
  /** A descriptor that comes with a record of the kind `item` belongs to the handler. */
  onRecord(record: SuccessionRecord, descriptor: number | undefined): void;
  /** The other end has closed the connection or broken the protocol. Not called after `close`. */
  onClosed(reason: string): void;
}

/** One connection. */
export class Channel {
  readonly #fd: number;
  readonly #handler: ChannelHandler;
  readonly #buffer = new Uint8Array(new ArrayBuffer(maxRecordOctets));
  readonly #stopPolling: () => void;
  #isOpen = true;

  constructor(fd: number, handler: ChannelHandler) {
    this.#fd = fd;
    this.#handler = handler;
    this.#stopPolling = libc.onReadable(fd, () => this.#read());
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends a record. Throws a SystemError when the other end is gone. When the socket is full, throws one with the code EAGAIN. */
  send(record: SuccessionRecord, descriptor?: number): void {
    if (this.#isOpen) libc.sendMessage(this.#fd, encodeRecord(record), descriptor);
  }

  /** As `send`, but returns false while the socket is full. */
  trySend(record: SuccessionRecord, descriptor?: number): boolean {
    try {
      this.send(record, descriptor);
      return true;
    } catch (error) {
      if (error instanceof libc.SystemError && error.code === 'EAGAIN') return false;
      throw error;
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stopPolling();
    libc.closeDescriptor(this.#fd);
  }

  #read(): void {
    for (let read = 0; read < recordsAtOnce && this.#isOpen; read++) {
      const message = libc.receiveMessage(this.#fd, this.#buffer);
      if (typeof message === 'string') {
        if (message !== 'EAGAIN') this.#ended(message);
        return;
      }
      if (message.length === 0) return this.#ended('the other process has closed the connection');
      this.#received(message);
    }
  }

  #received({ length, isTruncated, descriptor }: libc.ReceivedMessage): void {
    const record = decodeRecord(this.#buffer.subarray(0, length));
    const isItem = record.ok && record.value.kind === 'item';
    if (descriptor !== undefined && !isItem) libc.closeDescriptor(descriptor);
    if (isTruncated) this.#ended('a record was truncated');
    else if (!record.ok) this.#ended(record.error);
    else return this.#handler.onRecord(record.value, isItem ? descriptor : undefined);
    if (isItem && descriptor !== undefined) libc.closeDescriptor(descriptor);
  }

  #ended(reason: string): void {
    if (!this.#isOpen) return;
    this.close();
    this.#handler.onClosed(reason);
  }
}

/**
 * Connects, without waiting, to the process that listens at the path. Returns `undefined` when no process listens there. Throws when the process
 * belongs to another user or takes no connections.
 */
export function connectChannel(path: string, handler: ChannelHandler): Channel | undefined {
  const fd = openSocket();
  try {
    libc.connectSocket(fd, encodeSocketPath(path));
    checkUser(fd);
    return new Channel(fd, handler);
  } catch (error) {
    libc.closeDescriptor(fd);
    const code = error instanceof libc.SystemError ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
    if (code === 'EAGAIN')
      throw new Error('it accepts no connections, and its queue of waiting connections is full');
    throw error;
  }
}

export interface ListenOptions {
  /** Where the socket is. An earlier socket at the path is replaced. */
  readonly path: string;
  /** Takes a connection. The descriptor belongs to the callee. */
  readonly onConnected: (fd: number) => void;
  /** A connection was refused. */
  readonly onRefused: (reason: string) => void;
}

/**
 * Listens at the path until the returned function is called. That function does not delete the file, because the successor may already have put
 * its own socket there.
 */
export function listenChannel({ path, onConnected, onRefused }: ListenOptions): () => void {
  mkdirSync(dirname(path), { recursive: true });
  const address = encodeSocketPath(path);
  rmSync(path, { force: true });
  const fd = openSocket();
  try {
    libc.bindSocket(fd, address);
    // No process can connect before `listen`, so the mode protects the socket from the first connection on.
    chmodSync(path, 0o600);
    libc.listenOn(fd, backlog);
  } catch (error) {
    libc.closeDescriptor(fd);
    throw error;
  }
  const stopPolling = libc.onReadable(fd, () => {
    const connection = libc.acceptConnection(fd);
    if (typeof connection === 'string') return;
    try {
      checkUser(connection);
    } catch (error) {
      libc.closeDescriptor(connection);
      onRefused(reasonOf(error));
      return;
    }
    onConnected(connection);
  });
  return () => {
    stopPolling();
    libc.closeDescriptor(fd);
  };
}

function openSocket(): number {
  return libc.openSocket(AF_UNIX, SOCK_SEQPACKET_CLOEXEC_NONBLOCK, 0);
}

function checkUser(fd: number): void {
  const user = libc.userOfPeer(fd);
  const own = process.geteuid?.();
  if (user !== own)
    throw new Error(`the process at the other end belongs to user ${user}, not to user ${own}`);
}
