/** Matches an incoming connection to a configured peer. Pure. */
import { formatIp, isLinkLocal, sameIp } from '../address/index.ts';
import type { ResolvedPeer } from './peer.ts';
import type { Incoming } from './transport/transport.ts';

type Ends = Pick<Incoming, 'remoteAddress' | 'localAddress' | 'interface'>;

/**
 * The session whose peer made a connection between these addresses. Several peers may share an address. A passive peer then takes
 * precedence, because its session comes up in no other way.
 */
export function sessionOf<T extends { readonly peer: ResolvedPeer }>(
  sessions: readonly T[],
  ends: Ends,
): T | undefined {
  const expecting = sessions.filter(({ peer }) => isFromPeer(peer, ends));
  return expecting.find(({ peer }) => peer.settings.passive) ?? expecting[0];
}

function isFromPeer({ settings }: ResolvedPeer, ends: Ends): boolean {
  const { address, interface: zone, sourceAddress } = settings;
  if (!sameIp(address, ends.remoteAddress)) return false;
  if (sourceAddress && !sameIp(sourceAddress, ends.localAddress)) return false;
  return !isLinkLocal(address) || ends.interface === undefined || ends.interface === zone;
}

/** Returns a sentence when the peer connected to an address of this node other than `source-address`; otherwise `undefined`. */
export function describeWrongTarget({ settings }: ResolvedPeer, ends: Ends): string | undefined {
  const { address, sourceAddress } = settings;
  if (!sourceAddress || !sameIp(address, ends.remoteAddress) || sameIp(sourceAddress, ends.localAddress))
    return undefined;
  return `the peer connected to ${formatIp(ends.localAddress)} instead of source-address ${formatIp(sourceAddress)}`;
}
