/**
 * The BFD Control packet (RFC 5880 section 4.1). Its mandatory section has 24 octets:
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
 *   |                       My Discriminator                        |
 *   |                      Your Discriminator                       |
 *   |                    Desired Min TX Interval                    |
 *   |                   Required Min RX Interval                    |
 *   |                 Required Min Echo RX Interval                 |
 *
 * The authentication section follows when A is set. Intervals are in microseconds.
 */
import { fail, ok, type Result } from '../../result.ts';
import { type AuthenticationSection, decodeAuthentication } from './authentication.ts';
import { type BfdState, stateCode, stateOf } from './state.ts';

export interface BfdPacket {
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly poll: boolean;
  readonly final: boolean;
  readonly controlPlaneIndependent: boolean;
  readonly demand: boolean;
  readonly detectMultiplier: number;
  readonly myDiscriminator: number;
  readonly yourDiscriminator: number;
  readonly desiredMinTxInterval: number;
  readonly requiredMinRxInterval: number;
  readonly requiredMinEchoRxInterval: number;
}

/** A packet as received, with its authentication section when A is set. */
export interface ReceivedPacket extends BfdPacket {
  readonly authentication?: AuthenticationSection;
}

const version = 1;
const mandatoryOctets = 24;
/** The smallest packet with authentication: the mandatory section, then the type and length of the authentication section, one octet each. */
const minimumWithAuthentication = 26;

const flag = {
  poll: 0x20,
  final: 0x10,
  independent: 0x08,
  authentication: 0x04,
  demand: 0x02,
  multipoint: 0x01,
};

/**
 * Decodes a datagram, and applies the rules of RFC 5880 section 6.8.6 that need nothing but the packet, in the order of that section. The
 * error says which rule the packet breaks. Octets beyond those that the Length field counts are ignored.
 */
export function decodePacket(datagram: Uint8Array): Result<ReceivedPacket, string> {
  if (datagram.length < mandatoryOctets)
    return fail(`the datagram has ${datagram.length} octets, a packet has at least ${mandatoryOctets}`);
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  const [first, flags, detectMultiplier, length] = [0, 1, 2, 3].map((at) => view.getUint8(at)) as Four;
  const isAuthenticated = (flags & flag.authentication) !== 0;
  const minimum = isAuthenticated ? minimumWithAuthentication : mandatoryOctets;
  if (first >>> 5 !== version) return fail(`the version is ${first >>> 5}, not ${version}`);
  if (length < minimum) return fail(`Length is ${length}, and must be at least ${minimum}`);
  if (length > datagram.length)
    return fail(`Length is ${length}, but the datagram has ${datagram.length} octets`);
  if (detectMultiplier === 0) return fail('Detect Mult is 0');
  if ((flags & flag.multipoint) !== 0) return fail('the Multipoint bit is set');
  const myDiscriminator = view.getUint32(4);
  if (myDiscriminator === 0) return fail('My Discriminator is 0');
  const state = stateOf(flags >>> 6);
  const yourDiscriminator = view.getUint32(8);
  if (yourDiscriminator === 0 && state !== 'Down' && state !== 'AdminDown')
    return fail(`Your Discriminator is 0 in state ${state}`);
  const [poll, final] = [(flags & flag.poll) !== 0, (flags & flag.final) !== 0];
  // Section 6.5 forbids both bits in one packet.
  if (poll && final) return fail('the Poll and Final bits are both set');
  const authentication = isAuthenticated ? decodeAuthentication(datagram.subarray(0, length)) : undefined;
  if (authentication?.ok === false) return authentication;
  return ok({
    diagnostic: first & 0x1f,
    state,
    poll,
    final,
    controlPlaneIndependent: (flags & flag.independent) !== 0,
    demand: (flags & flag.demand) !== 0,
    detectMultiplier,
    myDiscriminator,
    yourDiscriminator,
    desiredMinTxInterval: view.getUint32(12),
    requiredMinRxInterval: view.getUint32(16),
    requiredMinEchoRxInterval: view.getUint32(20),
    ...(authentication ? { authentication: authentication.value } : {}),
  });
}

type Four = [number, number, number, number];

/** Encodes the mandatory section, with room for an authentication section of the given length. Sets the A bit unless this length is 0. */
export function encodePacket(packet: BfdPacket, authenticationOctets = 0): Uint8Array {
  const octets = new Uint8Array(mandatoryOctets + authenticationOctets);
  const view = new DataView(octets.buffer);
  view.setUint8(0, (version << 5) | packet.diagnostic);
  view.setUint8(
    1,
    (stateCode(packet.state) << 6) |
      (packet.poll ? flag.poll : 0) |
      (packet.final ? flag.final : 0) |
      (packet.controlPlaneIndependent ? flag.independent : 0) |
      (authenticationOctets > 0 ? flag.authentication : 0) |
      (packet.demand ? flag.demand : 0),
  );
  view.setUint8(2, packet.detectMultiplier);
  view.setUint8(3, octets.length);
  view.setUint32(4, packet.myDiscriminator);
  view.setUint32(8, packet.yourDiscriminator);
  view.setUint32(12, packet.desiredMinTxInterval);
  view.setUint32(16, packet.requiredMinRxInterval);
  view.setUint32(20, packet.requiredMinEchoRxInterval);
  return octets;
}
