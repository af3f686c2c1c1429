/**
 * The Services that wait for a new plan. After a change that concerns all Services, an iterator visits them one after another, so no list of
 * them is needed. The Services that `add` names come first.
 */
export class PendingPlans<Service> {
  readonly #all: () => Iterator<Service>;
  readonly #single = new Set<Service>();
  #sweep: Iterator<Service> | undefined;
  #visited = 0;

  /** `all` returns an iterator over all Services. The iterator may miss a Service that is added or removed meanwhile. */
  constructor(all: () => Iterator<Service>) {
    this.#all = all;
  }

  add(service: Service): void {
    this.#single.add(service);
  }

  /** Forgets a Service that is gone. */
  delete(service: Service): void {
    this.#single.delete(service);
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
  next(): Service | undefined {
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
