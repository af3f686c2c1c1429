/**
 * The header of every message (RFC 4271 section 4.1), with offsets:
 *
 *    0                  16       18     19
 *   | marker, all ones | length | type | body …
 *
 * The length counts the header and the body.
 */
import { MessageType } from '../message.ts';
import { type BgpError, HeaderSubcode, headerError } from './errors.ts';
import { readUint8, readUint16 } from './octets.ts';

export const headerOctets = 19;
const markerOctets = 16;
/** Octets of the longest message (RFC 4271 section 4.1). RFC 8654 section 4 keeps this limit for OPEN and KEEPALIVE. */
export const standardMessageLimit = 4096;
/** Octets of the longest extended message (RFC 8654 section 4): the greatest value of the length field. */
export const extendedMessageLimit = 65535;

/**
 * Shortest message of each type, header included (RFC 4271 section 6.1). A ROUTE-REFRESH that is too short passes this check, because
 * RFC 7313 defines a separate error for it.
 */
const shortest: Readonly<Record<number, number>> = {
  [MessageType.Open]: 29,
  [MessageType.Update]: 23,
  [MessageType.Notification]: 21,
  [MessageType.Keepalive]: 19,
  [MessageType.RouteRefresh]: headerOctets,
};

/** The length field of the header at the offset. */
export function statedLength(bytes: Uint8Array, at: number): number {
  return readUint16(bytes, at + markerOctets);
}

export function messageType(frame: Uint8Array): number {
  return readUint8(frame, headerOctets - 1);
}

/**
 * Judges the 19 octets at the offset, in the order of RFC 4271 section 6.1. The errors, as code/subcode, are a wrong marker (1/1), a wrong
 * length (1/2, with the length as data) and an unknown type (1/3, with the type as data). `limit` is the longest message that our OPEN
 * allows.
 */
export function judgeHeader(bytes: Uint8Array, at: number, limit: number): BgpError | undefined {
  for (let i = at; i < at + markerOctets; i++)
    if (bytes[i] !== 0xff) return headerError(HeaderSubcode.notSynchronized, 'the marker is not all ones');
  const length = statedLength(bytes, at);
  const type = readUint8(bytes, at + headerOctets - 1);
  const isBounded = type === MessageType.Open || type === MessageType.Keepalive;
  const longest = type === MessageType.Keepalive ? headerOctets : isBounded ? standardMessageLimit : limit;
  if (length < (shortest[type] ?? headerOctets) || length > longest)
    return headerError(
      HeaderSubcode.badLength,
      `a message of type ${type} has ${length} octets`,
      bytes.subarray(at + markerOctets, at + markerOctets + 2),
    );
  if (shortest[type] === undefined)
    return headerError(HeaderSubcode.badType, `the message type ${type} is unknown`, Uint8Array.of(type));
  return undefined;
}

/** Writes marker, length and type over the first 19 octets of a message. Throws a RangeError for a length over 65,535. */
export function writeHeader(into: Uint8Array, start: number, end: number, type: number): void {
  const length = end - start;
  if (length > extendedMessageLimit) throw new RangeError(`a message cannot have ${length} octets`);
  into.fill(0xff, start, start + markerOctets);
  into[start + markerOctets] = length >>> 8;
  into[start + markerOctets + 1] = length;
  into[start + headerOctets - 1] = type;
}
