import { type IpAddress, ipFromBytes, ipToBytes } from '../address/index.ts';
import {
  copyBytes,
  type DropReason,
  ethernetHeaderLength,
  etherType,
  macLength,
  payloadOffset,
  readInt32,
  readUint16,
} from '../link/frame.ts';

/**
 * Neighbour Discovery messages (RFC 4861 sections 4.3 and 4.4). Offsets count from the IPv6 header:
 *
 *     0        4        6     7     8          24           40     41     42        44          48       64
 *     +--------+--------+-----+-----+----------+------------+------+------+---------+-----------+--------+---------
 *     | 6 …    | length | 58  | 255 | source   | destination| type | code | checksum| flags …   | target | options
 *     +--------+--------+-----+-----+----------+------------+------+------+---------+-----------+--------+---------
 *      IPv6 header, 40 octets                               | ICMPv6 message, `length` octets
 *
 *     0      1        2                     8 * length
 *     +------+--------+---------------------+
 *     | type | length | link-layer address  |   option; type 1 is the source's address, type 2 the target's
 *     +------+--------+---------------------+
 *
 * Messages are judged as the Linux kernel judges them, because hosts expect a Service's address to behave like an address of the
 * kernel.
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
/** A router decrements the hop limit, so 255 proves that the sender is on this link (RFC 4861 section 7.1). */
const hopLimit = 255;
/** Octets of a message without options. */
const minMessageLength = 24;
/** A link-layer option for Ethernet: two octets and the MAC (RFC 2464 section 6). */
const linkLayerOptionLength = 8;
const flag = { solicited: 0x40, override: 0x20 } as const;

const allNodes: Uint8Array = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const unspecified = new Uint8Array(16);

/** Ethernet address of an IPv6 group: 33:33 and the group's last 32 bits (RFC 2464 section 7). */
export function groupMac(group: Uint8Array): Uint8Array {
  return Uint8Array.of(0x33, 0x33, ...group.subarray(12, 16));
}

/** Solicited-node group, ff02::1:ffXX:XXXX with the last 24 bits of the address (RFC 4291 section 2.7.1). */
export function solicitedNodeGroup(address: IpAddress): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(ipToBytes(address).subarray(13), 13);
  return group;
}

/** The fault of a message; a subset of the drop reasons. */
type Problem = Extract<DropReason, 'malformed' | 'hop-limit' | 'checksum'>;

/** A view of one message within a frame. `read` fills the view. One view is reused for all messages, so answering allocates nothing. */
export class NeighbourMessage {
  /** `icmpType.solicitation` or `icmpType.advertisement`. */
  type = 0;
  /** Offset of the IPv6 header. */
  at = 0;
  /** Offset in the frame of the MAC that the link-layer option holds; 0 when the message has no such option. */
  linkLayerAt = 0;

  /** Reads and validates the message at `at`. Returns `undefined` when it is valid (RFC 4861 sections 7.1.1 and 7.1.2). */
  read(frame: Uint8Array, length: number, at: number): Problem | undefined {
    this.at = at;
    this.linkLayerAt = 0;
    const icmp = at + ndpField.icmp;
    const payloadLength = readUint16(frame, at + 4);
    const end = icmp + payloadLength;
    if (length < icmp + minMessageLength || payloadLength < minMessageLength || end > length)
      return 'malformed';
    if ((frame[at] ?? 0) >> 4 !== 6 || frame[at + 6] !== icmpv6) return 'malformed';
    if (isImpossibleSource(frame, at + ndpField.source)) return 'malformed';
    // "The IP Hop Limit field has a value of 255, i.e., the packet could not possibly have been forwarded by a router."
    if (frame[at + ndpField.hopLimit] !== hopLimit) return 'hop-limit';
    this.type = frame[icmp] ?? 0;
    if (this.type !== icmpType.solicitation && this.type !== icmpType.advertisement) return 'malformed';
    // "ICMP Code is 0." "Target Address is not a multicast address."
    if (frame[icmp + 1] !== 0 || frame[at + ndpField.target] === 0xff) return 'malformed';
    // "All included options have a length that is greater than zero."
    if (!this.#readOptions(frame, at + ndpField.options, end)) return 'malformed';
    if (
      this.type === icmpType.solicitation &&
      this.isFromUnspecified(frame) &&
      !this.#isDuplicateAddressProbe(frame)
    )
      return 'malformed';
    // "If the IP Destination Address is a multicast address the Solicited flag is zero."
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
    return hasZeroPrefix(frame, at) && readInt32(frame, at + 12) === 0;
  }

  isToGroup(frame: Uint8Array): boolean {
    return frame[this.at + ndpField.destination] === 0xff;
  }

  /**
   * "If the IP source address is the unspecified address, the IP destination address is a solicited-node multicast address" and
   * "there is no source link-layer address option in the message".
   */
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

  /**
   * Finds the link-layer option that belongs to the message type. Only the first such option counts, and the message is invalid if that
   * option has the wrong length, as in the kernel's `ndisc_parse_options` and `ndisc_opt_addr_data`.
   */
  #readOptions(frame: Uint8Array, from: number, end: number): boolean {
    const wanted =
      this.type === icmpType.solicitation ? optionType.sourceLinkLayer : optionType.targetLinkLayer;
    for (let at = from; at < end; ) {
      const octets = (frame[at + 1] ?? 0) * 8;
      if (octets === 0 || at + octets > end) return false;
      if (frame[at] === wanted && this.linkLayerAt === 0) {
        if (octets !== linkLayerOptionLength) return false;
        this.linkLayerAt = at + 2;
      }
      at += octets;
    }
    return true;
  }
}

