/**
 * A packet socket for Echo packets on one interface. An ordinary socket does not suffice: the kernel never sends a packet for an address of this
 * node over a link, and it drops a received packet whose source is an address of this node. The socket needs CAP_NET_RAW.
 */
import { readFileSync } from 'node:fs';
import * as libc from '../../linux/libc.ts';
import {
  acceptPacket,
  dropPacket,
  encodeProgram,
  jumpIfEqual,
  loadHalf,
  loadHalfBehindHeader,
  loadHeaderLength,
  loadOctet,
} from '../../linux/socket-filter.ts';
import { echoPort } from '../codec/echo-packet.ts';
import { isOwnAddress, linkTo } from './echo-link.ts';
import type { EchoKey, EchoSocket } from './transport.ts';

const AF_PACKET = 17;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const ETH_P_IP = 0x0800;
const ARPHRD_ETHER = 1;
const linkAddressOctets = 6;
const maxPacketOctets = 128;

/** Accepts whole IPv4 packets with UDP to the port of Echo packets. The offsets count from the IP header. */
const echoProgram = encodeProgram([
  [loadOctet, 0, 0, 9],
  [jumpIfEqual, 0, 6, 17],
  // Fragments are dropped, because only the first one of a packet has a UDP header.
  [loadHalf, 0, 0, 6],
  [jumpIfEqual, 1, 0, 0x4000],
  [jumpIfEqual, 0, 3, 0],
  [loadHeaderLength, 0, 0, 0],
  [loadHalfBehindHeader, 0, 0, 2],
  [jumpIfEqual, 1, 0, echoPort],
  dropPacket,
  acceptPacket,
]);

export function openEchoSocket(key: EchoKey, onReadable: () => void): EchoSocket {
  const { device, address } = linkTo(key);
  const index = libc.interfaceIndex(device);
  const fd = libc.openSocket(AF_PACKET, SOCK_DGRAM_CLOEXEC, 0);
  try {
    // The socket receives nothing before the bind sets its protocol. The filter is attached before the bind, so that only Echo packets get in.
    libc.attachSocketFilter(fd, echoProgram);
    libc.bindSocket(fd, linkAddress(index, new Uint8Array(0)));
  } catch (error) {
    libc.closeDescriptor(fd);
    throw error;
  }
  const buffer = new Uint8Array(maxPacketOctets);
  const stopPolling = libc.onReadable(fd, onReadable);
  return {
    address,
    returnsEcho: () => forwards(device),
    isAlive: () => libc.interfaceIndex(device) === index && isOwnAddress(address, device),
    drain(limit, handle) {
      for (let read = 0; read < limit; read++) {
        const length = libc.receive(fd, buffer);
        if (typeof length !== 'number') return false;
        handle(buffer.subarray(0, length));
      }
      return true;
    },
    send(packet) {
      const mac = macOf(key.peerAddress, device);
      if (!mac) return `the kernel does not know the MAC of ${key.peerAddress}`;
      try {
        libc.sendTo(fd, packet, linkAddress(index, mac));
        return undefined;
      } catch (error) {
        return error instanceof libc.SystemError ? error.code : String(error);
      }
    },
    close() {
      stopPolling();
      libc.closeDescriptor(fd);
    },
  };
}

/** Whether the kernel forwards IPv4 packets that arrive on the interface, and so returns the Echo packets of a peer. */
function forwards(device: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv4/conf/${device}/forwarding`, 'utf8').trim() === '1';
  } catch {
    return false;
  }
}

/** `struct sockaddr_ll`: family 2 | protocol 2 | interface index 4 | hardware type 2 | packet type 1 | address length 1 | address 8 */
function linkAddress(index: number, mac: Uint8Array): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, libc.isLittleEndian);
  view.setUint16(2, ETH_P_IP, false);
  view.setInt32(4, index, libc.isLittleEndian);
  view.setUint16(8, ARPHRD_ETHER, libc.isLittleEndian);
  view.setUint8(11, mac.length);
  address.set(mac, 12);
  return address;
}

/** The MAC of a neighbour in the kernel's table. The control packets keep the entry fresh. */
function macOf(neighbour: string, device: string): Uint8Array | undefined {
  for (const line of readFileSync('/proc/net/arp', 'utf8').split('\n')) {
    // address, hardware type, flags, hardware address, mask, device. Flag 2 says that the entry is complete.
    const [address, , flags, mac = '', , on] = line.split(/\s+/);
    if (address !== neighbour || on !== device || (Number(flags) & 2) === 0) continue;
    const octets = Uint8Array.from(mac.split(':'), (part) => Number.parseInt(part, 16));
    return octets.length === linkAddressOctets ? octets : undefined;
  }
  return undefined;
}
