import type { AddressFamily } from '../message.ts';

/** Negotiated features that shape messages to the peer. */
export interface SendOptions {
  /** RFC 6793: AS numbers have four octets in AS_PATH and AGGREGATOR. */
  readonly fourOctetAs: boolean;
  /** Families whose NLRI carry a path identifier (RFC 7911); none when absent. */
  readonly addPath?: readonly AddressFamily[];
}

/** Negotiated features that shape messages from the peer. Before both OPENs are exchanged, all features are off. */
export interface ReceiveOptions extends SendOptions {
  /** Octets of the longest message that our OPEN allows: 4096, or 65,535 with RFC 8654. */
  readonly receiveLimit: number;
  /** The peer is in our AS. */
  readonly internal: boolean;
  /** IPv4 routes may have an IPv6 next hop (RFC 8950). */
  readonly extendedNextHop: boolean;
}

/** Whether NLRI of the family carry path identifiers. */
export function hasAddPath({ addPath }: SendOptions, { afi, safi }: AddressFamily): boolean {
  return addPath?.some((family) => family.afi === afi && family.safi === safi) ?? false;
}
