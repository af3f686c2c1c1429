/**
 * ROUTE-REFRESH (RFC 2918 section 3, RFC 7313 section 3.2), with offsets from the start of the message:
 *
 *    19    21        22     23
 *   | AFI | subtype | SAFI |
 */
import { fail, ok, type Result } from '../../result.ts';
import { MessageType, type RouteRefreshMessage } from '../message.ts';
import { type BgpError, routeRefreshError } from './errors.ts';
import { headerOctets, writeHeader } from './header.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16 } from './octets.ts';

const messageOctets = headerOctets + 4;
/** Subtypes of the two marks (RFC 7313 section 3.2): Beginning of Route Refresh and End of Route Refresh. */
const marks: readonly number[] = [1, 2];

/**
 * Decodes a ROUTE-REFRESH whose header has been judged. Fails with code 7, subcode 1 and the whole message as data (RFC 7313 section 5)
 * when the message is too short, or when a Begin or End mark has a length other than 23 octets. A request may be longer, because it may
 * carry filters (RFC 5291). They are ignored.
 */
export function decodeRouteRefresh(frame: Uint8Array): Result<RouteRefreshMessage, BgpError> {
  if (frame.length < messageOctets)
    return fail(routeRefreshError(`a ROUTE-REFRESH has ${frame.length} octets`, frame));
  const subtype = readUint8(frame, headerOctets + 2);
  if (marks.includes(subtype) && frame.length !== messageOctets)
    return fail(routeRefreshError(`a route refresh mark has ${frame.length} octets`, frame));
  return ok({
    kind: 'route-refresh',
    afi: readUint16(frame, headerOctets),
    subtype,
    safi: readUint8(frame, headerOctets + 3),
  });
}

export function encodeRouteRefresh({ afi, subtype, safi }: RouteRefreshMessage): Uint8Array {
  const bytes = new OctetWriter()
    .octets(new Uint8Array(headerOctets))
    .uint16(afi)
    .uint8(subtype)
    .uint8(safi)
    .finish();
  writeHeader(bytes, 0, bytes.length, MessageType.RouteRefresh);
  return bytes;
}
