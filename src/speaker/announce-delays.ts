import type { Clock, Timer } from '../clock.ts';
import { FreshEndpoints } from './plan/fresh-endpoints.ts';
import type { KeptSlice } from './plan/kept-objects.ts';
import { type FreshNodes, servingNodes } from './plan/serving-nodes.ts';

export interface AnnounceDelaysOptions {
  readonly clock: Clock;
  /** `announce-delay` of the configuration. */
  readonly delayMs: () => number;
  /** Called when nodes of these Services have waited for long enough. The plans of the Services then change. */
  readonly onOver: (services: readonly string[]) => void;
}

/** The nodes that wait for `announce-delay`. */
export class AnnounceDelays {
  readonly #options: AnnounceDelaysOptions;
  readonly #fresh = new FreshEndpoints();
  #timer: Timer | undefined;

  constructor(options: AnnounceDelaysOptions) {
    this.#options = options;
  }

  /** Takes a change of the slices of a Service. */
  slicesChanged(service: string, before: readonly KeptSlice[], after: readonly KeptSlice[]): void {
    const { clock, delayMs } = this.#options;
    if (delayMs() === 0) return;
    const at = { nowMs: clock.now(), epochMs: clock.epochMs() };
    this.#fresh.change(service, servingNodes(before), servingNodes(after), at);
  }

  /** The nodes of a Service that wait; `undefined` when none does. */
  of(service: string): FreshNodes | undefined {
    const { clock, delayMs } = this.#options;
    return this.#fresh.of(service, clock.now(), delayMs());
  }

  /** Sets the timer that calls `onOver` when the first wait ends. Call this method each time plans have been made. */
  awaitFirst(): void {
    const { clock, delayMs, onOver } = this.#options;
    this.#timer?.cancel();
    const { firstMs } = this.#fresh;
    if (firstMs === undefined) return;
    this.#timer = clock.after(firstMs + delayMs() - clock.now(), () =>
      onOver(this.#fresh.takeDue(clock.now(), delayMs())),
    );
  }
}
