/**
 * A membership datagram in a frame. Lengths are in octets:
 *
 *   Ethernet 14 | IPv4 20, without options, or IPv6 40, without extension headers | UDP 8 | payload
 */
import { formatIp, ipFromBytes, ipToBytes } from '../../src/address/index.ts';
import { ethernetHeaderLength, etherType } from '../../src/link/frame.ts';
import { ip } from '../../test/support/addresses.ts';
import { mac } from '../../test/support/neighbour-frames.ts';

export interface DatagramFrame {
  /** MAC addresses. */
  readonly from: string;
  readonly to: string;
  /** Addresses of one family. */
  readonly source: string;
  readonly destination: string;
  readonly payload: Uint8Array;
}

/** The default of the speaker's `--membership-port`. */
export const membershipPort = 7946;
const etherTypeIpv4 = 0x0800;
const udp = 17;
const udpLength = 8;
const hopLimit = 64;
/** Where the two addresses of an IP header begin, how long each one is, and how long the header is. */
const layout = {
  4: { addresses: 12, address: 4, header: 20 },
  6: { addresses: 8, address: 16, header: 40 },
} as const;

/** Encodes the frame, with the checksums of IPv4 and UDP. */
export function encodeDatagramFrame({ from, to, source, destination, payload }: DatagramFrame): Buffer {
  const sender = ip(source);
  const { family } = sender;
  const { addresses, address, header } = layout[family];
  const packet = Buffer.alloc(header + udpLength + payload.length);
  const length = udpLength + payload.length;
  packet.set(ipToBytes(sender), addresses);
  packet.set(ipToBytes(ip(destination)), addresses + address);
  packet.writeUInt16BE(membershipPort, header);
  packet.writeUInt16BE(membershipPort, header + 2);
  packet.writeUInt16BE(length, header + 4);
  packet.set(payload, header + udpLength);
  if (family === 4) {
    packet[0] = 0x45;
    packet.writeUInt16BE(packet.length, 2);
    packet.set([hopLimit, udp], 8);
    packet.writeUInt16BE(checksum(packet.subarray(0, header)), 10);
  } else {
    packet[0] = 0x60;
    packet.writeUInt16BE(length, 4);
    packet.set([udp, hopLimit], 6);
  }
  // The sum covers the addresses, the length, the protocol and the datagram (RFC 768, RFC 8200 section 8.1).
  const sum = checksum(packet.subarray(addresses), length + udp);
  packet.writeUInt16BE(sum === 0 ? 0xffff : sum, header + 6);
  const ethernet = Buffer.alloc(ethernetHeaderLength);
  ethernet.set([...mac(to), ...mac(from)]);
  ethernet.writeUInt16BE(family === 4 ? etherTypeIpv4 : etherType.ipv6, 12);
  return Buffer.concat([ethernet, packet]);
}

/** The source and the payload of a frame that carries a datagram. */
export function decodeDatagramFrame(frame: Buffer): { readonly source: string; readonly payload: Buffer } {
  const { addresses, address, header } = layout[frame.readUInt16BE(12) === etherTypeIpv4 ? 4 : 6];
  const packet = frame.subarray(ethernetHeaderLength);
  return {
    source: formatIp(ipFromBytes(packet.subarray(addresses, addresses + address))),
    payload: packet.subarray(header + udpLength, header + packet.readUInt16BE(header + 4)),
  };
}

/** The Internet checksum (RFC 1071) of the octets and of `initial`. */
function checksum(octets: Uint8Array, initial = 0): number {
  let sum = initial;
  octets.forEach((octet, i) => {
    sum += i % 2 === 0 ? octet << 8 : octet;
  });
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
