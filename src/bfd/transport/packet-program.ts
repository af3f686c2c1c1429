import {
  acceptPacket,
  dropPacket,
  encodeProgram,
  type Instruction,
  jumpIfEqual,
  jumpIfGreaterOrEqual,
  loadOctet,
  loadWord,
  networkHeader,
  ttlAt,
} from '../../linux/socket-filter.ts';
import type { PacketFilter } from './transport.ts';

/** Offset of Your Discriminator from the UDP header. */
const yourDiscriminatorAt = 8 + 8;
/**
 * The kernel accepts at most 4096 instructions, and each discriminator takes two. With more discriminators than `maxDiscriminators`, the filter
 * checks only the TTL.
 */
const maxDiscriminators = 2000;

/**
 * The program that accepts datagrams with at least this TTL or hop limit (RFC 5881 section 5, RFC 5883 section 5). With discriminators, the
 * program also keeps a flood of other packets out of the queue. The kernel's own option for the TTL, IP_MINTTL, has no effect on UDP.
 */
export function packetProgram(family: 4 | 6, { minimumTtl, discriminators }: PacketFilter): Uint8Array {
  const program: Instruction[] = [
    [loadOctet, 0, 0, networkHeader + ttlAt[family]],
    [jumpIfGreaterOrEqual, 1, 0, minimumTtl],
    dropPacket,
  ];
  if (discriminators && discriminators.length <= maxDiscriminators) {
    program.push([loadWord, 0, 0, yourDiscriminatorAt]);
    for (const discriminator of discriminators)
      program.push([jumpIfEqual, 0, 1, discriminator], acceptPacket);
    program.push(dropPacket);
  } else program.push(acceptPacket);
  return encodeProgram(program);
}

/** Drops every packet, for a socket that only sends, and for one whose filter is not known yet. */
export const dropAllProgram = encodeProgram([dropPacket]);
