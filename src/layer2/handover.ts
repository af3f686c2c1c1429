import type { Clock, Timer } from '../clock.ts';

/** Longest time that a planned stop waits for other nodes to take over. */
const handoverMs = 3000;

/** The wait of a planned stop. It ends when this node answers for no address, when no other member is live, or after `handoverMs`. */
export class Handover {
  readonly #clock: Clock;
  #finish: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isWaiting(): boolean {
    return this.#finish !== undefined;
  }

  /** Resolves when the wait is over. */
  async wait(): Promise<void> {
    let limit: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#finish = resolve;
      limit = this.#clock.after(handoverMs, resolve);
    });
    this.#finish = undefined;
    limit?.cancel();
  }

  /** Call this method whenever members or answered addresses have changed. */
  check(answeredAddresses: number, liveMembers: number): void {
    if (answeredAddresses === 0 || liveMembers === 0) this.#finish?.();
  }
}
