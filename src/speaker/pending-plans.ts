/**
 * The Services that wait for a new plan. After a change that concerns all of them, an iterator visits them one after another, so they need no
 * list of their own. A change of a single Service comes first.
 */
export class PendingPlans {
  readonly #all: () => Iterator<string>;
  readonly #single = new Set<string>();
  #sweep: Iterator<string> | undefined;
  #visited = 0;

  /** `all` visits all Services. A Service that is added or removed meanwhile may be missed. */
  constructor(all: () => Iterator<string>) {
    this.#all = all;
  }

  add(services: Iterable<string>): void {
    for (const service of services) this.#single.add(service);
  }

  /** All Services wait from now on. */
  addAll(): void {
    this.#single.clear();
    this.#sweep = this.#all();
    this.#visited = 0;
  }

  /** Whether the round of visits that `addAll` began is still under way. */
  get isSweeping(): boolean {
    return this.#sweep !== undefined;
  }

  /** Whether a Service that `add` named still waits. */
  get hasSingle(): boolean {
    return this.#single.size > 0;
  }

  /** The next Service, which no longer waits. */
  next(): string | undefined {
    for (const service of this.#single) {
      this.#single.delete(service);
      return service;
    }
    const next = this.#sweep?.next();
    if (!next || next.done) {
      this.#sweep = undefined;
      return undefined;
    }
    this.#visited++;
    return next.value;
  }

  /** Number of Services that wait, when there are `total` in all. */
  remaining(total: number): number {
    return this.#single.size + (this.#sweep ? Math.max(0, total - this.#visited) : 0);
  }
}
