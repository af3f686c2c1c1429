/** An address that exactly one node should answer for. `AddressEntry` adds `observedVersion`. */
export interface UnversionedEntry {
  /** Canonical text. It is the key of the entry. */
  readonly address: string;
  /** Nodes that may answer, according to node and pool selectors, readiness and endpoints. Sorted. */
  readonly candidates: readonly string[];
  /** Interfaces named by the pool's advertisements. An empty list means every interface whose subnet holds the address. */
  readonly interfaces: readonly string[];
  /** Interfaces by node, if the nodes do not all have the same list. A node that is missing here uses `interfaces`. */
  readonly nodeInterfaces?: Readonly<Record<string, readonly string[]>>;
  /** How much each node is preferred as the owner. The greatest number wins. A node that is missing here has 0. */
  readonly preferences?: Readonly<Record<string, number>>;
  /** Addresses of one group prefer the same node. The two families of a dual-stack Service form a group. */
  readonly group: string;
  /** The last owner, according to the Service's annotation. */
  readonly recordedOwner?: string;
}

/** An entry with the version of the cluster state that it was made from. */
export interface AddressEntry extends UnversionedEntry {
  /** Newest resourceVersion that the speaker had observed. A greater version is newer. 0 means unknown. */
  readonly observedVersion: number;
}

/** An address that no Service uses any longer. */
export interface AddressRemoval {
  readonly address: string;
  /** As in `AddressEntry`. */
  readonly observedVersion: number;
}

type Interfaces = Pick<UnversionedEntry, 'interfaces' | 'nodeInterfaces'>;

/** Names of the interfaces that the node may answer on. An empty list means every interface whose subnet holds the address. */
export function interfacesOf({ interfaces, nodeInterfaces }: Interfaces, node: string): readonly string[] {
  return nodeInterfaces?.[node] ?? interfaces;
}

/** Stores each node's interfaces in the shortest form: a single list when all nodes have the same interfaces. */
export function perNode(byNode: ReadonlyMap<string, readonly string[]>): Interfaces {
  const lists = new Map([...byNode].map(([node, names]) => [node, [...names].sort()]));
  const [first = []] = lists.values();
  const isOne = [...lists.values()].every((names) => names.join('/') === first.join('/'));
  return isOne ? { interfaces: first } : { interfaces: [], nodeInterfaces: Object.fromEntries(lists) };
}

/** Stores preferences in one order, so that equal ones give equal entries. Leaves out nodes without a preference. */
export function preferencesOf(byNode: ReadonlyMap<string, number>): Pick<UnversionedEntry, 'preferences'> {
  const positive = [...byNode].filter(([, preference]) => preference > 0);
  if (positive.length === 0) return {};
  return { preferences: Object.fromEntries(positive.sort(([a], [b]) => (a < b ? -1 : 1))) };
}
