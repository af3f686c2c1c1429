/**
 * Decodes and encodes BGP messages. Pure: no clock, no I/O, no log.
 *
 *   TCP octets → FrameReader → frame → decodeMessage → message and faults, or the NOTIFICATION to send
 *   message → encodeMessage → octets
 *
 * Errors. The codec judges a message once and completely. An error that ends the session is a BgpError: code, subcode and data of the
 * NOTIFICATION, as the RFC asks. An error that leaves the session up (RFC 7606) is an AttributeFault beside the message: the attribute is
 * discarded, or the routes of the UPDATE are treated as withdrawn. negotiation.ts decides whether two OPENs are compatible. Encoding a
 * message that is too long, or that has a part that is too long, throws a RangeError. Two long parts do not throw: a host name is cut, and
 * an AS_PATH segment is split.
 *
 * Unknown input. Routes of families other than IPv4 and IPv6 unicast, unknown attributes and unknown capabilities are kept as octets and
 * not interpreted.
 *
 * Cost. Decoding allocates no more than a small multiple of its input. A frame that arrives in one chunk is a view of the chunk, and prefixes
 * are judged and counted in place (NlriList). Values that outlive the message (error data, unknown attributes, communities) are copies.
 *
 * Implements RFC 4271 (messages), 4760 (multiprotocol), 2545 and 8950 (next hops), 5492 (capabilities), 9072 (long OPENs), 8654 (long
 * messages), 6793 (four-octet AS numbers), 7607 (AS 0), 6286 (BGP Identifier), 7606 (error handling), 7911 (path identifiers), 2918 and
 * 7313 (route refresh), 4724 and 8538 (graceful restart), 9494 (long-lived graceful restart), 1997, 4360 and 8092 (communities), 4456
 * (route reflection), 9234 (roles).
 */
export { asTrans } from './as-path.ts';
export type { AttributeFault } from './attribute-list.ts';
export { attributeName, encodeAttributeList as encodePathAttributes } from './attribute-list.ts';
export { AttributeType, Flag } from './attribute-row.ts';
export { capabilityCode, capabilityNameOf } from './capabilities.ts';
export type { BgpError } from './errors.ts';
export { FrameReader } from './frame-reader.ts';
export { extendedMessageLimit, standardMessageLimit } from './header.ts';
export { type Decoded, decodeMessage, encodeMessage } from './message-codec.ts';
export type { ReceiveOptions } from './options.ts';
export {
  decodePassedItem,
  encodePassedPrefixes,
  encodePassedSession,
  type PassedSession,
} from './passed-session.ts';
