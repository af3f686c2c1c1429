/** ROUTE-REFRESH (RFC 2918 section 3, RFC 7313 section 3.2), from the offset of the message: `19 AFI 2 | subtype | SAFI`. */
import { fail, ok, type Result } from '../../result.ts';
import { MessageType, type RouteRefreshMessage } from '../message.ts';
import { type BgpError, routeRefreshError } from './errors.ts';
import { headerOctets, writeHeader } from './header.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16 } from './octets.ts';

const messageOctets = headerOctets + 4;
/** RFC 7313: Beginning and End of Route Refresh. */
const marks: readonly number[] = [1, 2];

/**
 * Decodes a ROUTE-REFRESH whose header has been judged. A mark of another length is an error (7,1) with the whole message as data; a
 * request may be longer (RFC 5291), and what follows is not looked at.
 */
export function decodeRouteRefresh(frame: Uint8Array): Result<RouteRefreshMessage, BgpError> {
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
