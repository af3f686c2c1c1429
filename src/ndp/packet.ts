import { type IpAddress, ipToBytes } from '../address/index.ts';
import {
  copyBytes,
  type DropReason,
  ethernetHeaderLength,
  etherType,
  macLength,
  readInt32,
  readUint16,
} from '../link/frame.ts';

/**
 * Neighbour Discovery (RFC 4861 sections 4.3 and 4.4), after the Ethernet header:
 *
 *     0        4        6     7     8          24           40     41     42        44          48       64
 *     +--------+--------+-----+-----+----------+------------+------+------+---------+-----------+--------+---------
 *     | 6 …    | length | 58  | 255 | source   | destination| type | code | checksum| flags …   | target | options
 *     +--------+--------+-----+-----+----------+------------+------+------+---------+-----------+--------+---------
 *
 * An option is `type 1 | length in units of 8 octets 1 | …`; 1 and 2 carry a link-layer address.
 */
export const ndpField = {
  hopLimit: 7,
  source: 8,
  destination: 24,
  icmp: 40,
  flags: 44,
  target: 48,
  options: 64,
} as const;
export const icmpType = { solicitation: 135, advertisement: 136 } as const;
const optionType = { sourceLinkLayer: 1, targetLinkLayer: 2 } as const;
const icmpv6 = 58;
/** RFC 4861 section 7.1: a lower one has crossed a router. */
const hopLimit = 255;
const shortestMessage = 24;
const flag = { solicited: 0x40, override: 0x20 } as const;

const allNodes: Uint8Array = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const unspecified = new Uint8Array(16);

/** The Ethernet group of an IPv6 group: 33:33 and the last 32 bits (RFC 2464 section 7). */
export function groupMac(group: Uint8Array): Uint8Array {
  return Uint8Array.of(0x33, 0x33, ...group.subarray(12, 16));
}

/** ff02::1:ffXX:XXXX with the last 24 bits of the address (RFC 4291 section 2.7.1). */
export function solicitedNodeGroup(address: IpAddress): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(ipToBytes(address).subarray(13), 13);
  return group;
}

/** A place in a frame, read without allocating; filled by `read`. */
export class NeighbourMessage {
  /** `icmpType.solicitation` or `icmpType.advertisement`. */
  type = 0;
  /** Where the IPv6 header starts. */
  at = 0;
  /** Where the sender's link-layer address stands in an option; 0: it gave none. */
  linkLayerAt = 0;

  /** Checks what RFC 4861 sections 7.1.1 and 7.1.2 demand; `undefined` is valid. */
  read(frame: Uint8Array, length: number, at: number): Problem | undefined {
    this.at = at;
    this.linkLayerAt = 0;
    const icmp = at + ndpField.icmp;
    const payloadLength = readUint16(frame, at + 4);
    const end = icmp + payloadLength;
    if (length < icmp + shortestMessage || payloadLength < shortestMessage || end > length)
      return 'malformed';
    if ((frame[at] ?? 0) >> 4 !== 6 || frame[at + 6] !== icmpv6) return 'malformed';
    if (frame[at + ndpField.hopLimit] !== hopLimit) return 'hop-limit';
    this.type = frame[icmp] ?? 0;
    if (this.type !== icmpType.solicitation && this.type !== icmpType.advertisement) return 'malformed';
    if (frame[icmp + 1] !== 0 || frame[at + ndpField.target] === 0xff) return 'malformed';
    if (!this.#readOptions(frame, at + ndpField.options, end)) return 'malformed';
    if (
      this.type === icmpType.solicitation &&
      this.isFromUnspecified(frame) &&
      !this.#isDuplicateAddressProbe(frame)
    )
      return 'malformed';
    if (
      this.type === icmpType.advertisement &&
      this.isToGroup(frame) &&
      ((frame[at + ndpField.flags] ?? 0) & flag.solicited) !== 0
    )
      return 'malformed';
    return checksumOf(frame, at, payloadLength) === 0 ? undefined : 'checksum';
  }

  isFromUnspecified(frame: Uint8Array): boolean {
    const at = this.at + ndpField.source;
    return (
      (readInt32(frame, at) |
        readInt32(frame, at + 4) |
        readInt32(frame, at + 8) |
        readInt32(frame, at + 12)) ===
      0
    );
  }

  isToGroup(frame: Uint8Array): boolean {
    return frame[this.at + ndpField.destination] === 0xff;
  }

  /** From the unspecified address: to a solicited-node group only, and without a link-layer address. */
  #isDuplicateAddressProbe(frame: Uint8Array): boolean {
    const at = this.at + ndpField.destination;
    return (
      this.linkLayerAt === 0 &&
      readInt32(frame, at) === (0xff020000 | 0) &&
      readInt32(frame, at + 4) === 0 &&
      readInt32(frame, at + 8) === 1 &&
      frame[at + 12] === 0xff
    );
  }

