/**
 * BGP messages between octets and values. No clock, no socket, no log: values in, values out.
 *
 *   TCP octets → FrameReader → frame → decodeMessage → message + faults, or the NOTIFICATION to send
 *   message → encodeMessage → octets
 *
 * What a peer sends is judged once, here, and completely. An error that ends the session is a `BgpError`: code, subcode and data of
 * the NOTIFICATION as the RFC of that error asks for them. An error that does not (RFC 7606) is an `AttributeFault` beside the message:
 * the attribute is discarded, or the routes count as withdrawn. Whether two OPENs fit together is the session's business.
 *
 * Refused without looking further: families other than IPv4 and IPv6 unicast, whose MP_REACH_NLRI and MP_UNREACH_NLRI are kept as
 * octets like every attribute and capability that we do not know. Encoding never sends what no RFC allows: a message that would be too long
 * is a RangeError, for the caller has to know the limit.
 *
 * Cost. Decoding copies no message and makes nothing that is larger than its input: frames are views of the chunk they came in, and
 * prefixes are judged and counted where they lie (NlriList). What outlives a message (error data, unknown attributes, communities) is
 * copied.
 *
 * RFC 4271 (messages), 4760 (multiprotocol), 2545 and 8950 (next hops), 5492 (capabilities), 9072 (long OPENs), 8654 (long messages), 6793
 * (four-octet AS), 7607 (AS 0), 6286 (identifier), 7606 (error handling), 7911 (path identifiers), 2918 and 7313 (route refresh), 4724
 * and 8538 (graceful restart), 1997, 4360, 8092 (communities), 4456 (reflection), 9234 (roles).
 */
export { asTrans } from './as-path.ts';
export type { AttributeFault } from './attribute-list.ts';
export { attributeName, encodeAttributeList as encodePathAttributes } from './attribute-list.ts';
export { capabilityCode, capabilityNameOf } from './capabilities.ts';
export type { BgpError } from './errors.ts';
export { FrameReader } from './frame-reader.ts';
export { extendedMessageLimit, standardMessageLimit } from './header.ts';
export { type Decoded, decodeMessage, encodeMessage } from './message-codec.ts';
export type { ReceiveOptions, SendOptions } from './options.ts';
