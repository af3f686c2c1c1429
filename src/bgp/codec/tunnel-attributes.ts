/** Checks the values of two tunnel attributes as their RFCs ask. The values are kept as octets. */
import { type Problem, wrongLength } from './attribute-row.ts';
import { UpdateSubcode } from './errors.ts';
import { readUint8, readUint16 } from './octets.ts';

/**
 * PMSI_TUNNEL (RFC 6514 section 5):
 *
 *    0       1             2        5
 *   | flags | tunnel type | label | tunnel identifier …
 *
 * The identifier of ingress replication (type 6) is an address. A type that the RFC does not define makes the attribute malformed, as in
 * FRR.
 */
export function judgePmsiTunnel(value: Uint8Array): Problem | undefined {
  if (value.length < 5) return wrongLength(value);
  const type = readUint8(value, 1);
  if (type > 7) return { subcode: UpdateSubcode.optional, text: `the tunnel type ${type} is unknown` };
  if (type === 6 && value.length !== 9 && value.length !== 21) return wrongLength(value);
  return undefined;
}

/**
 * TUNNEL_ENCAPSULATION (RFC 9012 section 2) is a list of tunnels. A tunnel is `tunnel type (2 octets) | length (2) | sub-TLVs …`. A sub-TLV is
 * `type (1 octet) | length (1, or 2 when the type is 128 or more) | value`.
 */
export function judgeTunnelEncapsulation(value: Uint8Array): Problem | undefined {
  let at = 0;
  while (at < value.length) {
    const end = at + 4 + readUint16(value, at + 2);
    if (at + 4 > value.length || end > value.length) return wrongLength(value);
    for (at += 4; at < end; ) {
      const isLong = readUint8(value, at) >= 128;
      const valueAt = at + (isLong ? 3 : 2);
      if (valueAt > end) return wrongLength(value);
      at = valueAt + (isLong ? readUint16(value, at + 1) : readUint8(value, at + 1));
      if (at > end) return wrongLength(value);
    }
  }
  return undefined;
}
