/**
 * An address and port as the kernel takes them:
 *
 *   struct sockaddr_in    family 2 | port 2 | address 4 | zeros 8
 *   struct sockaddr_in6   family 2 | port 2 | flow 4 | address 16 | scope 4
 *   struct sockaddr_un    family 2 | path, ended by a zero octet
 *
 * The family and the scope are in the machine's byte order, the rest in network byte order.
 */
import { isLittleEndian } from './libc.ts';

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
const addressAt = { 4: 4, 16: 8 } as const;
const scopeAt = 24;

/** Octets of sockaddr_in6, the larger of the two structures that hold an IP address. */
export const socketAddressOctets = 28;

/** Encodes an address of 4 or 16 octets in network byte order. The scope is the interface index of a link-local address. */
export function encodeSocketAddress(address: Uint8Array, port: number, scope = 0): Uint8Array {
  const isIpv4 = address.length === 4;
  const octets = new Uint8Array(isIpv4 ? 16 : socketAddressOctets);
  const view = new DataView(octets.buffer);
  view.setUint16(0, isIpv4 ? AF_INET : AF_INET6, isLittleEndian);
  view.setUint16(2, port, false);
  octets.set(address, isIpv4 ? addressAt[4] : addressAt[16]);
  if (!isIpv4) view.setUint32(scopeAt, scope, isLittleEndian);
  return octets;
}

/** The octets of the address in a structure that the kernel has filled in, without a copy. */
export function addressOctets(socketAddress: Uint8Array): Uint8Array {
  const isIpv4 =
    new DataView(socketAddress.buffer, socketAddress.byteOffset).getUint16(0, isLittleEndian) === AF_INET;
  const at = isIpv4 ? addressAt[4] : addressAt[16];
  return socketAddress.subarray(at, at + (isIpv4 ? 4 : 16));
}

/** Octets of the longest path of a socket of AF_UNIX. */
const maxSocketPathOctets = 107;

/** Encodes the path of a socket of AF_UNIX. Throws a RangeError when the path is too long. */
export function encodeSocketPath(path: string): Uint8Array {
  const text = new TextEncoder().encode(path);
  if (text.length > maxSocketPathOctets)
    throw new RangeError(`the path ${path} has more than ${maxSocketPathOctets} octets`);
  const octets = new Uint8Array(3 + text.length);
  new DataView(octets.buffer).setUint16(0, AF_UNIX, isLittleEndian);
  octets.set(text, 2);
  return octets;
}
