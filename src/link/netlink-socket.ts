/** A netlink(7) route socket through the C library, because Node has none. Linux only, like the whole speaker. */
import {
  bindSocket,
  closeDescriptor,
  isLittleEndian,
  onReadable,
  openSocket,
  receive,
  SystemError,
  send,
  setIntegerOption,
} from '../linux/libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0o2000003;
const NETLINK_ROUTE = 0;
/** `RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`. */
const groups = 0x1 | 0x10 | 0x100;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const receiveQueueBytes = 1024 * 1024;
/** The kernel puts at most 32 KiB into one datagram of a dump. */
const datagramBytes = 64 * 1024;

/** Result of one read. */
export type NetlinkRead =
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array }
  | { readonly kind: 'empty' }
  /** The kernel had to drop messages (ENOBUFS), so everything must be requested again. */
  | { readonly kind: 'overrun' };

export class NetlinkSocket {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(datagramBytes);
  #stopPolling: () => void = () => undefined;

  /** Opens the socket and subscribes to changes of links and addresses. Throws when the system refuses. */
  constructor() {
    this.#fd = openSocket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
    try {
      setIntegerOption(this.#fd, 'SO_RCVBUF', SOL_SOCKET, SO_RCVBUF, receiveQueueBytes);
      // struct sockaddr_nl: 0 family, 2 padding, 4 port, 8 groups
      const address = new Uint8Array(12);
      const view = new DataView(address.buffer);
      view.setUint16(0, AF_NETLINK, isLittleEndian);
      view.setUint32(8, groups, isLittleEndian);
      bindSocket(this.#fd, address);
    } catch (error) {
      closeDescriptor(this.#fd);
      throw error;
    }
  }

  send(message: Uint8Array): void {
    send(this.#fd, message);
  }

  /** Reads one datagram, whose bytes are valid until the next call. With `wait`, blocks until there is one. */
  receive(wait: boolean): NetlinkRead {
    const length = receive(this.#fd, this.#buffer, wait);
    if (typeof length === 'number') return { kind: 'datagram', bytes: this.#buffer.subarray(0, length) };
    if (length === 'EAGAIN' || length === 'EINTR') return { kind: 'empty' };
    if (length === 'ENOBUFS') return { kind: 'overrun' };
    throw new SystemError('netlink recv', length);
  }

  /** Calls back whenever the socket is readable. Does not keep the process alive. */
  onReadable(callback: () => void): void {
    this.#stopPolling = onReadable(this.#fd, callback);
  }

  close(): void {
    this.#stopPolling();
    closeDescriptor(this.#fd);
  }
}
