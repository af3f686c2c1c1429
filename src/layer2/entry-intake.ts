import type { Clock } from '../clock.ts';
import type { AddressEntry } from './address-entry.ts';
import { CandidateSets, type ResolvedEntries } from './candidate-sets.ts';
import { Coalescer } from './coalescer.ts';
import { type EntriesMessage, MessageAssembler } from './message-parts.ts';
import { PendingEntries } from './pending-entries.ts';

export interface EntryIntakeOptions {
  readonly clock: Clock;
  /** Receives all entries, which replace the present ones. */
  readonly onTable: (entries: readonly AddressEntry[]) => void;
  /** Receives the newest change of each address. */
  readonly onChange: (change: Pick<ResolvedEntries, 'upsert' | 'remove'>) => void;
}

/**
 * Takes the address entries from the speaker process. It joins the parts of a message, and gives each entry the nodes of its candidate sets. A
 * table is passed on at once. Changes are gathered, because each of them costs an election. When hundreds of nodes change at once, each has a
 * message of its own, and each message concerns every entry that names a set with that node.
 */
export class EntryIntake {
  readonly #options: EntryIntakeOptions;
  readonly #assembler = new MessageAssembler();
  readonly #candidateSets = new CandidateSets();
  readonly #pending = new PendingEntries();
  readonly #coalescer: Coalescer;

  constructor(options: EntryIntakeOptions) {
    this.#options = options;
    this.#coalescer = new Coalescer(options.clock, () => {
      const { upsert, remove } = this.#candidateSets.resolve({ kind: 'change', ...this.#pending.take() });
      options.onChange({ upsert, remove });
    });
  }

  /** Takes a message or a part of one. */
  take(message: EntriesMessage): void {
    const whole = this.#assembler.take(message);
    if (!whole) return;
    if (whole.kind === 'change') {
      this.#pending.add(whole);
      this.#coalescer.request();
      return;
    }
    this.#pending.clear();
    this.#options.onTable(this.#candidateSets.resolve(whole).upsert);
  }

  /** Changes that have not been passed on are lost. */
  cancel(): void {
    this.#coalescer.cancel();
  }
}
