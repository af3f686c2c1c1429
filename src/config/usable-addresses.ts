/**
 * Which addresses of a pool may be assigned. With `avoid-buggy-ips` a pool skips IPv4 addresses that end in .0 or .255, because old
 * firewalls drop them as broadcast traffic (smurf attacks). The remaining 254 addresses of each /24 are numbered without gaps: an
 * address's rank is the number of usable addresses below it.
 */
import type { Family, IpRange } from '../address/index.ts';
import type { PoolConfig } from './config.ts';

const usablePerBlock = 254n;

/** Whether the last octet of an IPv4 address is 0 or 255. */
export function isBuggy(value: bigint): boolean {
  const lastOctet = value & 0xffn;
  return lastOctet === 0n || lastOctet === 255n;
}

/** Number of usable IPv4 addresses below this address. For a usable address, this number is its rank. */
export function rankOf(value: bigint): bigint {
  const lastOctet = value & 0xffn;
  return (value >> 8n) * usablePerBlock + (lastOctet === 0n ? 0n : lastOctet - 1n);
}

/** Inverse of `rankOf` for usable addresses. */
export function addressOfRank(rank: bigint): bigint {
  return ((rank / usablePerBlock) << 8n) + (rank % usablePerBlock) + 1n;
}

/**
 * The usable part of a range. Its ends are addresses, or ranks when the family is IPv4 and the pool avoids buggy addresses. It is empty when
 * `last < first`.
 */
export function usableInterval(
  { family, first, last }: IpRange,
  avoidBuggyIps: boolean,
): { readonly first: bigint; readonly last: bigint } {
  if (!avoidBuggyIps || family === 6) return { first, last };
  return { first: rankOf(first), last: rankOf(last + 1n) - 1n };
}

/** Number of addresses of this family that the pool may assign. */
export function usableSize({ ranges, avoidBuggyIps }: PoolConfig, family: Family): bigint {
  return ranges
    .filter((range) => range.family === family)
    .map((range) => usableInterval(range, avoidBuggyIps))
    .reduce((sum, { first, last }) => (last < first ? sum : sum + last - first + 1n), 0n);
}
