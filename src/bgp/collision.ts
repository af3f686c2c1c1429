/** Connection collision (RFC 4271 section 6.8 with the tie-break of RFC 6286 section 2.3). Pure. */
export interface Speaker {
  readonly routerId: number;
  readonly asn: number;
}

/** Which of two connections stays: the one that the end with the higher identifier made; equal ones compare their AS numbers. */
export function survivingConnection(local: Speaker, remote: Speaker): 'outgoing' | 'incoming' {
  const localWins =
    local.routerId === remote.routerId ? local.asn > remote.asn : local.routerId > remote.routerId;
  return localWins ? 'outgoing' : 'incoming';
}
