/** The link on which a session sends its Echo packets, and our address on it. */
import { networkInterfaces } from 'node:os';
import { parseIp, prefixContains, prefixOf } from '../../address/index.ts';
import * as libc from '../../linux/libc.ts';
import { AF_INET, encodeSocketAddress } from '../../linux/socket-address.ts';
import { octetsOf } from './address-octets.ts';
import type { EchoKey } from './transport.ts';

const SOCK_DGRAM_CLOEXEC = 0o2000002;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;

/** Finds the interface and our address on the link to the peer. */
export function linkTo(
  { peerAddress, interface: device, localAddress }: EchoKey,
  interfaces: Readonly<ReturnType<typeof networkInterfaces>> = networkInterfaces(),
): { readonly device: string; readonly address: Uint8Array } {
  const peer = parseIp(peerAddress);
  for (const [label, addresses = []] of Object.entries(interfaces)) {
    // An IPv4 address with a label, such as eth0:1, appears under its label. The name of an interface contains no colon.
    const [name = label] = label.split(':');
    if (device !== undefined && name !== device) continue;
    for (const { address, cidr } of addresses) {
      const [own, length] = [parseIp(address), Number(cidr?.split('/')[1])];
      if (own?.family !== 4 || peer?.family !== 4) continue;
      if (localAddress === undefined ? prefixContains(prefixOf(own, length), peer) : address === localAddress)
        return { device: name, address: octetsOf(address) };
    }
  }
  throw new Error(`Echo packets need an IPv4 address of ours on the link to ${peerAddress}`);
}

/**
 * Whether the IPv4 address is still ours. The answer comes from a bind, because a list of all addresses takes milliseconds on a node with
 * hundreds of them. The socket is bound to the interface first, so that the kernel looks for the address in the VRF of the interface. With the
 * sysctl ip_nonlocal_bind, every address counts as ours.
 */
export function isOwnAddress(address: Uint8Array, device: string): boolean {
  let fd: number | undefined;
  try {
    fd = libc.openSocket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
    const name = new TextEncoder().encode(`${device}\0`);
    libc.setOption(fd, 'SO_BINDTODEVICE', SOL_SOCKET, SO_BINDTODEVICE, name);
    libc.bindSocket(fd, encodeSocketAddress(address, 0, 0));
    return true;
  } catch (error) {
    return !(error instanceof libc.SystemError && error.code === 'EADDRNOTAVAIL');
  } finally {
    if (fd !== undefined) libc.closeDescriptor(fd);
  }
}
