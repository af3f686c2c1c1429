/**
 * The Services that wait for a new plan. After a change that concerns all Services, an iterator visits them one after another, so no list of
 * them is needed. The Services that `add` names come first.
 */
export class PendingPlans {
  readonly #all: () => Iterator<string>;
  readonly #single = new Set<string>();
  #sweep: Iterator<string> | undefined;
  #visited = 0;

  /** `all` returns an iterator over all Services. The iterator may miss a Service that is added or removed meanwhile. */
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

  /** Takes out the next Service, which then no longer waits; `undefined` when none waits. */
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
