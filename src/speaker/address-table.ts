import type { AddressEntry, AddressRemoval, UnversionedEntry } from '../layer2/address-entry.ts';
import { interfacesOf, perNode, preferencesOf } from '../layer2/address-entry.ts';
import { SharedLists } from './shared-lists.ts';

/** A difference to send to the layer-2 process. */
export interface AddressChange {
  readonly upsert: readonly AddressEntry[];
  readonly remove: readonly AddressRemoval[];
}

/** The entry that a Service wants for an address. */
interface Wanted {
  readonly service: string;
  readonly entry: UnversionedEntry;
}

/**
 * Layer-2 addresses with the Services that use them. Services may share an address, but only one node answers for it. The table therefore
 * merges the entries of all these Services into one entry.
 */
export class AddressTable {
  /** Wanted entries by address. Few Services share an address, and a short array takes less memory than a map. */
  readonly #wanted = new Map<string, readonly Wanted[]>();
  readonly #addressesOfService = new Map<string, readonly string[]>();
  readonly #sent = new Map<string, AddressEntry>();
  readonly #lists = new SharedLists();

  /**
   * Replaces the entries of a Service. Returns the changes that follow for the layer-2 process, marked with the resourceVersion that the
   * speaker has observed.
   */
  update(service: string, entries: readonly UnversionedEntry[], observedVersion: number): AddressChange {
    const touched = new Set(this.#addressesOfService.get(service) ?? []);
    for (const address of touched) this.#wanted.set(address, this.#othersOf(address, service));
    for (const entry of entries) {
      const shared = { ...entry, candidates: this.#lists.shared(entry.candidates) };
      const others = this.#othersOf(entry.address, service);
      const wanted = { service, entry: shared };
      // A spread would leave room for 16 more.
      this.#wanted.set(entry.address, others.length === 0 ? [wanted] : [...others, wanted]);
      touched.add(entry.address);
    }
    if (entries.length > 0)
      this.#addressesOfService.set(
        service,
        entries.map(({ address }) => address),
      );
    else this.#addressesOfService.delete(service);

    const upsert: AddressEntry[] = [];
    const remove: AddressRemoval[] = [];
    for (const address of touched) {
      const merged = mergeEntries((this.#wanted.get(address) ?? []).map(({ entry }) => entry));
      if (!merged) {
        this.#wanted.delete(address);
        this.#sent.delete(address);
        remove.push({ address, observedVersion });
        continue;
      }
      const sent = this.#sent.get(address);
      const entry = { ...merged, observedVersion };
      if (
        sent &&
        JSON.stringify({ ...entry, observedVersion: sent.observedVersion }) === JSON.stringify(sent)
      )
        continue;
      this.#sent.set(address, entry);
      upsert.push(entry);
    }
    return { upsert, remove };
  }

  /** All entries, for a layer-2 process that has just started. */
  entries(): AddressEntry[] {
    return [...this.#sent.values()];
  }

  /** Services that use the address. */
  servicesOf(address: string): readonly string[] {
    return (this.#wanted.get(address) ?? []).map(({ service }) => service);
  }

  #othersOf(address: string, service: string): readonly Wanted[] {
    return (this.#wanted.get(address) ?? []).filter((each) => each.service !== service);
  }
}

/**
 * Merges the entries of Services that share an address. A node may answer when it may answer for one of these Services. Under
 * `externalTrafficPolicy: Local`, Services may share an address only if they have the same backends, so every node of the union has an
 * endpoint of each Service that has endpoints.
 */
function mergeEntries(entries: readonly UnversionedEntry[]): UnversionedEntry | undefined {
  const [first, ...rest] = [...entries].sort((a, b) => (a.group < b.group ? -1 : 1));
  if (!first || rest.length === 0) return first;
  const all = [first, ...rest];
  const owner = all.find(({ recordedOwner }) => recordedOwner !== undefined)?.recordedOwner;
  const interfaces = new Map<string, readonly string[]>();
  for (const node of [...new Set(all.flatMap(({ candidates }) => candidates))].sort()) {
    const lists = all
      .filter(({ candidates }) => candidates.includes(node))
      .map((each) => interfacesOf(each, node));
    interfaces.set(node, lists.some((names) => names.length === 0) ? [] : [...new Set(lists.flat())]);
  }
  const preferences = new Map<string, number>();
  for (const { preferences: own = {} } of all)
    for (const [node, preference] of Object.entries(own))
      preferences.set(node, Math.max(preference, preferences.get(node) ?? 0));
  return {
    address: first.address,
    candidates: [...interfaces.keys()],
    ...perNode(interfaces),
    ...preferencesOf(preferences),
    group: first.group,
    ...(owner === undefined ? {} : { recordedOwner: owner }),
  };
}
