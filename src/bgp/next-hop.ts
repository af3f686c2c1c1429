/**
 * Next hop self: the addresses of this node that a peer should send traffic to (RFC 4271 section 5.1.3, RFC 2545 section 3, RFC 8950
 * section 3). Pure.
 */
import { type Family, type IpAddress, isLinkLocal, sameIp } from '../address/index.ts';

/** An interface of the node and its addresses. */
export interface InterfaceAddresses {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
}

/** Our end of a session. */
export interface SessionAddress {
  readonly local: IpAddress;
  readonly interfaces: readonly InterfaceAddresses[];
  /** RFC 8950 is negotiated: IPv4 routes may have an IPv6 next hop. */
  readonly extendedNextHop: boolean;
  /** The interface that the session runs over. It tells apart interfaces with the same link-local address. */
  readonly interfaceName?: string;
}

/**
 * The next hops for the family, in the order of MP_REACH_NLRI; `undefined` when routes of the family cannot be sent.
 *
 * - Routes of the session's own family use the session's local address. If this address is link-local and the interface has a global IPv6
 *   address, the global address comes first.
 * - Routes of the other family use a global address of the same interface.
 * - If the interface of a session over IPv6 has no global IPv4 address, IPv4 routes use the IPv6 next hops of the session, provided that the
 *   peer accepts them (RFC 8950).
 *
 * A session over loopback, to a daemon on the same node, uses a global address of any interface.
 */
export function nextHopsOf(family: Family, session: SessionAddress): readonly IpAddress[] | undefined {
  const { local, extendedNextHop } = session;
  const candidates = nextHopCandidates(session);
  if (isLoopback(local)) return firstGlobal(family, candidates);
  if (family === 6 && isLinkLocal(local)) return [...(firstGlobal(6, candidates) ?? []), local];
  if (family === local.family) return [local];
  const other = firstGlobal(family, candidates);
  if (other || family === 6 || !extendedNextHop) return other;
  return isLinkLocal(local) ? [...(firstGlobal(6, candidates) ?? []), local] : [local];
}

/** The addresses that next hops are chosen from; empty while the session's interface is not listed. */
export function nextHopCandidates(session: SessionAddress): readonly IpAddress[] {
  if (isLoopback(session.local)) return session.interfaces.flatMap(({ addresses }) => addresses);
  return interfaceOf(session)?.addresses ?? [];
}

function interfaceOf({ local, interfaces, interfaceName }: SessionAddress): InterfaceAddresses | undefined {
  // Several interfaces may have the same link-local address, so the session's own interface is tried first.
  return (
    interfaces.find(({ name, addresses }) => name === interfaceName && holds(addresses, local)) ??
    interfaces.find(({ addresses }) => holds(addresses, local))
  );
}

function holds(addresses: readonly IpAddress[], address: IpAddress): boolean {
  return addresses.some((candidate) => sameIp(candidate, address));
}

function firstGlobal(family: Family, addresses: readonly IpAddress[]): readonly IpAddress[] | undefined {
  const found = addresses.find(
    (address) =>
      address.family === family && !isLinkLocal(address) && !isLoopback(address) && !isIpv4LinkLocal(address),
  );
  return found && [found];
}

function isLoopback({ family, value }: IpAddress): boolean {
  return family === 4 ? value >> 24n === 127n : value === 1n;
}

/** 169.254.0.0/16 (RFC 3927). */
function isIpv4LinkLocal({ family, value }: IpAddress): boolean {
  return family === 4 && value >> 16n === 0xa9fen;
}
