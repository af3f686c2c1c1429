/**
 * Codec of claims for membership packets. Numbers are big endian. A text is a length octet and ISO 8859-1 characters.
 *
 *     +---------+-------+-------+------+------------------+-------------+
 *     | address | owner | epoch | from | observed version | in conflict |
 *     +---------+-------+-------+------+------------------+-------------+
 *       text      text    6       text   6                  1 octet
 */
import type { Claim } from './claim.ts';

/** Octets of the two numbers, the flag and the three length octets. */
const fixedLength = 6 + 6 + 1 + 3;

/** Encodes a claim. Its texts are ASCII of at most 255 characters. */
export function encodeClaim({ address, owner, epoch, from, observedVersion, inConflict }: Claim): Buffer {
  const bytes = Buffer.allocUnsafe(fixedLength + address.length + owner.length + from.length);
  let at = writeText(bytes, address, 0);
  at = writeText(bytes, owner, at);
  at = bytes.writeUIntBE(epoch, at, 6);
  at = writeText(bytes, from, at);
  at = bytes.writeUIntBE(observedVersion, at, 6);
  bytes.writeUInt8(inConflict ? 1 : 0, at);
  return bytes;
}

/** Reads the claim at `offset`. Returns the claim and the offset behind it, or undefined when the claim is truncated or names no address. */
export function decodeClaim(
  bytes: Buffer,
  offset = 0,
): { readonly claim: Claim; readonly end: number } | undefined {
  const addressEnd = textEnd(bytes, offset);
  const ownerEnd = textEnd(bytes, addressEnd);
  const fromEnd = textEnd(bytes, ownerEnd + 6);
  const end = fromEnd + 7;
  if (end > bytes.length || addressEnd === offset + 1) return undefined;
  const claim = {
    address: bytes.toString('latin1', offset + 1, addressEnd),
    owner: bytes.toString('latin1', addressEnd + 1, ownerEnd),
    epoch: bytes.readUIntBE(ownerEnd, 6),
    from: bytes.toString('latin1', ownerEnd + 7, fromEnd),
    observedVersion: bytes.readUIntBE(fromEnd, 6),
    inConflict: bytes[fromEnd + 6] === 1,
  };
  return { claim, end };
}

function writeText(bytes: Buffer, text: string, at: number): number {
  bytes.writeUInt8(text.length, at);
  return at + 1 + bytes.write(text, at + 1, 'latin1');
}

/**
 * Returns the offset behind the text. If the text is truncated, that offset is beyond the end of `bytes`. A caller that reads several texts
 * therefore checks only the last offset.
 */
function textEnd(bytes: Buffer, at: number): number {
  return at + 1 + (bytes[at] ?? 0);
}
