import { type IpAddress, type Prefix, prefixContains } from '../../address/index.ts';
import { carries } from '../../link/link-table.ts';
import { type AddressEntry, interfacesOf } from '../address-entry.ts';
import type { NodeFacts } from './node-facts.ts';
import { includesAddress } from './witness-facts.ts';

/**
 * Decides which nodes could answer for an address: the entry's candidates that are alive, are not leaving, have a link for the address, and
 * are not mute for it. If every candidate that meets the first three conditions is mute, muteness does not count. An owner among these
 * candidates then stays eligible and can keep the address.
 */
export class Eligibility {
  readonly #nodes: ReadonlyMap<string, NodeFacts>;
  readonly #claiming: ReadonlySet<string>;
  readonly #subnets: readonly Prefix[];
  /**
   * Results by candidate list, then by a key of the relevant interfaces and subnets. Entries with equal candidates share one list object.
   */
  readonly #cache = new Map<readonly string[], Map<string, readonly string[]>>();

  /** Live nodes that are mute for some address. */
  readonly #mute: readonly string[];
  /** Lists without their mute nodes, by the original list, then by the names of the mute nodes. */
  readonly #audible = new Map<readonly string[], Map<string, readonly string[]>>();

  /** Lists without the nodes that an entry avoids, by the original list, then by the names of these nodes. */
  readonly #placeable = new Map<readonly string[], Map<string, readonly string[]>>();

  /** Each list of eligible nodes as a set. */
  readonly #sets = new Map<readonly string[], ReadonlySet<string>>();
  /** The ready nodes of each list, and this node if it is in the list. A list is filtered again when another node has begun to claim. */
  readonly #ready = new Map<
    readonly string[],
    { readonly claiming: number; readonly nodes: readonly string[] }
  >();

  /** `nodes` holds the live nodes, and `claiming` the starting nodes that have begun to claim. */
  constructor(nodes: ReadonlyMap<string, NodeFacts>, claiming: ReadonlySet<string> = new Set()) {
    this.#nodes = nodes;
    this.#claiming = claiming;
    this.#mute = [...nodes].filter(([, { mute }]) => mute !== undefined).map(([node]) => node);
    const subnets = new Map<string, Prefix>();
    for (const { links } of nodes.values())
      for (const link of links)
        for (const subnet of link.subnets)
          subnets.set(`${subnet.family}/${subnet.value}/${subnet.length}`, subnet);
    this.#subnets = [...subnets.values()];
  }

