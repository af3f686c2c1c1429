/**
 * Frames that Linux 6 and iputils sent between `02:00:00:00:00:0a` (192.0.2.1, 2001:db8::a) and `02:00:00:00:00:0b`
 * (192.0.2.2, 2001:db8::b), captured on a veth pair.
 */
export const captured = {
  arpRequest: 'ffffffffffff02000000000b0806000108000604000102000000000bc0000202000000000000c0000201',
  arpReply: '02000000000b02000000000a0806000108000604000202000000000ac000020102000000000bc0000202',
  /** A unicast request for a stale neighbour entry. */
  arpUnicastRequest: '02000000000a02000000000b0806000108000604000102000000000bc0000202000000000000c0000201',
  /** From arping -D, which sets the target's MAC address to all ones. RFC 5227 section 2.1.1 asks for zeros. */
  arpProbe: 'ffffffffffff02000000000b0806000108000604000102000000000b00000000ffffffffffffc0000201',
  arpProbeReply: '02000000000b02000000000a0806000108000604000202000000000ac000020102000000000b00000000',
  /** From arping -U and arping -A for 192.0.2.2. */
  arpGratuitousRequest:
    'ffffffffffff02000000000b0806000108000604000102000000000bc0000202ffffffffffffc0000202',
  arpGratuitousReply: 'ffffffffffff02000000000b0806000108000604000202000000000bc000020202000000000bc0000202',
  /** Duplicate address detection for 2001:db8::b, with the nonce of RFC 7527. */
  duplicateAddressProbe:
    '3333ff00000b02000000000b86dd6000000000203aff00000000000000000000000000000000ff0200000000000000000001ff00000b870054870000000020010db800000000000000000000000b0e0101bd157bd310',
  solicitation:
    '3333ff00000a02000000000b86dd6000000000203aff20010db800000000000000000000000bff0200000000000000000001ff00000a87001c030000000020010db800000000000000000000000a010102000000000b',
  advertisement:
    '02000000000b02000000000a86dd6000000000203aff20010db800000000000000000000000a20010db800000000000000000000000b88008a4f6000000020010db800000000000000000000000a020102000000000a',
  /** Unreachability detection by fe80::ff:fe00:a for 2001:db8::b. */
  unicastSolicitation:
    '02000000000b02000000000a86dd6000000000203afffe80000000000000000000fffe00000a20010db800000000000000000000000b87001c870000000020010db800000000000000000000000b010102000000000a',
} as const;

export function frame(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Six colon-separated octets. */
export function mac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(text)) throw new Error(`not a MAC: ${text}`);
  return Uint8Array.from(text.split(':'), (octet) => Number.parseInt(octet, 16));
}

/** The frame with some octets replaced: `{ 21: 8 }` sets the octet at offset 21 to 8. */
export function changed(bytes: Buffer, octets: Readonly<Record<number, number>>): Buffer {
  const copy = Buffer.from(bytes);
  for (const [at, value] of Object.entries(octets)) copy[Number(at)] = value;
  return copy;
}

/** The frame with an 802.1Q tag of the VLAN. */
export function tagged(bytes: Buffer, vlan: number): Buffer {
  return Buffer.concat([
    bytes.subarray(0, 12),
    Buffer.of(0x81, 0, vlan >> 8, vlan & 255),
    bytes.subarray(12),
  ]);
}

/**
 * The frame with the right ICMPv6 checksum, which is computed word by word (RFC 1071) over the pseudo-header of RFC 8200 section 8.1 and the
 * message. The frame must not have an 802.1Q tag.
 */
export function withChecksum(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(0, 56);
  const message = copy.subarray(54);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length, 0);
  pseudo.writeUInt32BE(58, 4);
  const all = Buffer.concat([copy.subarray(22, 54), pseudo, message, Buffer.alloc(message.length % 2)]);
  let sum = 0;
  for (let at = 0; at < all.length; at += 2) {
    sum += all.readUInt16BE(at);
    if (sum > 0xffff) sum -= 0xffff;
  }
  copy.writeUInt16BE(~sum & 0xffff, 56);
  return copy;
}
