/** The link that a session runs over. Pure. */
import { type IpAddress, isLinkLocal, type Prefix, prefixContains, sameIp } from '../../address/index.ts';
import type { InterfaceAddresses } from '../next-hop.ts';

/** An interface of the node that is up and has a carrier. */
export interface NodeInterface extends InterfaceAddresses {
  /** Subnets of its addresses. */
  readonly subnets?: readonly Prefix[];
}

/**
 * Name of the interface over which the peer is directly connected: the peer is in a subnet of the interface that holds our end, or has a
 * link-local address on it. `undefined` when routers may lie between the ends: the loss of one link then need not end the session.
 */
export function directLink(
  local: IpAddress,
  peer: IpAddress,
  zone: string | undefined,
  interfaces: readonly NodeInterface[],
): string | undefined {
  if (isLinkLocal(peer)) return zone;
  return interfaces.find(
    ({ addresses, subnets = [] }) =>
      addresses.some((address) => sameIp(address, local)) &&
      subnets.some((subnet) => prefixContains(subnet, peer)),
  )?.name;
}
