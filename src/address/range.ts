import { type Family, formatIp, type IpAddress } from './ip.ts';
import { lastOf, type Prefix } from './prefix.ts';

/** Consecutive addresses of one family, both ends included. */
export interface IpRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** All addresses of the prefix. */
export function rangeOfPrefix(prefix: Prefix): IpRange {
  return { family: prefix.family, first: prefix.value, last: lastOf(prefix).value };
}

/** Number of addresses. */
export function rangeSize(range: IpRange): bigint {
  return range.last - range.first + 1n;
}

export function rangeContains(range: IpRange, address: IpAddress): boolean {
  return range.family === address.family && range.first <= address.value && address.value <= range.last;
}

export function rangesOverlap(a: IpRange, b: IpRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** Formats the range as `first-last`, both in canonical text. */
export function formatRange(range: IpRange): string {
  const { family } = range;
  return `${formatIp({ family, value: range.first })}-${formatIp({ family, value: range.last })}`;
}

/** The fewest prefixes that together cover exactly the range, in ascending order. */
export function prefixesOfRange(range: IpRange): Prefix[] {
  const bits = range.family === 4 ? 32 : 128;
  const prefixes: Prefix[] = [];
  let value = range.first;
  while (value <= range.last) {
    let size = 0;
    while (
      size < bits &&
      ((value >> BigInt(size)) & 1n) === 0n &&
      value + (1n << BigInt(size + 1)) - 1n <= range.last
    )
      size++;
    const prefix: Prefix = { family: range.family, value, length: bits - size };
    prefixes.push(prefix);
    value = lastOf(prefix).value + 1n;
  }
  return prefixes;
}
