import type {
  AddressEntry,
  CandidateNodes,
  CandidateSetChange,
  CandidateSource,
  SourcedEntry,
} from './address-entry.ts';
import { candidateNodes, interfacesOf, joinCandidates } from './address-entry.ts';
import type { EntriesMessage } from './message-parts.ts';

/** Entries with their candidates. */
export interface ResolvedEntries extends Pick<EntriesMessage, 'kind' | 'remove'> {
  readonly upsert: readonly AddressEntry[];
}

interface CandidateSet {
  nodes: CandidateNodes;
  observedVersion: number;
  /** Addresses of the entries that name the set. */
  readonly addresses: Set<string>;
}

const noNodes: CandidateNodes = { candidates: [], interfaces: [] };

/**
 * The sets of candidates that entries name by number. All entries with equal sources get the same list of candidates, so a set with thousands
 * of nodes costs its size once. When a set changes, `resolve` returns the entries that name it.
 */
export class CandidateSets {
  readonly #sets = new Map<number, CandidateSet>();
  readonly #entries = new Map<string, SourcedEntry>();
  /** The joined nodes of several sets, by the numbers of the sets. A change of any set empties the map. */
  readonly #joined = new Map<string, CandidateNodes>();

  /** Takes a whole message. Returns the entries that it changes, each with its new candidates. */
  resolve({ kind, sets, upsert, remove }: EntriesMessage): ResolvedEntries {
    if (kind === 'table') this.#clear();
    const changed = new Map<string, SourcedEntry>();
    for (const change of sets) for (const entry of this.#change(change)) changed.set(entry.address, entry);
    for (const entry of upsert) {
      this.#forget(entry.address);
      this.#keep(entry);
      changed.set(entry.address, entry);
    }
    for (const { address } of remove) {
      this.#forget(address);
      changed.delete(address);
    }
    return { kind, upsert: [...changed.values()].map((entry) => this.#resolved(entry)), remove };
  }

  #clear(): void {
    this.#sets.clear();
    this.#entries.clear();
    this.#joined.clear();
  }

  /** Returns the entries that name the set. */
  #change(change: CandidateSetChange): SourcedEntry[] {
    this.#joined.clear();
    if ('isDropped' in change) {
      this.#sets.delete(change.set);
      return [];
    }
    const set = this.#set(change.set);
    set.nodes = withChange(set.nodes, change);
    set.observedVersion = change.observedVersion;
    return [...set.addresses].flatMap((address) => this.#entries.get(address) ?? []);
  }

  #set(number: number): CandidateSet {
    const known = this.#sets.get(number) ?? { nodes: noNodes, observedVersion: 0, addresses: new Set() };
    this.#sets.set(number, known);
    return known;
  }

  /** Only entries that name a set are kept, because no other entry changes with a set. */
  #keep(entry: SourcedEntry): void {
    const numbers = entry.sources.filter((source) => typeof source === 'number');
    if (numbers.length > 0) this.#entries.set(entry.address, entry);
    for (const number of numbers) this.#set(number).addresses.add(entry.address);
  }

  #forget(address: string): void {
    for (const source of this.#entries.get(address)?.sources ?? [])
      if (typeof source === 'number') this.#sets.get(source)?.addresses.delete(address);
    this.#entries.delete(address);
  }

  #resolved({ address, sources, group, recordedOwner, observedVersion }: SourcedEntry): AddressEntry {
    return {
      address,
      ...this.#nodesOf(sources),
      group,
      ...(recordedOwner === undefined ? {} : { recordedOwner }),
      observedVersion: Math.max(observedVersion, ...this.#versionsOf(sources)),
    };
  }

  #versionsOf(sources: readonly CandidateSource[]): number[] {
    return sources.map((source) =>
      typeof source === 'number' ? (this.#sets.get(source)?.observedVersion ?? 0) : 0,
    );
  }

  #nodesOf(sources: readonly CandidateSource[]): CandidateNodes {
    const nodes = () =>
      sources.map((source) =>
        typeof source === 'number' ? (this.#sets.get(source)?.nodes ?? noNodes) : source,
      );
    if (sources.length < 2 || sources.some((source) => typeof source !== 'number'))
      return sources.length === 0 ? noNodes : joinCandidates(nodes());
    const key = sources.join();
    const known = this.#joined.get(key) ?? joinCandidates(nodes());
    this.#joined.set(key, known);
    return known;
  }
}

function withChange(
  before: CandidateNodes,
  { remove, put }: { readonly remove: readonly string[]; readonly put: CandidateNodes },
): CandidateNodes {
  if (before.candidates.length === 0) return put;
  const gone = new Set(remove);
  const interfaces = new Map<string, readonly string[]>();
  const preferences = new Map<string, number>();
  for (const each of [before, put])
    for (const node of each.candidates) {
      if (each === before && gone.has(node)) continue;
      interfaces.set(node, interfacesOf(each, node));
      preferences.set(node, each.preferences?.[node] ?? 0);
    }
  const replaced = new Set([...gone, ...put.candidates]);
  const avoided = (before.avoided ?? []).filter((node) => !replaced.has(node));
  return candidateNodes(interfaces, preferences, [...avoided, ...(put.avoided ?? [])]);
}
