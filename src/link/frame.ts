/**
 * Ethernet II frames (IEEE 802.3 clause 3), read in place so that the answering path allocates nothing.
 *
 *     0              6              12     14
 *     +--------------+--------------+------+----------
 *     | destination  | source       | type | payload          untagged
 *     +--------------+--------------+------+-----+------+---
 *     | destination  | source       | 8100 | tci | type | …   802.1Q: tci = priority 3 | drop 1 | VLAN id 12
 */

/** Why a captured frame got no answer; these are label values of a metric. */
export type DropReason =
  | 'malformed'
  | 'other-vlan'
  | 'not-for-us'
  | 'own-frame'
  | 'hop-limit'
  | 'checksum'
  | 'unknown-address'
  /** The frame waited so long that its sender has asked again. */
  | 'late'
  | 'send-failed';

/** A responder's verdict on a frame. `conflict` means that another host uses an address of ours. A drop reason says why the frame gets no answer. */
export type Verdict = 'answer' | 'conflict' | Exclude<DropReason, 'late' | 'send-failed'>;

export const macLength = 6;
export const ethernetHeaderLength = 14;
export const etherType = { arp: 0x0806, ipv6: 0x86dd, vlan: 0x8100 } as const;
export const broadcastMac: Uint8Array = new Uint8Array(macLength).fill(0xff);

/** Results of `payloadOffset` and `payloadType` for frames without a payload for us. */
const runt = -1;
export const otherVlan = -2;

/** Returns the EtherType of the payload, or `runt` or `otherVlan` for a frame without a payload for us. Skips a priority tag. */
export function payloadType(frame: Uint8Array, length: number): number {
  const at = payloadOffset(frame, length);
  return at < 0 ? at : readUint16(frame, at - 2);
}

/**
 * Returns the offset of the payload: 14, or 18 after a priority tag (VLAN id 0, which the kernel also treats as untagged). Returns
 * `otherVlan` for a frame with the tag of a VLAN. Such a frame belongs to the VLAN's own interface, and must not be answered on the
 * interface below. Returns `runt` for a frame that is cut short.
 */
export function payloadOffset(frame: Uint8Array, length: number): number {
  if (length < ethernetHeaderLength) return runt;
  if (readUint16(frame, 12) !== etherType.vlan) return ethernetHeaderLength;
  if (length < ethernetHeaderLength + 4) return runt;
  return (readUint16(frame, 14) & 0x0fff) === 0 ? ethernetHeaderLength + 4 : otherVlan;
}

/** 16 bits in network byte order. */
export function readUint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** 32 bits in network byte order as a signed integer, which V8 holds without allocating. */
export function readInt32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

export function equalBytes(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/** Copies octets between arrays without creating a view. */
export function copyBytes(
  from: Uint8Array,
  fromAt: number,
  to: Uint8Array,
  toAt: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i] ?? 0;
}

/** Group addresses, including broadcast, have the lowest bit of the first octet set. */
function isGroupMac(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at] ?? 0) & 1) === 1;
}

/** Whether a single station may have the address: it is neither a group nor all zeros. */
export function isStationMac(bytes: Uint8Array, at: number): boolean {
  return !isGroupMac(bytes, at) && (readInt32(bytes, at) !== 0 || readUint16(bytes, at + 4) !== 0);
}

/** Whether the kernel would accept the frame on this interface: it is addressed to the MAC or to a group. */
export function isAddressedTo(frame: Uint8Array, mac: Uint8Array): boolean {
  return isGroupMac(frame, 0) || equalBytes(frame, 0, mac, 0, macLength);
}

/** The MAC at `at` in lower case, separated by colons. */
export function formatMac(bytes: Uint8Array, at = 0): string {
  return Array.from(bytes.subarray(at, at + macLength), (byte) => byte.toString(16).padStart(2, '0')).join(
    ':',
  );
}
