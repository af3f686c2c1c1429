import type { AddressEntry, AddressRemoval } from './address-entry.ts';
import type { ResolvedEntries } from './candidate-sets.ts';

/** Changes to address entries that the agent has not applied yet. Only the newest change for each address is kept. */
export class PendingEntries {
  readonly #changes = new Map<
    string,
    { readonly upsert: AddressEntry } | { readonly remove: AddressRemoval }
  >();

  add({ upsert, remove }: Pick<ResolvedEntries, 'upsert' | 'remove'>): void {
    for (const entry of upsert) this.#changes.set(entry.address, { upsert: entry });
    for (const removal of remove) this.#changes.set(removal.address, { remove: removal });
  }

  clear(): void {
    this.#changes.clear();
  }

  take(): { readonly upsert: readonly AddressEntry[]; readonly remove: readonly AddressRemoval[] } {
    const changes = [...this.#changes.values()];
    this.#changes.clear();
    return {
      upsert: changes.flatMap((change) => ('upsert' in change ? change.upsert : [])),
      remove: changes.flatMap((change) => ('remove' in change ? change.remove : [])),
    };
  }
}
