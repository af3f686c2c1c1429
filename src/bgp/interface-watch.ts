import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import type { NodeInterface } from './session/direct-link.ts';

/** Polling interval. Without a call of `hint`, a change is noticed within this time. One reading costs about 2 µs for each address. */
const pollMs = 1000;

export interface InterfaceWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The interfaces that are up and have a carrier. */
  readonly read: () => readonly NodeInterface[];
  readonly changed: (interfaces: readonly NodeInterface[]) => void;
}

/**
 * Hints come in bursts, for instance while many addresses are added. The first hint causes a reading at once. Hints during the pause that
 * follows share one reading when the pause ends. A link that is lost in the middle of a burst is noticed after the pause, so the pause is
 * short. With thousands of addresses, a reading takes longer. The pause is therefore at least twice as long as the reading and the handling
 * of its changes.
 */
const hintPauseMs = 20;
const hintPauseFactor = 2;

/** Notices when the node's interfaces or their addresses change. */
export class InterfaceWatch {
  readonly #options: InterfaceWatchOptions;
  #seen: string | undefined;
  #timer: Timer | undefined;
  #hintTimer: Timer | undefined;
  #isHinted = false;
  #isFailureLogged = false;

  constructor(options: InterfaceWatchOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#timer) return;
    this.#seen = keyOf(this.#read() ?? []);
    this.#poll();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#hintTimer?.cancel();
    this.#hintTimer = undefined;
  }

  /**
   * Reads the interfaces for a session that comes up. If they differ from those that were seen last, the next check reports a change. It does
   * so even if the interfaces have changed back by then, because the session has seen the state in between.
   */
  current(): readonly NodeInterface[] {
    const interfaces = this.#read() ?? [];
    if (keyOf(interfaces) !== this.#seen) this.#seen = undefined;
    return interfaces;
  }

  /**
   * Reads the interfaces, because they may have changed. The reading happens at once, or at the end of the pause that an earlier hint
   * began.
   */
  hint(): void {
    if (this.#hintTimer) {
      this.#isHinted = true;
      return;
    }
    const { clock } = this.#options;
    this.#isHinted = false;
    const startedAtMs = clock.now();
    this.#check();
    const pauseMs = Math.max(hintPauseMs, hintPauseFactor * (clock.now() - startedAtMs));
    this.#hintTimer = clock.after(pauseMs, () => {
      this.#hintTimer = undefined;
      if (this.#isHinted) this.hint();
    });
  }

  #check(): void {
    if (!this.#timer) return;
    const interfaces = this.#read();
    if (!interfaces) return;
    const key = keyOf(interfaces);
    if (key === this.#seen) return;
    this.#seen = key;
    this.#options.changed(interfaces);
  }

  /** Returns `undefined` when reading fails. `#check` then assumes that nothing has changed. */
  #read(): readonly NodeInterface[] | undefined {
    try {
      return this.#options.read();
    } catch (error) {
      const reason = reasonOf(error);
      if (!this.#isFailureLogged) this.#options.logger.warn({ reason }, 'cannot read the interfaces');
      this.#isFailureLogged = true;
      return undefined;
    }
  }

  #poll(): void {
    this.#timer = this.#options.clock.after(pollMs, () => {
      this.#poll();
      this.#check();
    });
  }
}

function keyOf(interfaces: readonly NodeInterface[]): string {
  return JSON.stringify(interfaces, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
