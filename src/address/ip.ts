import { Address6 } from 'ip-address';

export type Family = 4 | 6;

/** An IP address as a value. Text is for the borders only: configuration, log, API. */
export interface IpAddress {
  readonly family: Family;
  /** The 32 or 128 bits as an unsigned integer. */
  readonly value: bigint;
}

/** Number of bits of an address of the family. */
export function familyBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

const dottedQuad = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/**
 * Reads an IPv4 address (four decimal octets, no leading zeros) or an IPv6 address (RFC 4291 section 2.2, no zone).
 * Returns `undefined` for anything else.
 */
export function parseIp(text: string): IpAddress | undefined {
  if (dottedQuad.test(text)) {
    let value = 0;
    for (const octet of text.split('.')) value = value * 256 + Number(octet);
    return { family: 4, value: BigInt(value) };
  }
  if (!text.includes(':') || text.includes('/') || text.includes('%') || !Address6.isValid(text))
    return undefined;
  return { family: 6, value: new Address6(text).bigInt() };
}

/** Canonical text: dotted quad, or RFC 5952 for IPv6. */
export function formatIp(address: IpAddress): string {
  if (address.family === 4) {
    const value = Number(address.value);
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  return Address6.fromBigInt(address.value).correctForm();
}

/** Network byte order: 4 or 16 octets. */
export function ipToBytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(address.family === 4 ? 4 : 16);
  let rest = address.value;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** The address in 4 or 16 octets of network byte order; any other length is a bug of the caller. */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new RangeError(`an address has 4 or 16 octets, not ${bytes.length}`);
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** Orders IPv4 before IPv6, then by number. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

export function sameIp(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}

/** True for fe80::/10 (RFC 4291 section 2.5.6). */
export function isLinkLocal(address: IpAddress): boolean {
  return address.family === 6 && address.value >> 118n === 0x3fan;
}
