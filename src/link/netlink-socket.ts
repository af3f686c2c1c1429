/** A route netlink socket, which Node lacks, straight from the C library. Linux only, as the whole speaker. */
import { endianness } from 'node:os';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const nativeSocket = libc.func('int socket(int domain, int type, int protocol)');
const nativeSetsockopt = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
);
const nativeBind = libc.func('int bind(int fd, const void *address, uint32_t length)');
const nativeSend = libc.func('intptr_t send(int fd, const void *data, size_t length, int flags)');
const nativeReceive = libc.func('intptr_t recv(int fd, void *data, size_t length, int flags)');
const nativeClose = libc.func('int close(int fd)');

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0o2000003;
const NETLINK_ROUTE = 0;
/** `RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`. */
const groups = 0x1 | 0x10 | 0x100;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const MSG_DONTWAIT = 0x40;
const receiveQueueBytes = 1024 * 1024;
/** The kernel fills at most 32 KiB into one datagram of a dump. */
const datagramBytes = 64 * 1024;

const little = endianness() === 'LE';

/** What one read brought. */
export type NetlinkRead =
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array }
  | { readonly kind: 'empty' }
  /** The kernel had to drop messages (ENOBUFS): what is known must be asked for anew. */
  | { readonly kind: 'overrun' };

export class NetlinkSocket {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(datagramBytes);
  #poll: ReturnType<typeof koffi.node.poll> | undefined;

  /** Opens it, subscribed to changes of links and addresses. Throws when the system refuses. */
  constructor() {
    this.#fd = nativeSocket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
    if (this.#fd < 0) throw new Error(`netlink socket: ${errnoName(koffi.errno())}`);
    const size = new Uint8Array(4);
    new DataView(size.buffer).setInt32(0, receiveQueueBytes, little);
    nativeSetsockopt(this.#fd, SOL_SOCKET, SO_RCVBUF, size, size.length);
    // struct sockaddr_nl: family 2 | pad 2 | port 4 | groups 4
    const address = new Uint8Array(12);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, little);
    view.setUint32(8, groups, little);
    if (nativeBind(this.#fd, address, address.length) < 0) {
      const reason = errnoName(koffi.errno());
      nativeClose(this.#fd);
      throw new Error(`netlink bind: ${reason}`);
    }
  }

  send(message: Uint8Array): void {
    if (nativeSend(this.#fd, message, message.length, 0) < 0)
      throw new Error(`netlink send: ${errnoName(koffi.errno())}`);
  }

  /** Takes one datagram; the bytes are valid until the next call. `wait` blocks until there is one. */
  receive(wait: boolean): NetlinkRead {
    const length = Number(
      nativeReceive(this.#fd, this.#buffer, this.#buffer.length, wait ? 0 : MSG_DONTWAIT),
    );
    if (length >= 0) return { kind: 'datagram', bytes: this.#buffer.subarray(0, length) };
    const errno = koffi.errno();
    const { EAGAIN, ENOBUFS, EINTR } = koffi.os.errno;
    if (errno === EAGAIN || errno === EINTR) return { kind: 'empty' };
    if (errno === ENOBUFS) return { kind: 'overrun' };
    throw new Error(`netlink recv: ${errnoName(errno)}`);
  }

  /** Calls back whenever something can be received. Does not keep the process alive. */
  onReadable(callback: () => void): void {
    this.#poll = koffi.node.poll(this.#fd, { readable: true }, callback);
    this.#poll.unref();
  }

  close(): void {
    this.#poll?.close();
    nativeClose(this.#fd);
  }
}

function errnoName(errno: number): string {
  return Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}
