/** Chooses the interfaces on which the traffic of an address or a peer appears. Pure. */
import { type IpAddress, type Prefix, prefixContains, sameIp } from '../../address/index.ts';

export interface CaptureInterface {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  readonly subnets: readonly Prefix[];
}

/** A node may have hundreds of interfaces, one for each Pod. Each one that is captured has a socket and a buffer. */
export const maxInterfaces = 8;

/** The interfaces on which a node may answer for an address: those with a subnet that holds it, and those that an advertisement names. */
export function interfacesOfAddress(
  address: IpAddress,
  all: readonly CaptureInterface[],
  named: readonly string[],
): string[] {
  return all
    .filter(
      ({ name, subnets }) =>
        named.includes(name) || subnets.some((subnet) => prefixContains(subnet, address)),
    )
    .map(({ name }) => name);
}

/** The interface that has the address with which the kernel sends to a peer. */
export function interfaceWith(own: IpAddress, all: readonly CaptureInterface[]): string | undefined {
  return all.find(({ addresses }) => addresses.some((each) => sameIp(each, own)))?.name;
}