  #readOptions(frame: Uint8Array, from: number, end: number): boolean {
    const wanted =
      this.type === icmpType.solicitation ? optionType.sourceLinkLayer : optionType.targetLinkLayer;
    for (let at = from; at < end; ) {
      const octets = (frame[at + 1] ?? 0) * 8;
      if (octets === 0 || at + octets > end) return false;
      if (frame[at] === wanted && octets === 8) this.linkLayerAt = at + 2;
      at += octets;
    }
    return true;
  }
}

/** What can be wrong with a message, of the drop reasons. */
type Problem = Extract<DropReason, 'malformed' | 'hop-limit' | 'checksum'>;

/**
 * The ones' complement sum of RFC 4443 section 2.3 over pseudo-header and message, complemented: what belongs into a checksum
 * field that is zero, and 0 over a message whose checksum is right.
 */
function checksumOf(frame: Uint8Array, at: number, payloadLength: number): number {
  let sum = payloadLength + icmpv6;
  // Source and destination stand in a row, directly before the message.
  const end = at + ndpField.icmp + payloadLength;
  let i = at + ndpField.source;
  for (; i + 1 < end; i += 2) sum += readUint16(frame, i);
  if (i < end) sum += (frame[i] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const solicitationLength = ethernetHeaderLength + ndpField.options;
const advertisementLength = solicitationLength + 8;

function encodeMessage(length: number, type: number, mac: Uint8Array): Buffer {
  const frame = Buffer.alloc(length);
  frame.set(mac, macLength);
  frame.writeUInt16BE(etherType.ipv6, 12);
  const at = ethernetHeaderLength;
  frame[at] = 0x60;
  frame.writeUInt16BE(length - at - ndpField.icmp, at + 4);
  frame[at + 6] = icmpv6;
  frame[at + ndpField.hopLimit] = hopLimit;
  frame[at + ndpField.icmp] = type;
  return frame;
}

function seal(frame: Buffer): Buffer {
  const at = ethernetHeaderLength;
  frame.writeUInt16BE(0, at + ndpField.icmp + 2);
  frame.writeUInt16BE(checksumOf(frame, at, frame.length - at - ndpField.icmp), at + ndpField.icmp + 2);
  return frame;
}

/** The solicitation that duplicate address detection sends (RFC 4862 section 5.4.2): 78 octets, no source, no option. */
export function encodeDuplicateAddressProbe(mac: Uint8Array, address: IpAddress): Buffer {
  const frame = encodeMessage(solicitationLength, icmpType.solicitation, mac);
  const group = solicitedNodeGroup(address);
  frame.set(groupMac(group), 0);
  frame.set(unspecified, ethernetHeaderLength + ndpField.source);
  frame.set(group, ethernetHeaderLength + ndpField.destination);
  frame.set(ipToBytes(address), ethernetHeaderLength + ndpField.target);
  return seal(frame);
}

/** An advertisement to all nodes that nobody asked for (RFC 4861 section 7.2.6): override set, solicited clear. */
export function encodeUnsolicitedAdvertisement(mac: Uint8Array, address: IpAddress): Buffer {
  const advertisement = new Advertisement(mac);
  advertisement.frame.set(ipToBytes(address), ethernetHeaderLength + ndpField.target);
  return advertisement.toAllNodes();
}

/**
 * A reusable advertisement of 86 octets: write the target, then finish it. The source is the target itself. The router flag stays
 * clear on every node, whether it forwards or not: the address belongs to a Service, nobody routes through it, and the flag
 * must not change when the address moves.
 */
export class Advertisement {
  readonly frame: Buffer;

  constructor(mac: Uint8Array) {
    this.frame = encodeMessage(advertisementLength, icmpType.advertisement, mac);
    const option = ethernetHeaderLength + ndpField.options;
    this.frame[option] = optionType.targetLinkLayer;
    this.frame[option + 1] = 1;
    this.frame.set(mac, option + 2);
  }

  /** Copies the target from a solicitation. */
  setTarget(from: Uint8Array, at: number): void {
    copyBytes(from, at, this.frame, ethernetHeaderLength + ndpField.target, 16);
  }

  /** Finishes it for the station and address that asked: solicited and override. */
  toAsker(from: Uint8Array, macAt: number, addressAt: number): Buffer {
    copyBytes(from, macAt, this.frame, 0, macLength);
    copyBytes(from, addressAt, this.frame, ethernetHeaderLength + ndpField.destination, 16);
    return this.#finish(flag.solicited | flag.override);
  }

  /** Finishes it for everybody: override only. */
  toAllNodes(): Buffer {
    copyBytes(allNodesMac, 0, this.frame, 0, macLength);
    copyBytes(allNodes, 0, this.frame, ethernetHeaderLength + ndpField.destination, 16);
    return this.#finish(flag.override);
  }

  #finish(flags: number): Buffer {
    const at = ethernetHeaderLength;
    copyBytes(this.frame, at + ndpField.target, this.frame, at + ndpField.source, 16);
    this.frame[at + ndpField.flags] = flags;
    return seal(this.frame);
  }
}

const allNodesMac = groupMac(allNodes);
