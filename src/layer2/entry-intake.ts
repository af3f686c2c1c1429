import type { Clock } from '../clock.ts';
import type { AddressEntry } from './address-entry.ts';
import { CandidateSets } from './candidate-sets.ts';
import { Coalescer } from './coalescer.ts';
import { type EntriesMessage, MessageAssembler } from './message-parts.ts';
import { PendingEntries } from './pending-entries.ts';

export interface EntryIntakeOptions {
  readonly clock: Clock;
  /** Receives all entries, which replace the present ones. */
  readonly onTable: (entries: readonly AddressEntry[]) => void;
  /** Receives the newest change of each address. */
  readonly onChange: (change: ReturnType<PendingEntries['take']>) => void;
}

/**
 * Takes the address entries from the speaker process. It joins the parts of a message, and gives each entry the nodes of its candidate sets. A
 * table is passed on at once. Changes are gathered, because each of them costs an election.
 */
export class EntryIntake {
  readonly #options: EntryIntakeOptions;
  readonly #assembler = new MessageAssembler();
  readonly #candidateSets = new CandidateSets();
  readonly #pending = new PendingEntries();
  readonly #coalescer: Coalescer;

  constructor(options: EntryIntakeOptions) {
    this.#options = options;
    this.#coalescer = new Coalescer(options.clock, () => options.onChange(this.#pending.take()));
  }

  /** Takes a message or a part of one. */
  take(message: EntriesMessage): void {
    const whole = this.#assembler.take(message);
    if (!whole) return;
    const resolved = this.#candidateSets.resolve(whole);
    if (resolved.kind === 'change') {
      this.#pending.add(resolved);
      this.#coalescer.request();
      return;
    }
    this.#pending.clear();
    this.#options.onTable(resolved.upsert);
  }

  /** Changes that have not been passed on are lost. */
  cancel(): void {
    this.#coalescer.cancel();
  }
}
