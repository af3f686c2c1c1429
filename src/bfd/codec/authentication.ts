/**
 * The authentication section (RFC 5880 sections 4.2 to 4.4). It follows the mandatory section, at octet 24 of the packet.
 *
 *   simple password:  type = 1   | length = 4–19     | key id | password (1–16 octets)
 *   MD5 and SHA1:     type = 2–5 | length = 24 or 28 | key id | reserved | sequence (4 octets) | digest (16 or 20 octets)
 *
 * A field without a size is one octet long. The field `length` counts the whole section.
 *
 * The digest is taken over the whole packet, with the key in place of the digest. The key is padded with zeros to the digest's length.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { fail, ok, type Result } from '../../result.ts';

/** The types that carry a sequence number and a digest. Types 3 and 5 are meticulous: every packet has a sequence number of its own. */
const algorithms = {
  'keyed-md5': { code: 2, name: 'md5', digestOctets: 16, isMeticulous: false },
  'meticulous-md5': { code: 3, name: 'md5', digestOctets: 16, isMeticulous: true },
  'keyed-sha1': { code: 4, name: 'sha1', digestOctets: 20, isMeticulous: false },
  'meticulous-sha1': { code: 5, name: 'sha1', digestOctets: 20, isMeticulous: true },
} as const;
export type DigestType = keyof typeof algorithms;

export interface DigestKey {
  readonly id: number;
  /** 1 to 16 octets for MD5, 1 to 20 for SHA1. */
  readonly octets: Uint8Array;
}

export type AuthenticationSection =
  | { readonly type: DigestType; readonly keyId: number; readonly sequence: number }
  /** A simple password, or a type that RFC 5880 does not define. */
  | { readonly type: 'other'; readonly code: number };

const start = 24;
const sequenceAt = start + 4;
const digestAt = start + 8;

export function isMeticulous(type: DigestType): boolean {
  return algorithms[type].isMeticulous;
}

/** The longest key of the type, in octets. */
export function maxKeyOctets(type: DigestType): number {
  return algorithms[type].digestOctets;
}

/** The length of the section, in octets. */
export function sectionOctets(type: DigestType): number {
  return digestAt - start + algorithms[type].digestOctets;
}

/** Decodes the section. `packet` must have exactly as many octets as its Length field says, and at least 26. */
export function decodeAuthentication(packet: Uint8Array): Result<AuthenticationSection, string> {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const code = view.getUint8(start);
  const length = view.getUint8(start + 1);
  if (start + length > packet.length)
    return fail(`Auth Len is ${length}, but ${packet.length - start} octets follow the mandatory section`);
  const type = (Object.keys(algorithms) as DigestType[]).find((each) => algorithms[each].code === code);
  if (type === undefined) return ok({ type: 'other', code });
  if (length !== sectionOctets(type))
    return fail(`Auth Len is ${length}, and must be ${sectionOctets(type)} for ${type}`);
  return ok({ type, keyId: view.getUint8(start + 2), sequence: view.getUint32(sequenceAt) });
}

/** Fills in the section of an encoded packet that has room for it, and signs the packet. */
export function sign(packet: Uint8Array, type: DigestType, key: DigestKey, sequence: number): void {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  view.setUint8(start, algorithms[type].code);
  view.setUint8(start + 1, sectionOctets(type));
  view.setUint8(start + 2, key.id);
  view.setUint8(start + 3, 0);
  view.setUint32(sequenceAt, sequence);
  packet.set(digestOf(packet, type, key), digestAt);
}

/** Whether the digest of a decoded packet was computed with this key. `packet` may be longer than its Length field says. */
export function hasValidDigest(packet: Uint8Array, type: DigestType, key: DigestKey): boolean {
  const end = digestAt + algorithms[type].digestOctets;
  const digest = digestOf(packet.subarray(0, packet[3]), type, key);
  return timingSafeEqual(digest, packet.subarray(digestAt, end));
}

function digestOf(packet: Uint8Array, type: DigestType, key: DigestKey): Uint8Array {
  const { name, digestOctets } = algorithms[type];
  const keyed = Uint8Array.from(packet);
  keyed.fill(0, digestAt, digestAt + digestOctets);
  keyed.set(key.octets.subarray(0, digestOctets), digestAt);
  return hash(name, keyed, 'buffer');
}
