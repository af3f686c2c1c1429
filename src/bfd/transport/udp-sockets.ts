/**
 * UDP sockets through the C library. Node's own sockets show neither TTL nor interface, and Node alone decides when it reads them. The BFD
 * process must choose that time itself, because it reads all sockets before it calls a peer silent.
 */
import { isLinkLocal, parseIp } from '../../address/index.ts';
import * as libc from '../../linux/libc.ts';
import {
  AF_INET,
  AF_INET6,
  addressOctets,
  encodeSocketAddress,
  socketAddressOctets,
} from '../../linux/socket-address.ts';
import { octetsOf } from './address-octets.ts';
import { openEchoSocket } from './echo-socket.ts';
import { dropAllProgram, packetProgram } from './packet-program.ts';
import { openDescriptorsOnPort, processesOnPort } from './port-holder.ts';
import type {
  BfdTransport,
  ListenKey,
  PacketFilter,
  PacketHandler,
  ReceivePort,
  SendKey,
  SendPort,
} from './transport.ts';

const SOCK_DGRAM_CLOEXEC = 0o2000002;
const IPPROTO_UDP = 17;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SO_PRIORITY = 12;
const SO_BINDTODEVICE = 25;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_TCLASS = 67;
const UDP_NO_CHECK6_RX = 102;

/** TTL of every packet (RFC 5881 section 5). Multihop sessions use it too, so that the peer can tell how far away this node is. */
const sentTtl = 255;
/** DSCP CS6, network control (RFC 4594 section 3.1). */
const trafficClass = 0xc0;
/**
 * The highest priority that needs no CAP_NET_ADMIN (TC_PRIO_INTERACTIVE). In the kernel's default queue, packets of this priority go before
 * ordinary traffic, together with those of the priority for network control. The priority must be set, because the kernel derives none from
 * CS6.
 */
const queuePriority = 6;
/** Source ports (RFC 5881 section 4). */
const sourcePorts = { first: 49152, count: 16384 } as const;
/** Where net.core.rmem_max permits this size, the queue holds thousands of packets, so a flood displaces few packets of the peers. */
const receiveQueueOctets = 1024 * 1024;
/** Longer than any BFD packet, because the field Length of a BFD packet is one octet. */
const maxPacketOctets = 512;
/** `::`, or `0.0.0.0`. */
const anyAddress = { 4: new Uint8Array(4), 6: new Uint8Array(16) } as const;

/** The sockets of this node. `random` is from 0 to below 1, and chooses source ports. */
export function systemTransport(random: () => number): BfdTransport {
  return {
    listen: (key, onReadable) => new UdpReceivePort(key, onReadable),
    openSender: (key) => new UdpSendPort(key, random),
    openEcho: openEchoSocket,
  };
}

class UdpReceivePort implements ReceivePort {
  readonly #key: ListenKey;
  readonly #fd: number;
  readonly #device: BoundDevice;
  readonly #stopPolling: () => void;
  readonly #buffer = new Uint8Array(maxPacketOctets);
  readonly #source = new Uint8Array(socketAddressOctets);

