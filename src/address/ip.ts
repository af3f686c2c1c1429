import { Address6 } from 'ip-address';

export type Family = 4 | 6;

/** An IP address as a value. Text is used only at the borders: configuration, logs, API. */
export interface IpAddress {
  readonly family: Family;
  /** The 32 or 128 bits as an unsigned integer. */
  readonly value: bigint;
}

/** Number of bits in an address of the family. */
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

/** The family of an address that is known to be valid. The text may have a zone. */
export function familyOfText(text: string): Family {
  return text.includes(':') ? 6 : 4;
}

/** Canonical text: dotted quad, or RFC 5952 for IPv6. */
export function formatIp(address: IpAddress): string {
  if (address.family === 4) {
    const value = Number(address.value);
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  return formatIpv6(address.value);
}

/** Formats without `ip-address`, which takes 30 µs for one address. Each address is formatted several times. */
function formatIpv6(value: bigint): string {
  const groups: number[] = [];
  const half = (bits: bigint) => {
    const [high, low] = [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
    groups.push(high >>> 16, high & 0xffff, low >>> 16, low & 0xffff);
  };
  half(value >> 64n);
  half(value & 0xffff_ffff_ffff_ffffn);
  const zeros = longestZeros(groups);
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (zeros.length < 2) return text(groups);
  return `${text(groups.slice(0, zeros.start))}::${text(groups.slice(zeros.start + zeros.length))}`;
}

/** Finds the run of zero groups that `::` abbreviates: the longest run, or the first of equally long runs (RFC 5952 section 4.2). */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [i, group] of groups.entries()) {
    if (group !== 0) start = i + 1;
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start };
  }
  return best;
}

/** The address in network byte order: 4 or 16 octets. */
export function ipToBytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(address.family === 4 ? 4 : 16);
  let rest = address.value;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** Reads 4 or 16 octets in network byte order. Any other length is a bug in the caller and throws a RangeError. */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new RangeError(`an address has 4 or 16 octets, got ${bytes.length}`);
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** Compares two addresses for sorting: by family, IPv4 first, then by value. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

export function sameIp(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}

/** Whether the address lies in fe80::/10 (RFC 4291 section 2.5.6). */
export function isLinkLocal(address: IpAddress): boolean {
  return address.family === 6 && address.value >> 118n === 0x3fan;
}
