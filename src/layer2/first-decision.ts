import type { Clock, Timer } from '../clock.ts';
import { type MembershipState, Readiness } from './ownership/readiness.ts';

export interface FirstDecisionOptions {
  readonly clock: Clock;
  /** The state of the membership. Each read of a field gives its present value, and may cost time in proportion to the number of members. */
  readonly membership: MembershipState;
  /** Called once, when this node may decide. */
  readonly begin: () => void;
}

/** The time for which a starting node waits before its first decision. `Readiness` says when the wait ends. */
export class FirstDecision {
  readonly #options: FirstDecisionOptions;
  /** Present when the membership is open. */
  #readiness: Readiness | undefined;
  #hasEntries = false;
  #isOver = false;
  #timer: Timer | undefined;

  constructor(options: FirstDecisionOptions) {
    this.#options = options;
  }

  /** The membership has been opened. From now on, other members can be heard. */
  joined(): void {
    this.#readiness = new Readiness(this.#options.clock.now());
    this.check();
  }

  /** All entries have arrived. */
  entriesArrived(): void {
    this.#hasEntries = true;
    this.check();
  }

  /** Call this method when the membership has changed. */
  check(): void {
    if (this.#isOver || !this.#readiness) return;
    const { clock, membership, begin } = this.#options;
    const nowMs = clock.now();
    const isReady = this.#readiness.isReady({ hasEntries: this.#hasEntries, membership }, nowMs);
    this.#timer?.cancel();
    if (isReady) {
      this.#isOver = true;
      begin();
      return;
    }
    const atMs = this.#readiness.wakeAtMs(nowMs);
    if (atMs < Number.POSITIVE_INFINITY) this.#timer = clock.after(atMs - nowMs, () => this.check());
  }

  /** The node leaves. If it has not begun to decide, it never does. */
  cancel(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }
}
