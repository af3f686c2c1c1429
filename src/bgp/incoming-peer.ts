/** Matches an incoming connection to a configured peer. Pure. */
import { formatIp, isLinkLocal, sameIp } from '../address/index.ts';
import type { ResolvedPeer } from './peer.ts';
import type { Incoming } from './transport/transport.ts';

type Ends = Pick<Incoming, 'remoteAddress' | 'localAddress' | 'interface'>;

/**
 * The session that takes the connection. Several peers may share an address. A passive peer then takes precedence, because its session comes
 * up in no other way. The kernel has checked only the password in force for the address, so no peer with a different password takes the connection.
 */
export function sessionOf<T extends { readonly peer: ResolvedPeer }>(
  sessions: readonly T[],
  incoming: Ends & Pick<Incoming, 'password'>,
): T | undefined {
  const able = sessions.filter(
    ({ peer }) =>
      isFromPeer(peer, incoming) && peer.waitingFor === undefined && peer.password === incoming.password,
  );
  return able.find(({ peer }) => peer.settings.passive) ?? able[0];
}

/** Whether the peer may have made a connection between these addresses. */
export function isFromPeer({ settings }: ResolvedPeer, ends: Ends): boolean {
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
