/**
 * The layer-2 entries that follow from the plans of this node, and their way to the layer-2 process.
 *
 *   plan of one Service ──→ AddressTable ──→ changes to send ──→ Layer2Sink
 *   nodes, configuration ─→ CandidateSetTable ───────────────────────↑
 *
 * While all Services are planned again, their changes wait for each other and go out in one message. The owner of an address depends on which
 * other addresses are in the same election (`vacancies.ts`), so nodes that got the changes in different portions could elect different owners.
 * A change that concerns one Service or one node goes ahead of the changes that wait.
 */
import type { AddressRemoval, SourcedEntry, UnversionedEntry } from '../layer2/address-entry.ts';
import type { EntriesChange } from '../layer2/messages.ts';
import { AddressTable } from './address-table.ts';
import type { CandidateSetTable } from './plan/candidate-set-table.ts';

/** Receives layer-2 entries. */
export interface Layer2Sink {
  /** Says whether the layer-2 process has work. */
  use(isUsed: boolean): void;
  /** Replaces everything. */
  table(all: EntriesChange): void;
  change(change: EntriesChange): void;
}

export interface PlannedEntries {
  readonly entries: readonly UnversionedEntry[];
  /** resourceVersion that the speaker had observed when it made the plan. */
  readonly observedVersion: number;
  /** Whether the event that caused the plan concerns only this Service. */
  readonly isSingle: boolean;
}

export class Layer2Output {
  readonly #sink: Pick<Layer2Sink, 'table' | 'change'>;
  readonly #candidateSets: Pick<CandidateSetTable, 'takeChanges' | 'all'>;
  readonly #addresses = new AddressTable();
  /** Changes that wait, by address. Only the last change of each address counts. */
  readonly #unsent = new Map<string, SourcedEntry | AddressRemoval>();
  /** The addresses in `#unsent` whose changes do not wait for the plans of all Services. */
  readonly #ahead = new Set<string>();
  /** Whether a node has changed since the last message. The changed sets of candidates then do not wait either. */
  #isNodeAhead = false;
  #hasStarted = false;

  constructor(
    sink: Pick<Layer2Sink, 'table' | 'change'>,
    candidateSets: Pick<CandidateSetTable, 'takeChanges' | 'all'>,
  ) {
    this.#sink = sink;
    this.#candidateSets = candidateSets;
  }

  /** Takes the entries that a Service wants. Their changes wait until `sendAll` or `sendAhead` sends them. */
  planned(service: string, { entries, observedVersion, isSingle }: PlannedEntries): void {
    const { upsert, remove } = this.#addresses.update(service, entries, observedVersion);
    for (const change of [...upsert, ...remove]) {
      const { address } = change;
      this.#unsent.set(address, change);
      // In a round about all Services, usually nothing goes ahead, and the search would change nothing.
      if (!isSingle && this.#ahead.size === 0) continue;
      // Another Service that shares the address may not have its new plan yet. The entry would mix old and new candidates, so its change waits.
      if (this.#addresses.isShared(address)) this.#ahead.delete(address);
      else if (isSingle) this.#ahead.add(address);
    }
  }

  /** A node has changed. The sets of candidates that follow from it do not wait for plans. */
  nodeChanged(): void {
    this.#isNodeAhead = true;
  }

  /** Sends everything. Before this call, nothing is sent. */
  start(): void {
    this.#hasStarted = true;
    this.#forgetUnsent();
    this.#sink.table(this.#all());
  }

  /** Sends all changes that wait. Call it when all plans are made. */
  sendAll(): void {
    this.#send([...this.#unsent.values()]);
    this.#forgetUnsent();
  }

  /** Sends the changes that do not wait for the plans of all Services. Returns false when there are none. */
  sendAhead(): boolean {
    if (!this.#hasStarted || (this.#ahead.size === 0 && !this.#isNodeAhead)) return false;
    const changes = [...this.#ahead].flatMap((address) => this.#unsent.get(address) ?? []);
    for (const address of this.#ahead) this.#unsent.delete(address);
    this.#ahead.clear();
    this.#isNodeAhead = false;
    this.#send(changes);
    return true;
  }

  /** All entries, for a layer-2 process that has just started; `undefined` before `start`. */
  entries(): EntriesChange | undefined {
    return this.#hasStarted ? this.#all() : undefined;
  }

  /** Whether an entry names the set of candidates. */
  names(set: number): boolean {
    return this.#addresses.names(set);
  }

  /** Services that use the address, as `namespace/name`. */
  servicesOf(address: string): readonly string[] {
    return this.#addresses.servicesOf(address);
  }

  #all(): EntriesChange {
    this.#candidateSets.takeChanges();
    return { sets: this.#candidateSets.all(), upsert: this.#addresses.entries(), remove: [] };
  }

  #send(changes: readonly (SourcedEntry | AddressRemoval)[]): void {
    const sets = this.#candidateSets.takeChanges();
    if (changes.length + sets.length === 0) return;
    const upsert: SourcedEntry[] = [];
    const remove: AddressRemoval[] = [];
    for (const change of changes) {
      if ('sources' in change) upsert.push(change);
      else remove.push(change);
    }
    this.#sink.change({ sets, upsert, remove });
  }

  #forgetUnsent(): void {
    this.#unsent.clear();
    this.#ahead.clear();
    this.#isNodeAhead = false;
  }
}
