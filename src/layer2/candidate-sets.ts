import type {
  AddressEntry,
  CandidateNodes,
  CandidateSetChange,
  CandidateSource,
  SourcedEntry,
} from './address-entry.ts';
import { candidateNodes, interfacesOf, joinCandidates, sourcesOf } from './address-entry.ts';
import type { EntriesMessage } from './message-parts.ts';
import type { Steps } from './ownership/steps.ts';

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

type PutChange = Exclude<CandidateSetChange, { readonly isDropped: true }>;

const noNodes: CandidateNodes = { candidates: [], interfaces: [] };

/**
 * The sets of candidates that entries name by number. Entries whose sources are the same sets share one list of candidates, so a set with
 * thousands of nodes takes memory only once. When a set changes, `resolve` returns the entries that name it.
 */
export class CandidateSets {
  readonly #sets = new Map<number, CandidateSet>();
  readonly #entries = new Map<string, SourcedEntry>();
  /** The joined nodes of several sets, by the numbers of the sets. A change of any set empties the map. */
  readonly #joined = new Map<string, CandidateNodes>();

  /**
   * Takes a whole message. Returns the entries that the message changes, each with its new candidates. The next message may be taken when the
   * steps are complete.
   */
  *resolve({ kind, sets, upsert, remove }: EntriesMessage): Steps<ResolvedEntries> {
    if (kind === 'table') this.#clear();
    const changed = new Map<string, SourcedEntry>();
    for (const [number, puts] of this.#putsBySet(sets))
      for (const address of this.#change(number, puts)) {
        yield;
        const entry = this.#entries.get(address);
        if (entry && entry.sources.length > 0) changed.set(address, entry);
      }
    for (const entry of upsert) {
      yield;
      this.#forget(entry.address);
      this.#keep(entry);
      changed.set(entry.address, entry);
    }
    for (const { address } of remove) {
      yield;
      this.#forget(address);
      changed.delete(address);
    }
    const resolved: AddressEntry[] = [];
    for (const entry of changed.values()) {
      yield;
      resolved.push(this.#resolved(entry));
    }
    return { kind, upsert: resolved, remove };
  }

  /** The nodes that may answer for the address when it is not held back any more. */
  heldNodes(address: string): CandidateNodes {
    return this.#nodesOf(this.#entries.get(address)?.heldSources ?? []);
  }

  #clear(): void {
    this.#sets.clear();
    this.#entries.clear();
    this.#joined.clear();
  }

  /** Drops the sets that no entry names any more. Returns the other changes by set, in their order. */
  #putsBySet(changes: readonly CandidateSetChange[]): ReadonlyMap<number, readonly PutChange[]> {
    const bySet = new Map<number, PutChange[]>();
    for (const change of changes) {
      if ('isDropped' in change) {
        this.#joined.clear();
        bySet.delete(change.set);
        this.#sets.delete(change.set);
        continue;
      }
      const puts = bySet.get(change.set) ?? [];
      puts.push(change);
      bySet.set(change.set, puts);
    }
    return bySet;
  }

  /** Applies the changes to the set. Returns the addresses of the entries that name it. */
  #change(number: number, changes: readonly PutChange[]): Iterable<string> {
    // `heldNodes` may have joined the sets since the last change, because `resolve` yields between the changes.
    this.#joined.clear();
    const set = this.#set(number);
    set.nodes = withChanges(set.nodes, changes);
    set.observedVersion = changes.at(-1)?.observedVersion ?? set.observedVersion;
    return set.addresses;
  }

  #set(number: number): CandidateSet {
    const known = this.#sets.get(number) ?? { nodes: noNodes, observedVersion: 0, addresses: new Set() };
    this.#sets.set(number, known);
    return known;
  }

  /** Only entries that name a set and entries that are held back are kept. No other entry changes with a set. */
  #keep(entry: SourcedEntry): void {
    const numbers = sourcesOf(entry).filter((source) => typeof source === 'number');
    if (numbers.length > 0 || entry.heldSources) this.#entries.set(entry.address, entry);
    for (const number of numbers) this.#set(number).addresses.add(entry.address);
  }

  #forget(address: string): void {
    const entry = this.#entries.get(address);
    for (const source of entry ? sourcesOf(entry) : [])
      if (typeof source === 'number') this.#sets.get(source)?.addresses.delete(address);
    this.#entries.delete(address);
  }

  #resolved({ address, sources, group, recordedOwner, observedVersion }: SourcedEntry): AddressEntry {
    return {
      address,
      ...this.#nodesOf(sources),
      group,
      ...(recordedOwner === undefined ? {} : { recordedOwner }),
      observedVersion: this.#newestVersion(sources, observedVersion),
    };
  }

  #newestVersion(sources: readonly CandidateSource[], version: number): number {
    let newest = version;
    for (const source of sources)
      if (typeof source === 'number') newest = Math.max(newest, this.#sets.get(source)?.observedVersion ?? 0);
    return newest;
  }

  #nodesOf(sources: readonly CandidateSource[]): CandidateNodes {
    const [only] = sources;
    // Nearly every entry has one source. This path makes no lists.
    if (sources.length === 1 && typeof only === 'number') return this.#sets.get(only)?.nodes ?? noNodes;
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

/** Applies the changes in order. Makes one list of all nodes, however many changes there are. */
function withChanges(before: CandidateNodes, changes: readonly PutChange[]): CandidateNodes {
  const [first] = changes;
  if (first && changes.length === 1 && before.candidates.length === 0) return first.put;
  const interfaces = new Map<string, readonly string[]>();
  const preferences = new Map<string, number>();
  const avoided = new Set<string>();
  const add = (nodes: CandidateNodes) => {
    for (const node of nodes.candidates) {
      interfaces.set(node, interfacesOf(nodes, node));
      preferences.set(node, nodes.preferences?.[node] ?? 0);
      avoided.delete(node);
    }
    for (const node of nodes.avoided ?? []) avoided.add(node);
  };
  add(before);
  for (const { remove, put } of changes) {
    for (const node of remove) {
      interfaces.delete(node);
      preferences.delete(node);
      avoided.delete(node);
    }
    add(put);
  }
  return candidateNodes(interfaces, preferences, [...avoided]);
}
