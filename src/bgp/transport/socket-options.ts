/**
 * The options of BGP's TCP sockets, most of which Node cannot set. Linux only. A password and TTL security must be in place before the
 * socket connects or listens. A function that sets an option throws a SystemError when the kernel refuses, so that a peer never gets an
 * unprotected connection.
 */
import { type Family, type IpAddress, ipToBytes } from '../../address/index.ts';
import * as libc from '../../linux/libc.ts';
import { isLittleEndian } from '../../linux/libc.ts';
import { maxPasswordOctets } from '../../linux/limits.ts';
import { AF_INET, AF_INET6, encodeSocketAddress } from '../../linux/socket-address.ts';
import type { SocketRules } from './transport.ts';

const SOCK_STREAM_CLOEXEC = 0o2000001;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_SNDBUF = 7;
const SO_BINDTODEVICE = 25;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_MD5SIG = 14;
const TCP_USER_TIMEOUT = 18;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_TCLASS = 67;
const IPV6_MINHOPCOUNT = 73;
/** Asks how many octets the kernel still holds because the peer has not acknowledged them. */
const SIOCOUTQ = 0x5411;

/** DSCP CS6, network control (RFC 4594 section 3.2). */
const trafficClass = 0xc0;
/** Limits the octets that the kernel holds for a peer that does not read. */
const sendBufferOctets = 256 * 1024;

/** Opens a TCP socket of the family, not connected. */
export function openTcpSocket(family: Family): number {
  return libc.openSocket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM_CLOEXEC, 0);
}

export function setReuseAddress(fd: number): void {
  libc.setIntegerOption(fd, 'SO_REUSEADDR', SOL_SOCKET, SO_REUSEADDR, 1);
}

/** Makes an IPv6 listener ignore IPv4 connections, because IPv4 has its own listener. */
export function setIpv6Only(fd: number): void {
  libc.setIntegerOption(fd, 'IPV6_V6ONLY', IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

/** Options of every BGP connection: no delay, network control precedence, a bounded send buffer. */
export function setSessionDefaults(fd: number, family: Family): void {
  libc.setIntegerOption(fd, 'TCP_NODELAY', IPPROTO_TCP, TCP_NODELAY, 1);
  libc.setIntegerOption(fd, 'SO_SNDBUF', SOL_SOCKET, SO_SNDBUF, sendBufferOctets);
  if (family === 4) libc.setIntegerOption(fd, 'IP_TOS', IPPROTO_IP, IP_TOS, trafficClass);
  else libc.setIntegerOption(fd, 'IPV6_TCLASS', IPPROTO_IPV6, IPV6_TCLASS, trafficClass);
}

/** Options that follow from the peer's configuration. */
export function setRules(fd: number, family: Family, rules: SocketRules): void {
  setTtl(fd, family, rules.ttl ?? -1);
  setMinimumTtl(fd, family, rules.minimumTtl ?? 0);
  libc.setIntegerOption(fd, 'TCP_USER_TIMEOUT', IPPROTO_TCP, TCP_USER_TIMEOUT, rules.userTimeoutMs);
}

/** TTL or hop limit of outgoing segments; -1 is the system's default. */
export function setTtl(fd: number, family: Family, ttl: number): void {
  if (family === 4) libc.setIntegerOption(fd, 'IP_TTL', IPPROTO_IP, IP_TTL, ttl);
  else libc.setIntegerOption(fd, 'IPV6_UNICAST_HOPS', IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
}

/** RFC 5082 section 3: the kernel drops segments with a lower TTL; 0 accepts everything. */
function setMinimumTtl(fd: number, family: Family, ttl: number): void {
  if (family === 4) libc.setIntegerOption(fd, 'IP_MINTTL', IPPROTO_IP, IP_MINTTL, ttl);
  else libc.setIntegerOption(fd, 'IPV6_MINHOPCOUNT', IPPROTO_IPV6, IPV6_MINHOPCOUNT, ttl);
}

export function bindToDevice(fd: number, device: string): void {
  const name = new TextEncoder().encode(`${device}\0`);
  libc.setOption(fd, 'SO_BINDTODEVICE', SOL_SOCKET, SO_BINDTODEVICE, name);
}

/**
 * Sets the key that signs segments to and from the peer (RFC 2385). `struct tcp_md5sig`:
 *
 *    0                  128     129         130          132       136
 *   | sockaddr_storage | flags | prefixlen | key length | ifindex | key, 80 octets |
 */
export function setMd5Key(fd: number, peer: IpAddress, password: string): void {
  const key = new TextEncoder().encode(password);
  if (key.length > maxPasswordOctets)
    throw new RangeError(`a TCP MD5 key has at most ${maxPasswordOctets} octets`);
  const struct = new Uint8Array(136 + maxPasswordOctets);
  struct.set(encodeSocketAddress(ipToBytes(peer), 0));
  new DataView(struct.buffer).setUint16(130, key.length, isLittleEndian);
  struct.set(key, 136);
  libc.setOption(fd, 'TCP_MD5SIG', IPPROTO_TCP, TCP_MD5SIG, struct);
}

/** Binds to the address and port; `zone` is the interface of a link-local address. */
export function bindTcpSocket(fd: number, address: IpAddress, port: number, zone?: string): void {
  const scope = zone === undefined ? 0 : libc.interfaceIndex(zone);
  libc.bindSocket(fd, encodeSocketAddress(ipToBytes(address), port, scope));
}

/** Octets that the kernel holds because the peer has not acknowledged them. */
export function unacknowledgedOctets(fd: number): number {
  return libc.requestInteger(fd, SIOCOUTQ) ?? 0;
}

/** Up to `length` octets that have arrived already; `undefined` when nothing has arrived, at the end of the stream, and after an error. */
export function receiveArrived(fd: number, length: number): Uint8Array | undefined {
  const buffer = new Uint8Array(length);
  const received = libc.receive(fd, buffer);
  return typeof received === 'number' && received > 0 ? buffer.subarray(0, received) : undefined;
}
