import { formatIp, type IpAddress, parseIp, prefixContains } from '../../address/index.ts';
import type { Link } from '../../link/link-table.ts';
import type { AddressEntry } from '../address-entry.ts';
import { interfacesOf } from '../address-entry.ts';

/** An entry with what is decided of its address. */
export interface Row {
  entry: AddressEntry;
  readonly address: IpAddress;
}

/** The entries of a node by address, by group, and by what interfaces they name for it. One change costs O(1). */
export class EntryTable<R extends Row> {
  readonly #self: string;
  readonly #newRow: (entry: AddressEntry, address: IpAddress) => R;
  readonly #rows = new Map<string, R>();
  readonly #groups = new Map<string, Set<string>>();
  /** How many entries name an interface. */
  readonly #named = new Map<string, number>();
  readonly #candidateLists = new Map<string, readonly string[]>();

  constructor(self: string, newRow: (entry: AddressEntry, address: IpAddress) => R) {
    this.#self = self;
    this.#newRow = newRow;
  }

  get(address: string): R | undefined {
    return this.#rows.get(address);
  }

  /** Of all entries, in canonical text. */
  texts(): MapIterator<string> {
    return this.#rows.keys();
  }

  rows(): MapIterator<[string, R]> {
    return this.#rows.entries();
  }

  /** Addresses of the group. */
  group(name: string): Iterable<string> {
    return this.#groups.get(name) ?? [];
  }

  /** Everything in the table with the links that it may be answered on here, whoever owns it. */
  *addresses(): Iterable<{ readonly address: IpAddress; readonly interfaces: readonly string[] }> {
    for (const { address, entry } of this.#rows.values())
      yield { address, interfaces: interfacesOf(entry, this.#self) };
  }

  /** Interfaces that entries name for this node. */
  namedInterfaces(): Set<string> {
    return new Set(this.#named.keys());
  }

  /** Whether a subnet of the link holds any of the addresses. */
  carriesAny({ subnets }: Pick<Link, 'subnets'>): boolean {
    for (const { address } of this.#rows.values())
      if (subnets.some((subnet) => prefixContains(subnet, address))) return true;
    return false;
  }

  /** Takes the entry in, or in the place of the one of its address; `undefined` when that is none. */
  put(entry: AddressEntry): { readonly row: R; readonly hasMoved: boolean } | undefined {
    const address = parseIp(entry.address);
    if (!address) return undefined;
    const text = formatIp(address);
    const known = this.#rows.get(text);
    const before = known?.entry;
    if (before) this.#unlink(text, before);
    const shared = { ...entry, candidates: this.#sharedList(entry.candidates) };
    const row = known ?? this.#newRow(shared, address);
    row.entry = shared;
    this.#rows.set(text, row);
    this.#groups.set(entry.group, (this.#groups.get(entry.group) ?? new Set()).add(text));
    this.#countInterfaces(shared, 1);
    const links = (of: AddressEntry) => interfacesOf(of, this.#self).join();
    return { row, hasMoved: before !== undefined && links(before) !== links(entry) };
  }

  remove(address: string): R | undefined {
    const row = this.#rows.get(address);
    if (!row) return undefined;
    this.#unlink(address, row.entry);
    this.#rows.delete(address);
    return row;
  }

  #unlink(text: string, entry: AddressEntry): void {
    this.#countInterfaces(entry, -1);
    const members = this.#groups.get(entry.group);
    members?.delete(text);
    if (members?.size === 0) this.#groups.delete(entry.group);
  }

  #countInterfaces(entry: AddressEntry, by: 1 | -1): void {
    for (const name of interfacesOf(entry, this.#self)) {
      const count = (this.#named.get(name) ?? 0) + by;
      if (count > 0) this.#named.set(name, count);
      else this.#named.delete(name);
    }
  }

  /** Entries with the same candidates get the same list, by which eligibility is remembered. */
  #sharedList(candidates: readonly string[]): readonly string[] {
    const key = candidates.join();
    const known = this.#candidateLists.get(key) ?? candidates;
    if (this.#candidateLists.size > 1000) this.#candidateLists.clear();
    this.#candidateLists.set(key, known);
    return known;
  }
}
