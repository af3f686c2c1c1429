import {
  acceptPacket,
  dropPacket,
  encodeProgram,
  jumpIfEqual,
  loadWord,
  onlyFrom,
  requireTtl,
} from '../../linux/socket-filter.ts';
import { octetsOf } from './address-octets.ts';
import type { PacketFilter } from './transport.ts';

/** Offset of Your Discriminator from the UDP header. */
const yourDiscriminatorAt = 8 + 8;
/** The kernel accepts no longer program (BPF_MAXINSNS). */
const maxInstructions = 4096;

/**
 * The program that accepts datagrams with at least this TTL or hop limit (RFC 5881 section 5, RFC 5883 section 5). With discriminators, the
 * program also keeps a flood of other packets out of the queue. The kernel's own option for the TTL, IP_MINTTL, has no effect on UDP.
 * Throws a RangeError when the program is too long for the kernel.
 */
export function packetProgram(
  family: 4 | 6,
  { minimumTtl, peerMinimumTtls = [], discriminators }: PacketFilter,
): Uint8Array {
  const program = requireTtl(family, minimumTtl);
  for (const peer of peerMinimumTtls)
    program.push(...onlyFrom(family, octetsOf(peer.peerAddress), requireTtl(family, peer.minimumTtl)));
  if (discriminators) {
    program.push([loadWord, 0, 0, yourDiscriminatorAt]);
    for (const discriminator of discriminators)
      program.push([jumpIfEqual, 0, 1, discriminator], acceptPacket);
    program.push(dropPacket);
  } else program.push(acceptPacket);
  if (program.length > maxInstructions)
    throw new RangeError(
      `a program of ${program.length} instructions is longer than the limit of ${maxInstructions}`,
    );
  return encodeProgram(program);
}

/** Drops every packet, for a socket that only sends, and for one whose filter is not known yet. */
export const dropAllProgram = encodeProgram([dropPacket]);
