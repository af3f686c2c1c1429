import { type Family, familyBits, formatIp, type IpAddress, parseIp } from './ip.ts';

/** A CIDR prefix whose host bits are zero. */
export interface Prefix {
  readonly family: Family;
  /** First address of the prefix as an unsigned integer. */
  readonly value: bigint;
  readonly length: number;
}

function hostMask(family: Family, length: number): bigint {
  return (1n << BigInt(familyBits(family) - length)) - 1n;
}

/** The prefix of `length` bits that contains the address. */
export function prefixOf(address: IpAddress, length: number): Prefix {
  return { family: address.family, value: address.value & ~hostMask(address.family, length), length };
}

/** The /32 or /128 prefix of the address. */
export function hostPrefix(address: IpAddress): Prefix {
  return { family: address.family, value: address.value, length: familyBits(address.family) };
}

/** Reads `address/length` with all host bits zero. Returns `undefined` for anything else. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? undefined : parseIp(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (!address || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  if (length > familyBits(address.family)) return undefined;
  const prefix = prefixOf(address, length);
  return prefix.value === address.value ? prefix : undefined;
}

/** Formats the prefix as `address/length`. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatIp(prefix)}/${prefix.length}`;
}

export function isSamePrefix(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.value === b.value && a.length === b.length;
}

/** Last address of the prefix. */
export function lastOf(prefix: Prefix): IpAddress {
  return { family: prefix.family, value: prefix.value | hostMask(prefix.family, prefix.length) };
}

export function prefixContains(prefix: Prefix, address: IpAddress): boolean {
  return (
    prefix.family === address.family &&
    (address.value & ~hostMask(prefix.family, prefix.length)) === prefix.value
  );
}
