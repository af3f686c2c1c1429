import { isIP, isIPv4 } from 'node:net';

/** The UDP socket of a member. */
export interface Endpoint {
  /** A literal address, with a zone if necessary. Empty in a member's statement about itself. */
  readonly host: string;
  readonly port: number;
}

export function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.host === b.host && a.port === b.port;
}

/** Whether both hosts are IPv4 addresses, or both IPv6 addresses. */
export function isSameFamily(a: Endpoint, b: Endpoint): boolean {
  return isIP(a.host) === isIP(b.host);
}

/** Whether a datagram can be sent to the endpoint. It must have a literal unicast address and a port from 1 to 65535. */
export function isDeliverable({ host, port }: Endpoint): boolean {
  return Number.isInteger(port) && port > 0 && port <= 65_535 && isUnicast(host);
}

/** Every form of `::`, with or without a zone. */
const unspecified = /^[0:.]+(?:%|$)/;

/** Multicast is 224.0.0.0/4 (RFC 5771) and ff00::/8 (RFC 4291 section 2.7). 240.0.0.0/4 is reserved and holds the broadcast address. */
function isUnicast(host: string): boolean {
  if (isIPv4(host)) {
    const first = Number.parseInt(host, 10);
    return first > 0 && first < 224;
  }
  const firstGroup = Number.parseInt(host, 16);
  return isIP(host) === 6 && !unspecified.test(host) && firstGroup >> 8 !== 0xff;
}
