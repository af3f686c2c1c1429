import { familyOfText } from '../address/index.ts';
import {
  type AddressRemoval,
  type CandidateNodes,
  type CandidateSource,
  type SourcedEntry,
  sourcesOf,
  type UnversionedEntry,
} from '../layer2/address-entry.ts';

/** A difference to send to the layer-2 process. */
export interface AddressChange {
  readonly upsert: readonly SourcedEntry[];
  readonly remove: readonly AddressRemoval[];
}

/** The entry that a Service wants for an address. */
interface Wanted {
  readonly service: string;
  readonly entry: UnversionedEntry;
}

interface AddressState {
  /** Few Services share an address, and a short array takes less memory than a map. */
  wanted: readonly Wanted[];
  sent: SourcedEntry | undefined;
}

const noChange: AddressChange = { upsert: [], remove: [] };

/**
 * Layer-2 addresses with the Services that use them. Services may share an address, but only one node answers for it. The table therefore
 * merges the entries of all these Services into one entry.
 */
export class AddressTable {
  readonly #addresses = new Map<string, AddressState>();
  readonly #addressesOfService = new Map<string, readonly string[]>();
  /** By the number of a candidate set, how many sent entries name it. */
  readonly #naming = new Map<number, number>();

  /**
   * Replaces the entries of a Service. Returns the changes that follow for the layer-2 process, marked with the resourceVersion that the
   * speaker has observed.
   */
  update(service: string, entries: readonly UnversionedEntry[], observedVersion: number): AddressChange {
    const before = this.#addressesOfService.get(service);
    if (!before && entries.length === 0) return noChange;
    const touched = new Map<string, AddressState>();
    for (const address of before ?? []) this.#touch(address, service, touched);
    for (const entry of entries.map(inGroupOfIpv4(entries))) {
      const state = this.#touch(entry.address, service, touched);
      const wanted = { service, entry };
      // A single entry is stored without a spread, because V8 reserves room for 16 more entries in an array that a spread creates.
      state.wanted = state.wanted.length === 0 ? [wanted] : [...state.wanted, wanted];
    }
    this.#keepAddresses(service, before, entries);

    const upsert: SourcedEntry[] = [];
    const remove: AddressRemoval[] = [];
    for (const [address, state] of touched) {
      const { wanted, sent } = state;
      const merged = mergeEntries(wanted.map(({ entry }) => entry));
      if (!merged) {
        this.#addresses.delete(address);
        this.#countNamed(sent, -1);
        remove.push({ address, observedVersion });
        continue;
      }
      if (sent && isSame(sent, merged)) continue;
      const entry = { ...merged, observedVersion };
      this.#countNamed(sent, -1);
      this.#countNamed(entry, 1);
      state.sent = entry;
      upsert.push(entry);
    }
    return { upsert, remove };
  }

  /** All entries, for a layer-2 process that has just started. */
  entries(): SourcedEntry[] {
    return [...this.#addresses.values()].flatMap(({ sent = [] }) => sent);
  }

  /** Whether a sent entry names the candidate set. */
  names(set: number): boolean {
    return this.#naming.has(set);
  }

  /** Services that use the address. */
  servicesOf(address: string): readonly string[] {
    return (this.#addresses.get(address)?.wanted ?? []).map(({ service }) => service);
  }

  /** Whether several Services use the address. */
  isShared(address: string): boolean {
    return (this.#addresses.get(address)?.wanted.length ?? 0) > 1;
  }

  /** Takes out what the Service wanted for the address, notes the address in `touched`, and returns its state. */
  #touch(address: string, service: string, touched: Map<string, AddressState>): AddressState {
    const state = touched.get(address) ?? this.#state(address);
    state.wanted = state.wanted.filter((each) => each.service !== service);
    touched.set(address, state);
    return state;
  }

  #state(address: string): AddressState {
    const known = this.#addresses.get(address);
    if (known) return known;
    const state: AddressState = { wanted: [], sent: undefined };
    this.#addresses.set(address, state);
    return state;
  }

  #keepAddresses(
    service: string,
    before: readonly string[] | undefined,
    entries: readonly UnversionedEntry[],
  ): void {
    if (entries.length === 0) this.#addressesOfService.delete(service);
    else if (before?.length !== entries.length || entries.some(({ address }, i) => address !== before[i]))
      this.#addressesOfService.set(
        service,
        entries.map(({ address }) => address),
      );
  }

  #countNamed(entry: SourcedEntry | undefined, by: 1 | -1): void {
    for (const source of entry ? sourcesOf(entry) : []) {
      if (typeof source !== 'number') continue;
      const count = (this.#naming.get(source) ?? 0) + by;
      if (count > 0) this.#naming.set(source, count);
      else this.#naming.delete(source);
    }
  }
}

