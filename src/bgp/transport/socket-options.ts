/**
 * The socket calls that Node lacks, straight from the C library: a socket whose options are set before it connects or listens.
 * Linux only, as the whole speaker. Every call that fails throws a SocketError: a peer with a password or TTL security must not
 * get a connection without.
 */
import { endianness } from 'node:os';
import koffi from 'koffi';
import { type IpAddress, ipToBytes } from '../../address/index.ts';
import type { SocketRules } from './transport.ts';

/** TCP_MD5SIG_MAXKEYLEN. */
const maxMd5KeyOctets = 80;

const libc = koffi.load('libc.so.6');
const nativeSocket = libc.func('int socket(int domain, int type, int protocol)');
const nativeSetsockopt = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
);
const nativeBind = libc.func('int bind(int fd, const void *address, uint32_t length)');
const nativeClose = libc.func('int close(int fd)');
const nativeIoctl = libc.func('int ioctl(int fd, unsigned long request, _Out_ int *value)');
const nativeReceive = libc.func('intptr_t recv(int fd, void *buffer, size_t length, int flags)');
const nativeInterfaceIndex = libc.func('uint32_t if_nametoindex(const char *name)');

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_SNDBUF = 7;
const SO_BINDTODEVICE = 25;
const MSG_DONTWAIT = 0x40;
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
/** Bytes sent and not acknowledged. */
const SIOCOUTQ = 0x5411;

/** DSCP CS6, network control (RFC 4594 section 3.1). */
const trafficClass = 0xc0;
/** Bounds what the kernel holds for a peer that does not read. */
const sendBufferBytes = 256 * 1024;

const little = endianness() === 'LE';

/** A socket call failed; `code` is the errno's name where it has one. */
export class SocketError extends Error {
  readonly code: string;

  constructor(call: string) {
    const errno = koffi.errno();
    const code = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
    super(`${call}: ${code}`);
    this.name = 'SocketError';
    this.code = code;
  }
}

/** A TCP socket of the family, not connected, with what every session wants. */
export function openSocket(family: IpAddress['family']): number {
  const fd: number = nativeSocket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM_CLOEXEC, 0);
  if (fd < 0) throw new SocketError('socket');
  return fd;
}

export function closeSocket(fd: number): void {
  nativeClose(fd);
}

export function setReuseAddress(fd: number): void {
  setInteger(fd, 'SO_REUSEADDR', SOL_SOCKET, SO_REUSEADDR, 1);
}

/** Keeps an IPv6 listener off IPv4, which has one of its own. */
export function setIpv6Only(fd: number): void {
  setInteger(fd, 'IPV6_V6ONLY', IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

/** What every BGP connection wants: no delay, network control precedence, a bounded send buffer. */
export function setSessionDefaults(fd: number, family: IpAddress['family']): void {
  setInteger(fd, 'TCP_NODELAY', IPPROTO_TCP, TCP_NODELAY, 1);
  setInteger(fd, 'SO_SNDBUF', SOL_SOCKET, SO_SNDBUF, sendBufferBytes);
  if (family === 4) setInteger(fd, 'IP_TOS', IPPROTO_IP, IP_TOS, trafficClass);
  else setInteger(fd, 'IPV6_TCLASS', IPPROTO_IPV6, IPV6_TCLASS, trafficClass);
}

export function setRules(fd: number, family: IpAddress['family'], rules: SocketRules): void {
  setTtl(fd, family, rules.ttl ?? -1);
  setMinimumTtl(fd, family, rules.minimumTtl ?? 0);
  setInteger(fd, 'TCP_USER_TIMEOUT', IPPROTO_TCP, TCP_USER_TIMEOUT, rules.userTimeoutMs);
}

/** TTL or hop limit of what is sent; -1 is the system's default. */
export function setTtl(fd: number, family: IpAddress['family'], ttl: number): void {
  if (family === 4) setInteger(fd, 'IP_TTL', IPPROTO_IP, IP_TTL, ttl);
  else setInteger(fd, 'IPV6_UNICAST_HOPS', IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
}

/** RFC 5082 section 3; 0 accepts everything. */
export function setMinimumTtl(fd: number, family: IpAddress['family'], ttl: number): void {
  if (family === 4) setInteger(fd, 'IP_MINTTL', IPPROTO_IP, IP_MINTTL, ttl);
  else setInteger(fd, 'IPV6_MINHOPCOUNT', IPPROTO_IPV6, IPV6_MINHOPCOUNT, ttl);
}

export function bindToDevice(fd: number, device: string): void {
  setOption(fd, 'SO_BINDTODEVICE', SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode(`${device}\0`));
}

/**
 * Sets the key for segments from and to the peer (RFC 2385). Layout of `struct tcp_md5sig`:
 * `sockaddr_storage (128) | flags 1 | prefixlen 1 | keylen 2 | ifindex 4 | key 80`.
 */
export function setMd5Key(fd: number, peer: IpAddress, password: string): void {
  const key = new TextEncoder().encode(password);
  if (key.length > maxMd5KeyOctets)
    throw new RangeError(`a TCP MD5 key has at most ${maxMd5KeyOctets} octets`);
  const struct = new Uint8Array(216);
  struct.set(socketAddress(peer, 0));
  new DataView(struct.buffer).setUint16(130, key.length, little);
  struct.set(key, 136);
  setOption(fd, 'TCP_MD5SIG', IPPROTO_TCP, TCP_MD5SIG, struct);
}

/** Binds to the address and port; `zone` is the interface of a link-local address. */
export function bindSocket(fd: number, address: IpAddress, port: number, zone?: string): void {
  const bytes = socketAddress(address, port, zone === undefined ? 0 : nativeInterfaceIndex(zone));
  if (nativeBind(fd, bytes, bytes.length) < 0) throw new SocketError('bind');
}

/** Bytes that the kernel holds because the peer has not acknowledged them. */
export function unacknowledgedBytes(fd: number): number {
  const value = [0];
  return nativeIoctl(fd, SIOCOUTQ, value) < 0 ? 0 : (value[0] ?? 0);
}

/** Up to `length` bytes that have arrived already; `undefined` when there are none, or never will be. */
export function receiveArrived(fd: number, length: number): Uint8Array | undefined {
  const buffer = new Uint8Array(length);
  const received: number = nativeReceive(fd, buffer, length, MSG_DONTWAIT);
  return received > 0 ? buffer.subarray(0, received) : undefined;
}

/**
 * `struct sockaddr_in`: `family 2 | port 2 | address 4 | zero 8`;
 * `struct sockaddr_in6`: `family 2 | port 2 | flow 4 | address 16 | scope 4`.
 */
function socketAddress(address: IpAddress, port: number, scope = 0): Uint8Array {
  const bytes = new Uint8Array(address.family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, address.family === 4 ? AF_INET : AF_INET6, little);
  view.setUint16(2, port, false);
  bytes.set(ipToBytes(address), address.family === 4 ? 4 : 8);
  if (address.family === 6) view.setUint32(24, scope, little);
  return bytes;
}

function setInteger(fd: number, label: string, level: number, name: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, little);
  setOption(fd, label, level, name, bytes);
}

function setOption(fd: number, label: string, level: number, name: number, value: Uint8Array): void {
  if (nativeSetsockopt(fd, level, name, value, value.length) < 0)
    throw new SocketError(`setsockopt ${label}`);
}
