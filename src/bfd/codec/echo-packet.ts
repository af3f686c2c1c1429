/**
 * The Echo packet. Its contents are a local matter (RFC 5880 section 5), because only its sender reads it. Lengths are in octets:
 *
 *   discriminator 4 | sequence 4 | cookie 8
 *
 * The cookie is random, so that no other host can forge a reply. The IPv4 packet that carries all this has our own address as source and
 * destination, so the peer forwards it back to us (RFC 5881 section 4).
 */
import { fail, ok, type Result } from '../../result.ts';

export interface EchoPacket {
  /** Our own discriminator. */
  readonly discriminator: number;
  readonly sequence: number;
  /** 8 octets. */
  readonly cookie: Uint8Array;
}

/** UDP port of Echo packets (RFC 5881 section 4). */
export const echoPort = 3785;
const echoOctets = 16;
const ipOctets = 20;
const udpOctets = 8;
const protocolUdp = 17;
const sentTtl = 255;
/** DSCP CS6, network control (RFC 4594 section 3.1). */
const trafficClass = 0xc0;

/** Encodes the packet with its IPv4 and UDP headers. `address` is our own, and is the source and the destination. */
export function encodeEcho({ discriminator, sequence, cookie }: EchoPacket, address: Uint8Array): Uint8Array {
  const octets = new Uint8Array(ipOctets + udpOctets + echoOctets);
  const view = new DataView(octets.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, trafficClass);
  view.setUint16(2, octets.length);
  // Don't Fragment. A packet that is never fragmented may have the identification 0 (RFC 6864 section 4.1).
  view.setUint16(6, 0x4000);
  view.setUint8(8, sentTtl);
  view.setUint8(9, protocolUdp);
  octets.set(address, 12);
  octets.set(address, 16);
  view.setUint16(10, headerChecksum(view));
  view.setUint16(ipOctets, echoPort);
  view.setUint16(ipOctets + 2, echoPort);
  view.setUint16(ipOctets + 4, udpOctets + echoOctets);
  // A UDP checksum of 0 says that there is none (RFC 768). The cookie protects the contents.
  const at = ipOctets + udpOctets;
  view.setUint32(at, discriminator);
  view.setUint32(at + 4, sequence);
  octets.set(cookie.subarray(0, 8), at + 8);
  return octets;
}

/** Decodes an IPv4 packet. The error says why it is not an Echo packet of this format. */
export function decodeEcho(octets: Uint8Array): Result<EchoPacket, string> {
  if (octets.length < ipOctets + udpOctets + echoOctets)
    return fail(`the packet has ${octets.length} octets`);
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const at = 4 * (view.getUint8(0) & 0xf) + udpOctets;
  if (view.getUint8(0) >>> 4 !== 4 || view.getUint8(9) !== protocolUdp) return fail('not UDP over IPv4');
  if (octets.length < at + echoOctets) return fail(`the packet has ${octets.length} octets`);
  if (view.getUint16(at - udpOctets + 2) !== echoPort) return fail('not the port of Echo packets');
  return ok({
    discriminator: view.getUint32(at),
    sequence: view.getUint32(at + 4),
    cookie: octets.slice(at + 8, at + echoOctets),
  });
}

/** The checksum of the IPv4 header (RFC 791). The checksum field of the header must still be 0. */
function headerChecksum(view: DataView): number {
  let sum = 0;
  for (let at = 0; at < ipOctets; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
