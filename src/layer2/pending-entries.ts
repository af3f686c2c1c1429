import type { AddressRemoval, CandidateSetChange, SourcedEntry } from './address-entry.ts';
import type { EntriesChange } from './messages.ts';

/**
 * Changes to address entries and candidate sets that the agent has not applied yet. Only the newest change of each address is kept. All changes
 * of candidate sets are kept, in their order.
 */
export class PendingEntries {
  #sets: CandidateSetChange[] = [];
  readonly #changes = new Map<string, SourcedEntry | AddressRemoval>();

  add({ sets, upsert, remove }: EntriesChange): void {
    for (const change of sets) this.#sets.push(change);
    for (const change of [...upsert, ...remove]) this.#changes.set(change.address, change);
  }

  clear(): void {
    this.#sets = [];
    this.#changes.clear();
  }

  take(): EntriesChange {
    const [sets, upsert, remove] = [this.#sets, [] as SourcedEntry[], [] as AddressRemoval[]];
    for (const change of this.#changes.values())
      if ('sources' in change) upsert.push(change);
      else remove.push(change);
    this.clear();
    return { sets, upsert, remove };
  }
}
