/** Next hop self: which addresses of this node a peer is told to send to (RFC 4271 section 5.1.3, RFC 2545, RFC 8950). Pure. */
import { type Family, type IpAddress, isLinkLocal, sameIp } from '../address/index.ts';

/** An interface of the node as far as next hops need it. */
export interface InterfaceAddresses {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
}

/** Where a session ends on our side. */
export interface SessionAddress {
  readonly local: IpAddress;
  readonly interfaces: readonly InterfaceAddresses[];
  /** IPv4 routes may have an IPv6 next hop (RFC 8950 negotiated). */
  readonly extendedNextHop: boolean;
  /** The interface of the session where its address does not tell (link-local). */
  readonly interfaceName?: string;
}

/**
 * The next hops for the family, in the order of MP_REACH_NLRI: a global address, and the link-local one after it where the session
 * itself is link-local. The session's own address where it is of the family; for the other family a global address of the same
 * interface, else for IPv4 an IPv6 one where the peer takes it. `undefined`: the family cannot be sent.
 */
export function nextHopsOf(family: Family, session: SessionAddress): readonly IpAddress[] | undefined {
  const { local, extendedNextHop } = session;
  if (isLoopback(local)) {
    const elsewhere = session.interfaces.flatMap(({ addresses }) => addresses);
    return firstGlobal(family, elsewhere);
  }
  const beside = interfaceOf(session)?.addresses ?? [];
  if (family === 6 && isLinkLocal(local)) return [...(firstGlobal(6, beside) ?? []), local];
  if (family === local.family) return [local];
  const other = firstGlobal(family, beside);
  if (other || family === 6 || !extendedNextHop) return other;
  return isLinkLocal(local) ? [...(firstGlobal(6, beside) ?? []), local] : [local];
}

function interfaceOf({ local, interfaces, interfaceName }: SessionAddress): InterfaceAddresses | undefined {
  // The same link-local address may be on several interfaces.
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
