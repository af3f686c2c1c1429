/** The link that a session runs over. Pure. */
import { type IpAddress, isLinkLocal, type Prefix, prefixContains, sameIp } from '../../address/index.ts';
import type { InterfaceAddresses } from '../next-hop.ts';

/** An interface of the node that is up and has a carrier. */
export interface NodeInterface extends InterfaceAddresses {
  /** Subnets of its addresses. */
  readonly subnets?: readonly Prefix[];
}

/**
 * The name of the interface over which the peer is directly connected. The peer is directly connected when it is in a subnet of the
 * interface with our address, or when it has a link-local address. Returns `undefined` while the interface is not listed. Also returns
 * `undefined` when routers may lie between the ends, because the session may then survive the loss of one link.
 */
export function directLink(
  local: IpAddress,
  peer: IpAddress,
  zone: string | undefined,
  interfaces: readonly NodeInterface[],
): string | undefined {
  if (isLinkLocal(peer)) return interfaces.find(({ name }) => name === zone)?.name;
  return interfaces.find(
    ({ addresses, subnets = [] }) =>
      addresses.some((address) => sameIp(address, local)) &&
      subnets.some((subnet) => prefixContains(subnet, peer)),
  )?.name;
}
