/**
 * Services whose plans depend on nodes other than the own one, by node. Only Services with `externalTrafficPolicy: Local` do, on the nodes
 * with their endpoints.
 */
export class ServiceDependents {
  readonly #nodesOf = new Map<string, readonly string[]>();
  readonly #servicesOf = new Map<string, Set<string>>();

  /** Replaces the nodes on which the plan of a Service depends. */
  set(service: string, nodes: readonly string[]): void {
    const before = this.#nodesOf.get(service);
    if (!before && nodes.length === 0) return;
    for (const node of before ?? []) {
      const services = this.#servicesOf.get(node);
      services?.delete(service);
      if (services?.size === 0) this.#servicesOf.delete(node);
    }
    if (nodes.length > 0) this.#nodesOf.set(service, nodes);
    else this.#nodesOf.delete(service);
    for (const node of nodes)
      this.#servicesOf.set(node, (this.#servicesOf.get(node) ?? new Set()).add(service));
  }

  /** Services whose plans depend on the node. */
  of(node: string): Iterable<string> {
    return this.#servicesOf.get(node) ?? [];
  }
}