/**
 * Puts the addresses of a dual-stack Service into one group, named after its IPv4 address. Addresses of one group prefer the same node. All
 * Services that have this IPv4 address are then in one group, whichever family comes first.
 */
function inGroupOfIpv4(entries: readonly UnversionedEntry[]): (entry: UnversionedEntry) => UnversionedEntry {
  const isDualStack = entries.some(({ address }) => familyOfText(address) === 6);
  const group = isDualStack ? entries.find(({ address }) => familyOfText(address) === 4)?.address : undefined;
  return (entry) => (group === undefined || group === entry.group ? entry : { ...entry, group });
}

/**
 * Merges the entries of Services that share an address. A node may answer for the address if it may answer for at least one of these Services.
 * With `externalTrafficPolicy: Local`, that is enough: Services may share an address only if they have the same backends, so a node with an
 * endpoint of one Service has an endpoint of every other one that has endpoints. The group of an IPv4 address is preferred, so that an IPv6 address
 * stays with the IPv4 address of a dual-stack Service.
 */
function mergeEntries(entries: readonly UnversionedEntry[]): UnversionedEntry | undefined {
  if (entries.length < 2) return entries[0];
  const all = [...entries].sort(
    (a, b) => familyOfText(a.group) - familyOfText(b.group) || (a.group < b.group ? -1 : 1),
  );
  const [first] = all;
  if (!first) return undefined;
  const held = all.flatMap(({ heldSources = [] }) => heldSources);
  const owner = all.find(({ recordedOwner }) => recordedOwner !== undefined)?.recordedOwner;
  return {
    address: first.address,
    sources: distinct(all.flatMap(({ sources }) => sources)),
    ...(held.length > 0 ? { heldSources: distinct(held) } : {}),
    group: first.group,
    ...(owner === undefined ? {} : { recordedOwner: owner }),
  };
}

/** Numbers of sets first, in ascending order, so that equal sources give equal entries. */
function distinct(sources: readonly CandidateSource[]): CandidateSource[] {
  const numbers = new Set(sources.filter((source): source is number => typeof source === 'number'));
  const nodes = new Map(
    sources
      .filter((source): source is CandidateNodes => typeof source !== 'number')
      .map((source) => [JSON.stringify(source), source]),
  );
  const inOrder = [...nodes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => source);
  return [...[...numbers].sort((a, b) => a - b), ...inOrder];
}

function isSame(sent: SourcedEntry, entry: UnversionedEntry): boolean {
  return (
    sent.group === entry.group &&
    sent.recordedOwner === entry.recordedOwner &&
    isSameSources(sent.sources, entry.sources) &&
    isSameSources(sent.heldSources ?? [], entry.heldSources ?? [])
  );
}

function isSameSources(a: readonly CandidateSource[], b: readonly CandidateSource[]): boolean {
  return a.length === b.length && a.every((source, i) => isSameSource(source, b[i]));
}

function isSameSource(a: CandidateSource, b: CandidateSource | undefined): boolean {
  return a === b || (typeof a !== 'number' && JSON.stringify(a) === JSON.stringify(b));
}
