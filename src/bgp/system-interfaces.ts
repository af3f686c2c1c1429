import { networkInterfaces } from 'node:os';
import { type IpAddress, parseIp, prefixContains, prefixOf } from '../address/index.ts';
import type { NodeInterface } from './session/direct-link.ts';

/** The system's interfaces. libuv lists only interfaces that are up and have a carrier (IFF_UP and IFF_RUNNING). */
export function systemInterfaces(): readonly NodeInterface[] {
  return Object.entries(networkInterfaces()).map(([name, infos = []]) => {
    const addresses = infos.flatMap(({ address }) => parseIp(address.replace(/%.*$/, '')) ?? []);
    const subnets = infos.flatMap(({ cidr }) => {
      const [address = '', length] = (cidr ?? '').split('/');
      const parsed = parseIp(address.replace(/%.*$/, ''));
      return parsed && length !== undefined ? [prefixOf(parsed, Number(length))] : [];
    });
    return { name, addresses, subnets };
  });
}

/** True when the address is in a subnet of one of the system's interfaces. */
export function isOnLink(address: IpAddress): boolean {
  return systemInterfaces().some(({ subnets = [] }) =>
    subnets.some((subnet) => prefixContains(subnet, address)),
  );
}
