/** Services by something that they depend on, for example the nodes on which their endpoints run. */
export class ServiceIndex {
  readonly #termsOf = new Map<string, readonly string[]>();
  readonly #servicesOf = new Map<string, Set<string>>();

  /** Replaces the terms under which a Service is found. */
  set(service: string, terms: readonly string[]): void {
    const before = this.#termsOf.get(service);
    if (!before && terms.length === 0) return;
    for (const term of before ?? []) {
      const services = this.#servicesOf.get(term);
      services?.delete(service);
      if (services?.size === 0) this.#servicesOf.delete(term);
    }
    if (terms.length > 0) this.#termsOf.set(service, terms);
    else this.#termsOf.delete(service);
    for (const term of terms)
      this.#servicesOf.set(term, (this.#servicesOf.get(term) ?? new Set()).add(service));
  }

  /** Services with the term. */
  of(term: string): Iterable<string> {
    return this.#servicesOf.get(term) ?? [];
  }

  /** Terms that some Service has. */
  terms(): Iterable<string> {
    return this.#servicesOf.keys();
  }
}
