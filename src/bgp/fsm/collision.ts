/** One end of a session, with the numbers that settle a connection collision. */
export interface CollidingEnd {
  readonly routerId: number;
  readonly asn: number;
}

/**
 * Returns the connection that survives a collision: the one that the winning end made. The end with the higher BGP Identifier wins
 * (RFC 4271 section 6.8). If the identifiers are equal, the end with the higher AS number wins (RFC 6286 section 2.3).
 */
export function survivingConnection(local: CollidingEnd, remote: CollidingEnd): 'outgoing' | 'incoming' {
  const localWins =
    local.routerId === remote.routerId ? local.asn > remote.asn : local.routerId > remote.routerId;
  return localWins ? 'outgoing' : 'incoming';
}
