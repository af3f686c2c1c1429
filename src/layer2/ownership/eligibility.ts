import { type IpAddress, type Prefix, prefixContains } from '../../address/index.ts';
import { carries } from '../../link/link-table.ts';
import type { AddressEntry } from '../address-entry.ts';
import { interfacesOf } from '../address-entry.ts';
import type { NodeFacts } from './node-facts.ts';

/** Who could answer for an address: Kubernetes-side candidates that live, stay, and have a link for it. */
export class Eligibility {
  readonly #nodes: ReadonlyMap<string, NodeFacts>;
  readonly #subnets: readonly Prefix[];
  readonly #known = new Map<readonly string[], Map<string, readonly string[]>>();

  /** Of the live nodes. */
  constructor(nodes: ReadonlyMap<string, NodeFacts>) {
    this.#nodes = nodes;
    const subnets = new Map<string, Prefix>();
    for (const { links } of nodes.values())
      for (const link of links)
        for (const subnet of link.subnets)
          subnets.set(`${subnet.family}/${subnet.value}/${subnet.length}`, subnet);
    this.#subnets = [...subnets.values()];
  }

  /** Lives, and answers by now: what a node has claimed before it started anew is answered by nobody. */
  isReady(node: string): boolean {
    return this.#nodes.get(node)?.isStarting === false;
  }

  isEligible(node: string, address: IpAddress, entry: AddressEntry): boolean {
    return this.eligible(address, entry).includes(node);
  }

  /** Whether the node could answer, whatever Kubernetes says of it. */
  couldAnswer(node: string, address: IpAddress, entry: AddressEntry): boolean {
    const facts = this.#nodes.get(node);
    if (!facts || facts.isLeaving) return false;
    const interfaces = interfacesOf(entry, node);
    return facts.links.some((link) => carries(link, address, []) || carries(link, address, interfaces));
  }

  /** In the candidates' order. Judged once for all addresses of the same candidates, interfaces and subnets. */
  eligible(address: IpAddress, entry: AddressEntry): readonly string[] {
    const { candidates, interfaces, nodeInterfaces } = entry;
    // A slash is in no interface's name.
    const special = nodeInterfaces ? `${JSON.stringify(nodeInterfaces)}/` : '';
    const common =
      interfaces.length > 0
        ? `/${interfaces.join('/')}`
        : this.#subnets.map((subnet) => (prefixContains(subnet, address) ? '1' : '0')).join('');
    const key = special + common;
    const byKey = this.#known.get(candidates) ?? new Map<string, readonly string[]>();
    this.#known.set(candidates, byKey);
    const known = byKey.get(key);
    if (known) return known;
    const nodes = candidates.filter((node) => {
      const facts = this.#nodes.get(node);
      if (!facts || facts.isLeaving) return false;
      const named = interfacesOf(entry, node);
      return facts.links.some((link) => carries(link, address, named));
    });
    byKey.set(key, nodes);
    return nodes;
  }
}
