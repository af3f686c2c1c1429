import {
  type DigestKey,
  type DigestType,
  sectionOctets,
  sign,
} from '../../../src/bfd/codec/authentication.ts';
import {
  type BfdPacket,
  decodePacket,
  encodePacket,
  type ReceivedPacket,
} from '../../../src/bfd/codec/packet.ts';

/** A packet of a peer that is Up, with our discriminator 1 and its discriminator 2. */
export function packet(changes: Partial<BfdPacket> = {}): BfdPacket {
  return {
    diagnostic: 0,
    state: 'Up',
    poll: false,
    final: false,
    controlPlaneIndependent: false,
    demand: false,
    detectMultiplier: 3,
    myDiscriminator: 2,
    yourDiscriminator: 1,
    desiredMinTxInterval: 100_000,
    requiredMinRxInterval: 100_000,
    requiredMinEchoRxInterval: 0,
    ...changes,
  };
}

/** The octets of the packet, signed with the key. */
export function signed(
  changes: Partial<BfdPacket>,
  type: DigestType,
  key: DigestKey,
  sequence: number,
): Uint8Array {
  const octets = encodePacket(packet(changes), sectionOctets(type));
  sign(octets, type, key, sequence);
  return octets;
}

/** Decodes octets that must be a packet. */
export function decoded(octets: Uint8Array): ReceivedPacket {
  const result = decodePacket(octets);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}
