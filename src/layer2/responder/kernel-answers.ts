import { readFileSync } from 'node:fs';
import type { IpAddress } from '../../address/index.ts';
import { carries, type Link, type LocalAddress } from '../../link/link-table.ts';

/** The kernel of this node answers for an address too, with whatever MAC the link has, owner or not. */
export interface KernelAnswer {
  readonly address: IpAddress;
  /** Where the kernel has the address: kube-ipvs0 with kube-proxy in IPVS mode, or a person's doing. */
  readonly configuredOn: string;
  /** The link on which it answers. */
  readonly answeredOn: string;
}

/**
 * Reads `arp_ignore` as the kernel applies it: the greater of the link's own and that for all. 0 answers for every
 * address of the host on every link, 1 and 2 for those of the link itself, 8 never. 0 where it cannot be read.
 */
export function readArpIgnore(interfaceName: string): number {
  return Math.max(
    ...['all', interfaceName].map((name) => {
      try {
        return Number(readFileSync(`/proc/sys/net/ipv4/conf/${name}/arp_ignore`, 'utf8')) || 0;
      } catch {
        return 0;
      }
    }),
  );
}

/**
 * Finds the addresses that this host's kernel answers for by itself. IPv4 depends on `arp_ignore`; IPv6 is answered only on the
 * link that has the address.
 */
export function findKernelAnswers(
  addresses: Iterable<{ readonly address: IpAddress; readonly interfaces: readonly string[] }>,
  links: readonly Link[],
  local: readonly LocalAddress[],
  arpIgnore: (interfaceName: string) => number,
): KernelAnswer[] {
  // In IPVS mode kube-proxy has every Service's address on a link of the node.
  const holdersOf = new Map<string, LocalAddress[]>();
  for (const entry of local) {
    const key = `${entry.address.family}/${entry.address.value}`;
    const holders = holdersOf.get(key) ?? [];
    holders.push(entry);
    holdersOf.set(key, holders);
  }
  const answers: KernelAnswer[] = [];
  for (const { address, interfaces } of addresses) {
    const holders = holdersOf.get(`${address.family}/${address.value}`);
    const known = holders?.at(-1);
    if (!holders || !known) continue;
    for (const link of links) {
      if (!carries(link, address, interfaces)) continue;
      const isOnLink = holders.some((holder) => holder.interface === link.name);
      const ignore = address.family === 4 ? arpIgnore(link.name) : 1;
      if (ignore === 0 || (isOnLink && ignore < 8))
        answers.push({
          address,
          configuredOn: isOnLink ? link.name : known.interface,
          answeredOn: link.name,
        });
    }
  }
  return answers;
}
