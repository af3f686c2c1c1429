import type { FromLayer2 } from './messages.ts';
import type { AddressCounts } from './responder/address-state.ts';
import type { NeighbourResponder } from './responder/responder.ts';

/** Maximum number of addresses in one report. Writing a report of this size takes less than a millisecond. */
const maxCounts = 500;

/** Reports the counters of addresses to the speaker process, but only those that have changed. */
export class CountsReport {
  readonly #responder: Pick<NeighbourResponder, 'counts' | 'drainCaptures'>;
  readonly #report: (message: FromLayer2) => void;
  /** Sum of the counters at the last report, per address. */
  readonly #reportedSums = new WeakMap<AddressCounts, number>();

  constructor(
    responder: Pick<NeighbourResponder, 'counts' | 'drainCaptures'>,
    report: (message: FromLayer2) => void,
  ) {
    this.#responder = responder;
    this.#report = report;
  }

  send(): void {
    let counts: AddressCounts[] = [];
    for (const state of this.#responder.counts()) {
      this.#responder.drainCaptures();
      const { text, requests, responses, gratuitous, conflicts } = state;
      const sum = requests + responses + gratuitous + conflicts;
      if (this.#reportedSums.get(state) === sum) continue;
      this.#reportedSums.set(state, sum);
      counts.push({ text, requests, responses, gratuitous, conflicts });
      if (counts.length < maxCounts) continue;
      this.#report({ kind: 'counts', counts });
      counts = [];
    }
    if (counts.length > 0) this.#report({ kind: 'counts', counts });
  }
}
