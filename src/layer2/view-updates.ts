import type { Clock } from '../clock.ts';
import { Coalescer } from './coalescer.ts';

/**
 * Gathers changes of members for the next view (`OwnershipView`). Each new view reads all members, and many members may change at once. The
 * first change leads to a view at once, and the changes soon after it share the next view. A decision must not be made with an outdated view, so
 * call `refresh` before each decision.
 */
export class ViewUpdates {
  readonly #coalescer: Coalescer;
  readonly #update: () => void;
  readonly #changed = new Set<string>();

  /** `update` makes a new view. */
  constructor(clock: Clock, update: () => void) {
    this.#update = update;
    this.#coalescer = new Coalescer(clock, () => this.refresh());
  }

  request(members: Iterable<string>): void {
    for (const name of members) this.#changed.add(name);
    if (this.#changed.size > 0) this.#coalescer.request();
  }

  /** Makes a new view if members have changed since the last one. */
  refresh(): void {
    if (this.#changed.size === 0) return;
    this.#changed.clear();
    this.#update();
  }

  /** Like `refresh`, but only if one of these members has changed. */
  refreshFor(members: Iterable<string>): void {
    if (this.#changed.size === 0) return;
    for (const name of members)
      if (this.#changed.has(name)) {
        this.refresh();
        return;
      }
  }

  cancel(): void {
    this.#coalescer.cancel();
  }
}