/**
 * "Multicast addresses must not be used as source addresses in IPv6 packets" (RFC 4291 section 2.7), and the loopback address
 * never leaves its node (section 2.5.3).
 */
function isImpossibleSource(frame: Uint8Array, at: number): boolean {
  return frame[at] === 0xff || (hasZeroPrefix(frame, at) && readInt32(frame, at + 12) === 1);
}

/** Whether the first 96 bits are zero. */
function hasZeroPrefix(frame: Uint8Array, at: number): boolean {
  return (readInt32(frame, at) | readInt32(frame, at + 4) | readInt32(frame, at + 8)) === 0;
}

/**
 * The ICMPv6 checksum over pseudo-header and message (RFC 4443 section 2.3). For a message whose checksum field is 0, the result is the value
 * to store in the field. For a message with a correct checksum, the result is 0.
 */
function checksumOf(frame: Uint8Array, at: number, payloadLength: number): number {
  let sum = payloadLength + icmpv6;
  // Source, destination and message are adjacent, so one loop covers all three.
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

/** A duplicate-address-detection solicitation (RFC 4862 section 5.4.2): 78 octets, unspecified source, no option. */
export function encodeDuplicateAddressProbe(mac: Uint8Array, address: IpAddress): Buffer {
  const frame = encodeMessage(solicitationLength, icmpType.solicitation, mac);
  const group = solicitedNodeGroup(address);
  frame.set(groupMac(group), 0);
  frame.set(unspecified, ethernetHeaderLength + ndpField.source);
  frame.set(group, ethernetHeaderLength + ndpField.destination);
  frame.set(ipToBytes(address), ethernetHeaderLength + ndpField.target);
  return seal(frame);
}

/**
 * A solicitation for the address of another host (RFC 4861 section 7.2.2): 86 octets, with the source link-layer address, so that the
 * receiver can answer at once.
 */
export function encodeSolicitation(mac: Uint8Array, source: IpAddress, target: IpAddress): Buffer {
  const frame = encodeMessage(solicitationLength + linkLayerOptionLength, icmpType.solicitation, mac);
  const group = solicitedNodeGroup(target);
  const at = ethernetHeaderLength;
  frame.set(groupMac(group), 0);
  frame.set(ipToBytes(source), at + ndpField.source);
  frame.set(group, at + ndpField.destination);
  frame.set(ipToBytes(target), at + ndpField.target);
  frame[at + ndpField.options] = optionType.sourceLinkLayer;
  frame[at + ndpField.options + 1] = 1;
  frame.set(mac, at + ndpField.options + 2);
  return seal(frame);
}

/** Reads an advertisement. Returns its target and where the target's MAC is, or undefined when the frame is not a valid advertisement. */
export function readAdvertisement(
  frame: Uint8Array,
  length: number,
): { readonly address: IpAddress; readonly macAt: number } | undefined {
  const at = payloadOffset(frame, length);
  if (at < 0 || readUint16(frame, at - 2) !== etherType.ipv6) return undefined;
  const message = new NeighbourMessage();
  if (message.read(frame, length, at) !== undefined || message.type !== icmpType.advertisement)
    return undefined;
  const address = ipFromBytes(frame.subarray(at + ndpField.target, at + ndpField.target + 16));
  // Without the option, the MAC is the frame's source, which follows the destination MAC.
  return { address, macAt: message.linkLayerAt || macLength };
}

/** An unsolicited advertisement to all nodes (RFC 4861 section 7.2.6). The flag override is set, and the flag solicited is clear. */
export function encodeUnsolicitedAdvertisement(mac: Uint8Array, address: IpAddress): Buffer {
  const advertisement = new Advertisement(mac);
  advertisement.frame.set(ipToBytes(address), ethernetHeaderLength + ndpField.target);
  return advertisement.toAllNodes();
}

/**
 * A reusable advertisement of 86 octets. Write the target first, then finish the frame with `toSolicitor` or `toAllNodes`. These methods also
 * copy the target to the IPv6 source address. The router flag stays clear even on a node that forwards: a Service's address is not a router,
 * and the flag must not change when the address moves to another node.
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

  /** Copies the target address from a solicitation. */
  setTarget(from: Uint8Array, at: number): void {
    copyBytes(from, at, this.frame, ethernetHeaderLength + ndpField.target, 16);
  }

  /** Finishes a reply to the MAC at `macAt` and the IPv6 address at `addressAt` of the frame `from`. The flags solicited and override are set. */
  toSolicitor(from: Uint8Array, macAt: number, addressAt: number): Buffer {
    copyBytes(from, macAt, this.frame, 0, macLength);
    copyBytes(from, addressAt, this.frame, ethernetHeaderLength + ndpField.destination, 16);
    return this.#finish(flag.solicited | flag.override);
  }

  /** Finishes an advertisement to all nodes. Only the flag override is set. */
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