  /**
   * Whether the node is alive and has started to answer. A node that has restarted does not answer for its earlier claims until it
   * is ready.
   */
  isReady(node: string): boolean {
    const facts = this.#nodes.get(node);
    return facts !== undefined && (!facts.isStarting || this.#claiming.has(node));
  }

  /** The nodes of the list that are ready, and `self` if it is in the list. */
  ready(nodes: readonly string[], self: string): readonly string[] {
    const known = this.#ready.get(nodes);
    if (known?.claiming === this.#claiming.size) return known.nodes;
    const ready = nodes.filter((node) => node === self || this.isReady(node));
    this.#ready.set(nodes, { claiming: this.#claiming.size, nodes: ready });
    return ready;
  }

  isEligible(node: string, address: IpAddress, entry: AddressEntry): boolean {
    const nodes = this.eligible(address, entry);
    const set = this.#sets.get(nodes) ?? new Set(nodes);
    this.#sets.set(nodes, set);
    return set.has(node);
  }

  /** The nodes among these that the entry prefers most. */
  preferred(nodes: readonly string[], { preferences }: AddressEntry): readonly string[] {
    if (!preferences || nodes.length < 2) return nodes;
    const greatest = Math.max(...nodes.map((node) => preferences[node] ?? 0));
    return nodes.filter((node) => (preferences[node] ?? 0) === greatest);
  }

  /** The nodes of the list that may become the owner: all but those that the entry avoids, or all if it avoids all of them. */
  placeable(nodes: readonly string[], { avoided }: AddressEntry): readonly string[] {
    if (!avoided) return nodes;
    const cached = this.#placeable.get(nodes) ?? new Map<string, readonly string[]>();
    this.#placeable.set(nodes, cached);
    const key = avoided.join();
    const remaining = cached.get(key) ?? nodes.filter((node) => !avoided.includes(node));
    cached.set(key, remaining);
    return remaining.length > 0 ? remaining : nodes;
  }

  /** Whether this eligible node is preferred. Other nodes count only if they are eligible and ready. */
  isPreferred(node: string, address: IpAddress, entry: AddressEntry): boolean {
    if (!entry.preferences) return true;
    const others = this.eligible(address, entry).filter((other) => other === node || this.isReady(other));
    return this.preferred(others, entry).includes(node);
  }

  /**
   * Whether the node is alive, is not leaving, and has a link for the address. The node need not be a candidate. A link with the address's
   * subnet is enough, even if the entry names other interfaces.
   */
  couldAnswer(node: string, address: IpAddress, entry: AddressEntry): boolean {
    const facts = this.#nodes.get(node);
    if (!facts || facts.isLeaving) return false;
    const interfaces = interfacesOf(entry, node);
    return facts.links.some((link) => carries(link, address, []) || carries(link, address, interfaces));
  }

  /** Whether the node says that it is mute for the address. */
  isMute(node: string, { address }: AddressEntry): boolean {
    return includesAddress(this.#nodes.get(node)?.mute, address);
  }

  /** The eligible nodes, in the order of the candidates. */
  eligible(address: IpAddress, entry: AddressEntry): readonly string[] {
    const able = this.carriersAmong(entry.candidates, address, entry);
    if (this.#mute.length === 0) return able;
    const mute = this.#mute.filter((node) => this.isMute(node, entry));
    return mute.length === 0 ? able : this.#without(mute, able);
  }

  /**
   * The nodes of the list that are alive, are not leaving, and have a link for the address. Pass the same list object for equal lists, because
   * the results are cached by list object.
   */
  carriersAmong(candidates: readonly string[], address: IpAddress, entry: AddressEntry): readonly string[] {
    const cached = this.#cache.get(candidates) ?? new Map<string, readonly string[]>();
    this.#cache.set(candidates, cached);
    const key = this.#keyOf(address, entry);
    const known = cached.get(key);
    if (known) return known;
    const nodes = candidates.filter((node) => {
      const facts = this.#nodes.get(node);
      if (!facts || facts.isLeaving) return false;
      const interfaces = interfacesOf(entry, node);
      return facts.links.some((link) => carries(link, address, interfaces));
    });
    cached.set(key, nodes);
    return nodes;
  }

  /** The list without the mute nodes; the whole list if no node remains. */
  #without(mute: readonly string[], nodes: readonly string[]): readonly string[] {
    const cached = this.#audible.get(nodes) ?? new Map<string, readonly string[]>();
    this.#audible.set(nodes, cached);
    const key = mute.join();
    const remaining = cached.get(key) ?? nodes.filter((node) => !mute.includes(node));
    cached.set(key, remaining);
    return remaining.length > 0 ? remaining : nodes;
  }

  /**
   * The cache key. It is the same for addresses with the same interfaces and subnets. No interface name contains a slash, so keys
   * are unambiguous.
   */
  #keyOf(address: IpAddress, { interfaces, nodeInterfaces }: AddressEntry): string {
    const perNode = nodeInterfaces ? `${textOf(nodeInterfaces)}/` : '';
    const common =
      interfaces.length > 0
        ? `/${interfaces.join('/')}`
        : this.#subnets.map((subnet) => (prefixContains(subnet, address) ? '1' : '0')).join('');
    return perNode + common;
  }
}

/** The text of each `nodeInterfaces`, made only once. All entries of a candidate set share this object, and it may have thousands of nodes. */
const texts = new WeakMap<object, string>();

function textOf(nodeInterfaces: NonNullable<AddressEntry['nodeInterfaces']>): string {
  const text = texts.get(nodeInterfaces) ?? JSON.stringify(nodeInterfaces);
  texts.set(nodeInterfaces, text);
  return text;
}
