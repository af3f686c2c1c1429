/**
 * Joins IPv6 groups through raw ICMPv6 sockets. The kernel then programs the interface's filter and reports the membership to snooping
 * switches (RFC 3810). The sockets receive nothing. Each socket holds a few thousand memberships at most (net.core.optmem_max), so
 * another socket is opened when one is full.
 */
import { endianness } from 'node:os';
import raw from 'raw-socket';
import { reasonOf } from '../result.ts';
import type { GroupSocket } from './solicited-node-groups.ts';

const IPPROTO_IPV6 = 41;
const IPV6_JOIN_GROUP = 20;
const IPV6_LEAVE_GROUP = 21;
const IPPROTO_ICMPV6 = 58;
const ICMPV6_FILTER = 1;

interface RawSocket {
  setOption(level: number, option: number, value: Buffer, length: number): void;
  pauseRecv(): void;
  on(event: 'error', listener: (error: Error) => void): void;
  close(): void;
}

/** Opens the first socket. Throws when the system refuses. */
export function openGroupSocket(onRefused: (reason: string) => void): GroupSocket {
  return new RawGroupSocket(onRefused);
}

class RawGroupSocket implements GroupSocket {
  readonly #onRefused: (reason: string) => void;
  readonly #sockets: RawSocket[] = [];
  /** The socket that holds each membership. The key is the membership request in hexadecimal. */
  readonly #holders = new Map<string, RawSocket>();
  /** Reason of the last refusal on each interface, so that it is reported once rather than for each of thousands of groups and at each attempt. */
  readonly #refusals = new Map<number, string>();

  constructor(onRefused: (reason: string) => void) {
    this.#onRefused = onRefused;
    this.#open();
  }

  join(group: Uint8Array, interfaceIndex: number): boolean {
    const request = membership(group, interfaceIndex);
    const last = this.#sockets.at(-1);
    const isJoined = last !== undefined && this.#tryJoin(last, request) === undefined;
    const reason = isJoined ? undefined : this.#joinOnNewSocket(request);
    if (reason !== undefined && reason !== this.#refusals.get(interfaceIndex)) this.#onRefused(reason);
    if (reason === undefined) this.#refusals.delete(interfaceIndex);
    else this.#refusals.set(interfaceIndex, reason);
    return reason === undefined;
  }

  leave(group: Uint8Array, interfaceIndex: number): void {
    const request = membership(group, interfaceIndex);
    const key = request.toString('hex');
    const holder = this.#holders.get(key);
    if (!holder) return;
    this.#holders.delete(key);
    try {
      holder.setOption(IPPROTO_IPV6, IPV6_LEAVE_GROUP, request, request.length);
    } catch {
      // The kernel no longer has the membership, so there is nothing to leave.
    }
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
    this.#holders.clear();
  }

  /** Returns the reason of a refusal, or `undefined` after joining. */
  #joinOnNewSocket(request: Buffer): string | undefined {
    let socket: RawSocket;
    try {
      socket = this.#open();
    } catch (error) {
      return reasonOf(error);
    }
    const reason = this.#tryJoin(socket, request);
    if (reason !== undefined) this.#sockets.pop()?.close();
    return reason;
  }

  /** Throws when the system refuses. */
  #open(): RawSocket {
    const socket = raw.createSocket({
      addressFamily: raw.AddressFamily.IPv6,
      protocol: IPPROTO_ICMPV6,
      bufferSize: 1,
    });
    socket.on('error', (error) => this.#onRefused(error.message));
    socket.pauseRecv();
    const blockAll = Buffer.alloc(32, 0xff);
    try {
      socket.setOption(IPPROTO_ICMPV6, ICMPV6_FILTER, blockAll, blockAll.length);
    } catch (error) {
      socket.close();
      throw error;
    }
    this.#sockets.push(socket);
    return socket;
  }

  /** Returns the reason of a refusal, or `undefined` after joining. */
  #tryJoin(socket: RawSocket, request: Buffer): string | undefined {
    try {
      socket.setOption(IPPROTO_IPV6, IPV6_JOIN_GROUP, request, request.length);
      this.#holders.set(request.toString('hex'), socket);
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }
}

/**
 * `struct ipv6_mreq`. The index is in the machine's byte order:
 *
 *     0        16                20
 *     +--------+-----------------+
 *     | group  | interface index |
 *     +--------+-----------------+
 */
function membership(group: Uint8Array, interfaceIndex: number): Buffer {
  const request = Buffer.alloc(20);
  request.set(group);
  if (endianness() === 'LE') request.writeUInt32LE(interfaceIndex, 16);
  else request.writeUInt32BE(interfaceIndex, 16);
  return request;
}
