import {
  acceptPacket,
  dropPacket,
  encodeProgram,
  jumpIfGreaterOrEqual,
  loadOctet,
  networkHeader,
  ttlAt,
} from '../../linux/socket-filter.ts';

/**
 * The program that accepts datagrams with at least this TTL or hop limit (RFC 5881 section 5, RFC 5883 section 5). The kernel's own option,
 * IP_MINTTL, has no effect on UDP.
 */
export function ttlProgram(family: 4 | 6, minimumTtl: number): Uint8Array {
  return encodeProgram([
    [loadOctet, 0, 0, networkHeader + ttlAt[family]],
    [jumpIfGreaterOrEqual, 0, 1, minimumTtl],
    acceptPacket,
    dropPacket,
  ]);
}

/** The program of a socket that only sends. */
export const nothingProgram = encodeProgram([dropPacket]);
