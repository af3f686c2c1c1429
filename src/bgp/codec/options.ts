import type { AddressFamily } from '../message.ts';

/** What the session agreed on as far as it shapes messages to the peer. */
export interface SendOptions {
  /** RFC 6793: AS numbers have four octets in AS_PATH and AGGREGATOR. */
  readonly fourOctetAs: boolean;
  /** Families whose NLRI carry a path identifier (RFC 7911); none when absent. */
  readonly addPath?: readonly AddressFamily[];
}

/** What the session agreed on as far as it shapes messages from the peer. Before the OPENs: nothing. */
export interface ReceiveOptions extends SendOptions {
  /** Octets of the longest message we said we take: 4096, or 65535 with RFC 8654. */
  readonly receiveLimit: number;
  /** The peer is in our AS. */
  readonly internal: boolean;
  /** IPv4 routes may have an IPv6 next hop (RFC 8950). */
  readonly extendedNextHop: boolean;
}

export function hasAddPath({ addPath }: SendOptions, { afi, safi }: AddressFamily): boolean {
  return addPath?.some((family) => family.afi === afi && family.safi === safi) ?? false;
}
