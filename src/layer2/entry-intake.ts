import type { Clock } from '../clock.ts';
import type { TurnHandle, Turns } from '../turns.ts';
import type { AddressEntry, CandidateNodes } from './address-entry.ts';
import { CandidateSets, type ResolvedEntries } from './candidate-sets.ts';
import { Coalescer } from './coalescer.ts';
import { type EntriesMessage, MessageAssembler } from './message-parts.ts';
import type { Steps } from './ownership/steps.ts';
import { PendingEntries } from './pending-entries.ts';

export interface EntryIntakeOptions {
  readonly clock: Clock;
  readonly turns: Turns;
  /** Receives all entries, which replace the present ones. */
  readonly onTable: (entries: readonly AddressEntry[]) => void;
  /** Receives the newest change of each address. */
  readonly onChange: (change: Pick<ResolvedEntries, 'upsert' | 'remove'>) => void;
}

/**
 * Takes the address entries from the speaker process. It joins the parts of a message, and gives each entry the nodes of its candidate sets.
 * Changes are gathered, so that they share one election. When hundreds of nodes change at once, each node has a message of its own. Each message
 * concerns every entry that names a set with that node. Thousands of entries may therefore change, and they are resolved in slices (`turns.ts`).
 */
export class EntryIntake {
  readonly #options: EntryIntakeOptions;
  readonly #assembler = new MessageAssembler();
  readonly #candidateSets = new CandidateSets();
  readonly #pending = new PendingEntries();
  readonly #coalescer: Coalescer;
  readonly #task: TurnHandle;
  readonly #queue: EntriesMessage[] = [];
  /** The steps of the message that is being resolved. */
  #resolving: Steps<ResolvedEntries> | undefined;

  constructor(options: EntryIntakeOptions) {
    this.#options = options;
    this.#coalescer = new Coalescer(options.clock, () =>
      this.#enqueue({ kind: 'change', ...this.#pending.take() }),
    );
    this.#task = options.turns.task({
      name: 'address entries',
      step: () => this.#step(),
      remaining: () => this.#queue.reduce((sum, { upsert }) => sum + upsert.length, 0),
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
    this.#enqueue(whole);
  }

  /** The nodes that may answer for the address when it is not held back any more. */
  heldNodes(address: string): CandidateNodes {
    return this.#candidateSets.heldNodes(address);
  }

  /** Changes that have not been passed on are lost. */
  cancel(): void {
    this.#coalescer.cancel();
    this.#task.end();
  }

  #enqueue(message: EntriesMessage): void {
    this.#queue.push(message);
    this.#task.request();
  }

  /** Does one step. Returns false when no message is left. */
  #step(): boolean {
    if (!this.#resolving) {
      const next = this.#queue.shift();
      if (!next) return false;
      this.#resolving = this.#candidateSets.resolve(next);
    }
    const { done, value } = this.#resolving.next();
    if (done) {
      this.#resolving = undefined;
      this.#passOn(value);
    }
    return true;
  }

  #passOn({ kind, upsert, remove }: ResolvedEntries): void {
    if (kind === 'table') this.#options.onTable(upsert);
    else this.#options.onChange({ upsert, remove });
  }
}
