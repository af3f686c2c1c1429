import { type IpAddress, ipFromBytes, ipToBytes } from '../address/index.ts';
import {
  broadcastMac,
  ethernetHeaderLength,
  etherType,
  isStationMac,
  macLength,
  payloadOffset,
  readInt32,
  readUint16,
} from '../link/frame.ts';

/**
 * ARP packets for IPv4 over Ethernet (RFC 826). Offsets count from the end of the Ethernet header:
 *
 *     0        2        4    5    6          8             14         18            24          28
 *     +--------+--------+----+----+----------+-------------+----------+-------------+----------+
 *     | htype 1| 0800   | 6  | 4  | operation| sender MAC  | sender IP| target MAC  | target IP|
 *     +--------+--------+----+----+----------+-------------+----------+-------------+----------+
 */
export const arpField = { operation: 6, senderMac: 8, senderIp: 14, targetMac: 18, targetIp: 24 } as const;
const arpLength = 28;
export const arpFrameLength: number = ethernetHeaderLength + arpLength;
export const arpOperation = { request: 1, reply: 2 } as const;

export interface ArpFrame {
  readonly destination: Uint8Array;
  readonly operation: keyof typeof arpOperation;
  readonly senderMac: Uint8Array;
  /** `undefined` stands for 0.0.0.0 and makes an ARP Probe (RFC 5227 section 1.1). */
  readonly senderIp?: IpAddress;
  /** `undefined` stands for all zeros, as in a request. */
  readonly targetMac?: Uint8Array;
  readonly targetIp: IpAddress;
}

/** Whether the payload at `at` is a whole ARP request or reply for IPv4 over Ethernet. Its sender MAC must not be a group address or all zeros. */
export function isArp(frame: Uint8Array, length: number, at: number): boolean {
  return (
    length >= at + arpLength &&
    readInt32(frame, at) === 0x0001_0800 &&
    readUint16(frame, at + 4) === 0x0604 &&
    (readUint16(frame, at + arpField.operation) === arpOperation.request ||
      readUint16(frame, at + arpField.operation) === arpOperation.reply) &&
    isStationMac(frame, at + arpField.senderMac)
  );
}

/** Encodes an untagged frame of 42 octets. Drivers pad the frame to Ethernet's minimum of 60 octets. */
export function encodeArp(arp: ArpFrame): Buffer {
  const frame = Buffer.alloc(arpFrameLength);
  frame.set(arp.destination, 0);
  frame.set(arp.senderMac, macLength);
  frame.writeUInt16BE(etherType.arp, 12);
  const at = ethernetHeaderLength;
  frame.writeUInt32BE(0x0001_0800, at);
  frame.writeUInt16BE(0x0604, at + 4);
  frame.writeUInt16BE(arpOperation[arp.operation], at + arpField.operation);
  frame.set(arp.senderMac, at + arpField.senderMac);
  if (arp.senderIp) frame.set(ipToBytes(arp.senderIp), at + arpField.senderIp);
  if (arp.targetMac) frame.set(arp.targetMac, at + arpField.targetMac);
  frame.set(ipToBytes(arp.targetIp), at + arpField.targetIp);
  return frame;
}

/** Encodes an ARP Probe, which asks whether the address is in use without claiming it (RFC 5227 section 2.1.1). */
export function encodeArpProbe(mac: Uint8Array, address: IpAddress): Buffer {
  return encodeArp({ destination: broadcastMac, operation: 'request', senderMac: mac, targetIp: address });
}

/** Encodes a request for the MAC of another host (RFC 826). Receivers learn from it the MAC of `senderIp`, and nothing about `targetIp`. */
export function encodeArpRequest(mac: Uint8Array, senderIp: IpAddress, targetIp: IpAddress): Buffer {
  return encodeArp({ destination: broadcastMac, operation: 'request', senderMac: mac, senderIp, targetIp });
}

/** Reads a reply. Returns the sender's address and the offset of its MAC, or undefined when the frame is not a valid reply. */
export function readArpReply(
  frame: Uint8Array,
  length: number,
): { readonly address: IpAddress; readonly macAt: number } | undefined {
  const at = payloadOffset(frame, length);
  if (at < 0 || readUint16(frame, at - 2) !== etherType.arp || !isArp(frame, length, at)) return undefined;
  if (readUint16(frame, at + arpField.operation) !== arpOperation.reply) return undefined;
  const address = ipFromBytes(frame.subarray(at + arpField.senderIp, at + arpField.senderIp + 4));
  return { address, macAt: at + arpField.senderMac };
}

/**
 * Encodes an announcement as a request and as a reply. Some hosts and switches learn only from requests (RFC 5227 section 3), and
 * others only from replies.
 */
export function encodeArpAnnouncement(mac: Uint8Array, address: IpAddress): [request: Buffer, reply: Buffer] {
  const common = { destination: broadcastMac, senderMac: mac, senderIp: address, targetIp: address } as const;
  return [
    encodeArp({ ...common, operation: 'request' }),
    encodeArp({ ...common, operation: 'reply', targetMac: mac }),
  ];
}
