/** Nodes that may answer for an address, with their interfaces and preferences. */
export interface CandidateNodes {
  /** Nodes that may answer, according to node and pool selectors, readiness and endpoints. Sorted. */
  readonly candidates: readonly string[];
  /** Interfaces named by the pool's advertisements. An empty list means every interface whose subnet holds the address. */
  readonly interfaces: readonly string[];
  /** Interfaces by node, if the nodes do not all have the same list. A node that is missing here uses `interfaces`. */
  readonly nodeInterfaces?: Readonly<Record<string, readonly string[]>>;
  /**
   * How much each node is preferred as the owner. The greatest number wins. A node that is missing here has 0. A number below 0 is for a node
   * that should answer only while no other node can, for example a node that leaves.
   */
  readonly preferences?: Readonly<Record<string, number>>;
  /** Nodes that become the owner only if no other node can. They keep what they own. Sorted; absent when there is none. */
  readonly avoided?: readonly string[];
}

/** The fields of an entry besides its candidates and its version. */
interface AddressFacts {
  /** Canonical text. It is the key of the entry. */
  readonly address: string;
  /** Addresses of one group prefer the same node. The two families of a dual-stack Service form a group. */
  readonly group: string;
  /** The last owner, according to the Service's annotation. */
  readonly recordedOwner?: string;
}

/** An address that exactly one node should answer for. */
export interface AddressEntry extends AddressFacts, CandidateNodes, Versioned {}

/**
 * Where the candidates of an address come from: the number of a set that many addresses share, or the nodes themselves. A node may answer
 * if at least one source allows it.
 */
export type CandidateSource = number | CandidateNodes;

/** An entry that names the sources of its candidates instead of the candidates. `SourcedEntry` adds `observedVersion`. */
export interface UnversionedEntry extends AddressFacts {
  /** Empty when no node may answer. */
  readonly sources: readonly CandidateSource[];
  /** Present while `--adopt-only` holds the address back: the sources of the nodes that may answer for it afterwards. */
  readonly heldSources?: readonly CandidateSource[];
}

/** All sources that the entry names. */
export function sourcesOf({ sources, heldSources }: UnversionedEntry): readonly CandidateSource[] {
  return heldSources ? [...sources, ...heldSources] : sources;
}

/** An entry as the speaker process sends it. */
export interface SourcedEntry extends UnversionedEntry, Versioned {}

/** A change of a set of candidates. */
export type CandidateSetChange =
  /** Removes some nodes, and then adds or replaces others. An unknown set begins empty. */
  | ({ readonly set: number; readonly remove: readonly string[]; readonly put: CandidateNodes } & Versioned)
  /** No entry names the set any more. */
  | { readonly set: number; readonly isDropped: true };

/** A value that carries the version of the cluster state from which it was made. */
interface Versioned {
  /** Newest resourceVersion that the speaker had observed. A greater version is newer. 0 means unknown. */
  readonly observedVersion: number;
}

/** Greatest version that a claim can carry (ownership/claim-codec.ts). */
const maxVersion = 2 ** 48 - 1;

/**
 * Returns the `observedVersion` for a resourceVersion. The result is 0 (unknown) if the resourceVersion is not a number or does not fit in a claim.
 * Some API servers use the time in microseconds, which does not fit.
 */
export function observedVersionOf(resourceVersion: string): number {
  const version = Number(resourceVersion);
  return Number.isInteger(version) && version > 0 && version <= maxVersion ? version : 0;
}

/** An address that no Service uses any longer. */
export interface AddressRemoval extends Versioned {
  readonly address: string;
}

type Interfaces = Pick<CandidateNodes, 'interfaces' | 'nodeInterfaces'>;

/** Names of the interfaces that the node may answer on. An empty list means every interface whose subnet holds the address. */
export function interfacesOf({ interfaces, nodeInterfaces }: Interfaces, node: string): readonly string[] {
  return nodeInterfaces?.[node] ?? interfaces;
}

/** Nodes with their interfaces and preferences, in a fixed order, so that equal nodes give equal values. */
export function candidateNodes(
  interfaces: ReadonlyMap<string, readonly string[]>,
  preferences: ReadonlyMap<string, number>,
  avoided: readonly string[],
): CandidateNodes {
  const candidates = [...interfaces.keys()].sort();
  const sorted = new Map(candidates.map((node) => [node, interfaces.get(node) ?? []]));
  return {
    candidates,
    ...perNode(sorted),
    ...preferencesOf(preferences),
    ...(avoided.length > 0 ? { avoided: [...new Set(avoided)].sort() } : {}),
  };
}

/** Stores each node's interfaces in the shortest form: a single list when all nodes have the same interfaces. */
function perNode(byNode: ReadonlyMap<string, readonly string[]>): Interfaces {
  const lists = new Map([...byNode].map(([node, names]) => [node, [...names].sort()]));
  const [first = []] = lists.values();
  const isOne = [...lists.values()].every((names) => names.join('/') === first.join('/'));
  return isOne ? { interfaces: first } : { interfaces: [], nodeInterfaces: Object.fromEntries(lists) };
}

/** Stores preferences in a fixed order, so that equal ones give equal entries. Leaves out nodes without a preference. */
function preferencesOf(byNode: ReadonlyMap<string, number>): Pick<CandidateNodes, 'preferences'> {
  const unequal = [...byNode].filter(([, preference]) => preference !== 0);
  if (unequal.length === 0) return {};
  return { preferences: Object.fromEntries(unequal.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/**
 * Joins the candidates of several sources. A node may answer if one source allows it. It may answer on the interfaces of every source that
 * allows it. Its preference is the greatest of those that the sources give it. A node that one source avoids is avoided.
 */
export function joinCandidates(all: readonly CandidateNodes[]): CandidateNodes {
  const [only, another] = all;
  if (only && !another) return only;
  const interfaces = new Map<string, readonly string[]>();
  const preferences = new Map<string, number>();
  for (const each of all) {
    for (const node of each.candidates) {
      const known = interfaces.get(node);
      const names = interfacesOf(each, node);
      const isAnyLink = known?.length === 0 || names.length === 0;
      interfaces.set(node, isAnyLink ? [] : [...new Set([...(known ?? []), ...names])]);
      const preference = each.preferences?.[node] ?? 0;
      preferences.set(node, Math.max(preference, preferences.get(node) ?? preference));
    }
  }
  return candidateNodes(
    interfaces,
    preferences,
    all.flatMap(({ avoided = [] }) => avoided),
  );
}
