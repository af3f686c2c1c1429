import { formatIp, type IpAddress, parseIp, prefixContains } from '../../address/index.ts';
import type { Link } from '../../link/link-table.ts';
import { type AddressEntry, interfacesOf } from '../address-entry.ts';

/** An entry with its parsed address. Users of the table add their own state to the tracked entry. */
export interface TrackedEntry {
  entry: AddressEntry;
  readonly address: IpAddress;
}

/** The address entries by address, by group, and by the interfaces that they name for this node. One change costs O(1). */
export class EntryTable<T extends TrackedEntry> {
  readonly #self: string;
  readonly #track: (entry: AddressEntry, address: IpAddress) => T;
  readonly #tracked = new Map<string, T>();
  /** Few addresses form a group, and a short array takes less memory than a Set. */
  readonly #groups = new Map<string, readonly string[]>();
  /** Number of entries that name each interface for this node. */
  readonly #named = new Map<string, number>();
  /** Number of entries with preferences. */
  #preferring = 0;
  /** The shared lists. The key of a list is the text of its elements. */
  readonly #lists = new Map<string, readonly string[]>();
  /**
   * The shared list for each list object that an entry has brought. Entries of one candidate set bring the same list object again and again. A
   * look-up by the object avoids making the text of a long list each time.
   */
  readonly #sharedLists = new WeakMap<readonly string[], readonly string[]>();

  /** `track` creates the tracked entry for a new address. */
  constructor(self: string, track: (entry: AddressEntry, address: IpAddress) => T) {
    this.#self = self;
    this.#track = track;
  }

  get(address: string): T | undefined {
    return this.#tracked.get(address);
  }

  /** All addresses, in canonical text. */
  texts(): MapIterator<string> {
    return this.#tracked.keys();
  }

  tracked(): MapIterator<[string, T]> {
    return this.#tracked.entries();
  }

  /** Addresses of the group. */
  group(name: string): Iterable<string> {
    return this.#groups.get(name) ?? [];
  }

  /** All addresses, each with the interfaces that may carry it on this node. */
  *addresses(): Iterable<{ readonly address: IpAddress; readonly interfaces: readonly string[] }> {
    for (const { address, entry } of this.#tracked.values())
      yield { address, interfaces: interfacesOf(entry, this.#self) };
  }

  /** Interfaces that entries name for this node. */
  namedInterfaces(): Set<string> {
    return new Set(this.#named.keys());
  }

  /** Whether an entry prefers some nodes to others. */
  get havePreferences(): boolean {
    return this.#preferring > 0;
  }

  /** Whether a subnet of the link holds any of the addresses. */
  carriesAny({ subnets }: Pick<Link, 'subnets'>): boolean {
    for (const { address } of this.#tracked.values())
      if (subnets.some((subnet) => prefixContains(subnet, address))) return true;
    return false;
  }

  /**
   * Adds the entry, or replaces the entry with the same address. `hasMoved` says whether the interfaces of a known address have changed on
   * this node. Returns `undefined` when the address does not parse.
   */
  put(entry: AddressEntry): { readonly tracked: T; readonly hasMoved: boolean } | undefined {
    const address = parseIp(entry.address);
    if (!address) return undefined;
    const canonical = formatIp(address);
    // Two equal strings take twice the memory, so the maps share the string of the entry.
    const text = canonical === entry.address ? entry.address : canonical;
    const known = this.#tracked.get(text);
    const before = known?.entry;
    if (before) this.#unlink(text, before);
    const shared = {
      ...entry,
      candidates: this.#sharedList(entry.candidates),
      interfaces: this.#sharedList(entry.interfaces),
    };
    const tracked = known ?? this.#track(shared, address);
    tracked.entry = shared;
    this.#tracked.set(text, tracked);
    const members = this.#groups.get(entry.group) ?? [];
    // Most groups have one address. They need no spread: V8 reserves room for about 16 more elements in an array that a spread creates.
    this.#groups.set(entry.group, members.length === 0 ? [text] : [...members, text]);
    this.#countInterfaces(shared, 1);
    if (shared.preferences) this.#preferring++;
    const interfaces = (of: AddressEntry) => interfacesOf(of, this.#self).join();
    return { tracked, hasMoved: before !== undefined && interfaces(before) !== interfaces(entry) };
  }

  remove(address: string): T | undefined {
    const tracked = this.#tracked.get(address);
    if (!tracked) return undefined;
    this.#unlink(address, tracked.entry);
    this.#tracked.delete(address);
    return tracked;
  }

  #unlink(text: string, entry: AddressEntry): void {
    this.#countInterfaces(entry, -1);
    if (entry.preferences) this.#preferring--;
    const members = (this.#groups.get(entry.group) ?? []).filter((member) => member !== text);
    if (members.length === 0) this.#groups.delete(entry.group);
    else this.#groups.set(entry.group, members);
  }

  #countInterfaces(entry: AddressEntry, by: 1 | -1): void {
    for (const name of interfacesOf(entry, this.#self)) {
      const count = (this.#named.get(name) ?? 0) + by;
      if (count > 0) this.#named.set(name, count);
      else this.#named.delete(name);
    }
  }

  /** Returns one list object for equal lists, which saves memory. Also, `Eligibility` caches its results by list object. */
  #sharedList(list: readonly string[]): readonly string[] {
    const shared = this.#sharedLists.get(list);
    if (shared) return shared;
    const key = list.join();
    const known = this.#lists.get(key) ?? list;
    if (this.#lists.size > maxLists) this.#lists.clear();
    this.#lists.set(key, known);
    this.#sharedLists.set(list, known);
    return known;
  }
}

/** Maximum number of lists to share. A cluster has only a few lists at a time, but new lists appear for as long as the process runs. */
const maxLists = 1000;
