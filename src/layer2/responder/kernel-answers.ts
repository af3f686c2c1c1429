import { readFileSync } from 'node:fs';
import type { IpAddress } from '../../address/index.ts';
import { carries, type Link, type LocalAddress } from '../../link/link-table.ts';

/** An address for which the kernel of this node answers too, whichever node owns the address. The kernel answers with the MAC of the link. */
export interface KernelAnswer {
  readonly address: IpAddress;
  /** Interface that has the address: kube-ipvs0 with kube-proxy in IPVS mode, or an interface that was configured by hand. */
  readonly configuredOn: string;
  /** Link on which the kernel answers. */
  readonly answeredOn: string;
}

/**
 * Reads `arp_ignore` as the kernel applies it: the greater of the link's own value and that of `all`. Returns 0 when the value cannot be
 * read.
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

/** With these values, the kernel answers only for addresses of the link itself. */
const linkOnly: ReadonlySet<number> = new Set([1, 2]);
/** With this value, the kernel never answers. */
const never = 8;

/** IPv6 has no `arp_ignore`. The kernel answers only on the link that has the address, as IPv4 does with the value 1. */
const ipv6Ignore = 1;

/**
 * Finds the addresses that this host's kernel answers for. For IPv4, the result depends on `arp_ignore`. With any value other than 1, 2 and 8, such
 * as 0, the kernel answers on every link for every address of the host. The value 3 counts like 0: with 3, the kernel leaves out only addresses of
 * scope host, and kube-proxy gives its addresses the scope global.
 */
export function findKernelAnswers(
  addresses: Iterable<{ readonly address: IpAddress; readonly interfaces: readonly string[] }>,
  links: readonly Link[],
  local: readonly LocalAddress[],
  arpIgnore: (interfaceName: string) => number,
): KernelAnswer[] {
  // There may be many local addresses, because kube-proxy in IPVS mode configures the address of every Service on an interface of the node.
  const holdersOf = Map.groupBy(local, ({ address }) => keyOf(address));
  const ignoredOn = new Map<string, number>();
  const ignoreOn = (name: string) => {
    const ignore = ignoredOn.get(name) ?? arpIgnore(name);
    ignoredOn.set(name, ignore);
    return ignore;
  };
  const answers: KernelAnswer[] = [];
  for (const { address, interfaces } of addresses) {
    const holders = holdersOf.get(keyOf(address)) ?? [];
    const holder = holders.at(-1);
    if (!holder) continue;
    for (const link of links) {
      if (!carries(link, address, interfaces)) continue;
      const isOnLink = holders.some((each) => each.interface === link.name);
      const ignore = address.family === 4 ? ignoreOn(link.name) : ipv6Ignore;
      if (ignore !== never && (isOnLink || !linkOnly.has(ignore)))
        answers.push({
          address,
          configuredOn: isOnLink ? link.name : holder.interface,
          answeredOn: link.name,
        });
    }
  }
  return answers;
}

function keyOf({ family, value }: IpAddress): string {
  return `${family}/${value}`;
}