  constructor(key: ListenKey, onReadable: () => void) {
    this.#key = key;
    this.#fd = openUdpSocket(key.family);
    try {
      this.#device = new BoundDevice(this.#fd, key.interface);
      libc.setIntegerOption(this.#fd, 'SO_RCVBUF', SOL_SOCKET, SO_RCVBUF, receiveQueueOctets);
      // RFC 8200 section 8.1 forbids UDP without a checksum over IPv6, but some routers send BFD packets without one.
      if (key.family === 6)
        libc.setIntegerOption(this.#fd, 'UDP_NO_CHECK6_RX', IPPROTO_UDP, UDP_NO_CHECK6_RX, 1);
      // Nothing may pass before the sessions have set their minimum TTL.
      libc.attachSocketFilter(this.#fd, dropAllProgram);
      this.#bind();
    } catch (error) {
      libc.closeDescriptor(this.#fd);
      throw error;
    }
    this.#stopPolling = libc.onReadable(this.#fd, onReadable);
  }

  setFilter(filter: PacketFilter): void {
    const program = packetProgram(this.#key.family, filter);
    try {
      libc.attachSocketFilter(this.#fd, program);
    } catch {
      // The old and the new program count together towards net.core.optmem_max. So a tiny one first takes the place of the old one.
      libc.attachSocketFilter(this.#fd, dropAllProgram);
      libc.attachSocketFilter(this.#fd, program);
    }
  }

  drain(limit: number, handle: PacketHandler): boolean {
    for (let read = 0; read < limit; read++) {
      const length = libc.receiveFrom(this.#fd, this.#buffer, this.#source);
      // A network error also ends the reading. It concerns only one packet, and the next call reads the others.
      if (typeof length !== 'number') return false;
      handle(this.#buffer.subarray(0, length), addressOctets(this.#source));
    }
    return true;
  }

  droppedByKernel(): number {
    return libc.droppedDatagrams(this.#fd);
  }

  isAlive(): boolean {
    return this.#device.exists();
  }

  close(): void {
    this.#stopPolling();
    libc.closeDescriptor(this.#fd);
  }

  /**
   * First binds without SO_REUSEADDR. With this option, the kernel would let another BFD daemon share the port, and give each packet to only one
   * of the two daemons. The sockets of this process may share the port, because they differ in interface or address. If the bind fails only
   * because of these sockets, they and the new socket get the option during a second bind.
   */
  #bind(): void {
    const { family, port, interface: device, localAddress } = this.#key;
    const address = localAddress === undefined ? anyAddress[family] : octetsOf(localAddress);
    const bound = encodeSocketAddress(address, port, scopeOf(localAddress, device));
    try {
      libc.bindSocket(this.#fd, bound);
    } catch (error) {
      if (!hasCode(error, 'EADDRINUSE')) throw bindFault(error, this.#key);
      const holders = processesOnPort(port);
      if (holders.length > 0)
        throw new Error(
          `UDP port ${port} is in use by ${holders.join(', ')}; only one BFD daemon can use an address of the node`,
          { cause: error },
        );
      const all = [...openDescriptorsOnPort(port), this.#fd];
      for (const fd of all) libc.setIntegerOption(fd, 'SO_REUSEADDR', SOL_SOCKET, SO_REUSEADDR, 1);
      try {
        libc.bindSocket(this.#fd, bound);
      } finally {
        for (const fd of all) libc.setIntegerOption(fd, 'SO_REUSEADDR', SOL_SOCKET, SO_REUSEADDR, 0);
      }
    }
  }
}

class UdpSendPort implements SendPort {
  readonly #fd: number;
  readonly #device: BoundDevice;
  readonly #destination: Uint8Array;

  constructor(key: SendKey, random: () => number) {
    const { peerAddress, port, interface: device, localAddress } = key;
    const peer = octetsOf(peerAddress);
    const family = peer.length === 4 ? 4 : 6;
    this.#destination = encodeSocketAddress(peer, port, scopeOf(peerAddress, device));
    this.#fd = openUdpSocket(family);
    try {
      this.#device = new BoundDevice(this.#fd, device);
      libc.attachSocketFilter(this.#fd, dropAllProgram);
      setPrecedence(this.#fd, family);
      this.#bind(key, localAddress === undefined ? anyAddress[family] : octetsOf(localAddress), random);
    } catch (error) {
      libc.closeDescriptor(this.#fd);
      throw error;
    }
  }

  send(octets: Uint8Array): string | undefined {
    try {
      libc.sendTo(this.#fd, octets, this.#destination);
      return undefined;
    } catch (error) {
      return error instanceof libc.SystemError ? error.code : String(error);
    }
  }

  isAlive(): boolean {
    return this.#device.exists();
  }

  close(): void {
    libc.closeDescriptor(this.#fd);
  }

  /** Binds the socket to a free source port of the range. */
  #bind(key: SendKey, address: Uint8Array, random: () => number): void {
    const start = Math.floor(random() * sourcePorts.count);
    for (let step = 0; step < sourcePorts.count; step++) {
      const port = sourcePorts.first + ((start + step) % sourcePorts.count);
      try {
        libc.bindSocket(
          this.#fd,
          encodeSocketAddress(address, port, scopeOf(key.localAddress, key.interface)),
        );
        return;
      } catch (error) {
        if (!hasCode(error, 'EADDRINUSE')) throw bindFault(error, key);
      }
    }
    throw new Error(`every UDP source port from ${sourcePorts.first} is in use`);
  }
}

/** The interface that a socket is bound to. To the kernel, an interface that is deleted and created again is a different interface. */
class BoundDevice {
  readonly #name: string | undefined;
  readonly #index: number;

  constructor(fd: number, name: string | undefined) {
    this.#name = name;
    this.#index = name === undefined ? 0 : libc.interfaceIndex(name);
    if (name === undefined) return;
    if (this.#index === 0) throw new Error(`this node has no interface ${name}`);
    const octets = new TextEncoder().encode(`${name}\0`);
    libc.setOption(fd, 'SO_BINDTODEVICE', SOL_SOCKET, SO_BINDTODEVICE, octets);
  }

  exists(): boolean {
    return this.#name === undefined || libc.interfaceIndex(this.#name) === this.#index;
  }
}

function openUdpSocket(family: 4 | 6): number {
  const fd = libc.openSocket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM_CLOEXEC, IPPROTO_UDP);
  if (family === 6) libc.setIntegerOption(fd, 'IPV6_V6ONLY', IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return fd;
}

function setPrecedence(fd: number, family: 4 | 6): void {
  if (family === 4) {
    libc.setIntegerOption(fd, 'IP_TTL', IPPROTO_IP, IP_TTL, sentTtl);
    libc.setIntegerOption(fd, 'IP_TOS', IPPROTO_IP, IP_TOS, trafficClass);
  } else {
    libc.setIntegerOption(fd, 'IPV6_UNICAST_HOPS', IPPROTO_IPV6, IPV6_UNICAST_HOPS, sentTtl);
    libc.setIntegerOption(fd, 'IPV6_TCLASS', IPPROTO_IPV6, IPV6_TCLASS, trafficClass);
  }
  libc.setIntegerOption(fd, 'SO_PRIORITY', SOL_SOCKET, SO_PRIORITY, queuePriority);
}

function bindFault(
  error: unknown,
  { localAddress, interface: device }: Omit<SendKey, 'peerAddress'>,
): unknown {
  if (!hasCode(error, 'EADDRNOTAVAIL')) return error;
  const where = device === undefined ? 'this node' : `interface ${device}`;
  return new Error(`${where} does not have the source address ${localAddress}`, { cause: error });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof libc.SystemError && error.code === code;
}

/** The scope of a link-local address; 0 for any other address. */
function scopeOf(text: string | undefined, device: string | undefined): number {
  const address = text === undefined ? undefined : parseIp(text);
  return address && device !== undefined && isLinkLocal(address) ? libc.interfaceIndex(device) : 0;
}
