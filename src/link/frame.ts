/**
 * Ethernet II frames (IEEE 802.3 clause 3), read in place: the answering path allocates nothing.
 *
 *     0              6              12     14
 *     +--------------+--------------+------+----------
 *     | destination  | source       | type | payload          untagged
 *     +--------------+--------------+------+-----+------+---
 *     | destination  | source       | 8100 | tci | type | …   802.1Q: tci = priority 3 | drop 1 | VLAN id 12
 */

/** Why a frame that reached us got no answer; label values of the metric. */
export type DropReason =
  | 'malformed'
  | 'other-vlan'
  | 'not-for-us'
  | 'own-frame'
  | 'hop-limit'
  | 'checksum'
  | 'unknown-address'
  | 'send-failed';

/**
 * What a responder makes of a frame. `claim`: another host uses an address that is ours. Anything that is neither is a reason
 * for silence.
 */
export type Verdict = 'answer' | 'claim' | Exclude<DropReason, 'send-failed'>;

export const macLength = 6;
export const ethernetHeaderLength = 14;
export const etherType = { arp: 0x0806, ipv6: 0x86dd, vlan: 0x8100 } as const;
export const broadcastMac: Uint8Array = new Uint8Array(macLength).fill(0xff);

/** The EtherType of the payload, priority tags looked through; -1 for a runt, -2 for a frame of a VLAN. */
export function payloadType(frame: Uint8Array, length: number): number {
  const at = payloadOffset(frame, length);
  return at < 0 ? at : readUint16(frame, at - 2);
}

/**
 * Where the payload starts: 14, or 18 after a priority tag (VLAN id 0, which the kernel also takes as untagged). -1 for a runt;
 * -2 for a frame of a VLAN: it belongs to the VLAN's own interface and must not be answered on the one below.
 */
export function payloadOffset(frame: Uint8Array, length: number): number {
  if (length < ethernetHeaderLength) return -1;
  if (readUint16(frame, 12) !== etherType.vlan) return ethernetHeaderLength;
  if (length < ethernetHeaderLength + 4) return -1;
  return (readUint16(frame, 14) & 0x0fff) === 0 ? ethernetHeaderLength + 4 : -2;
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** 32 bits as a signed integer, which V8 keeps without allocating. */
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

/** `copyWithin` across arrays without making a view. */
export function copyBytes(
  from: Uint8Array,
  fromAt: number,
  to: Uint8Array,
  toAt: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i] ?? 0;
}

/** Group addresses, broadcast among them, have the lowest bit of the first octet set. */
function isGroupMac(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at] ?? 0) & 1) === 1;
}

/** An address that a single station may have: not a group, not all zeros. */
export function isStationMac(bytes: Uint8Array, at: number): boolean {
  return !isGroupMac(bytes, at) && (readInt32(bytes, at) !== 0 || readUint16(bytes, at + 4) !== 0);
}

/** True when the kernel would take the frame for this interface: addressed to it or to a group. */
export function isAddressedTo(frame: Uint8Array, mac: Uint8Array): boolean {
  return isGroupMac(frame, 0) || equalBytes(frame, 0, mac, 0, macLength);
}

/** Lower-case, colon separated. */
export function formatMac(bytes: Uint8Array, at = 0): string {
  return Array.from(bytes.subarray(at, at + macLength), (byte) => byte.toString(16).padStart(2, '0')).join(
    ':',
  );
}
