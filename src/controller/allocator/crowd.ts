import type { Holding } from './holding.ts';
import { type Sharer, type SharingTerms, sharingRefusal } from './sharing.ts';

/**
 * The many Services that share one address. Holders with equal namespace, keys and backends are counted together. Checking one more Service
 * therefore costs one comparison for each distinct combination and one lookup for each port.
 */
export class Crowd {
  readonly #holders = new Map<string, Holding>();
  readonly #kinds = new Map<string, Sharer & { count: number }>();
  readonly #ports = new Map<string, number>();
  readonly #namespaces = new Map<string, number>();

  get size(): number {
    return this.#holders.size;
  }

  [Symbol.iterator](): Iterator<Holding> {
    return this.#holders.values();
  }

  /** Adds a Service that is not yet a holder. */
  add(holder: Holding): void {
    const { service, terms } = holder;
    this.#holders.set(service, holder);
    const key = kindOf(terms);
    const kind = this.#kinds.get(key);
    if (kind) kind.count++;
    else this.#kinds.set(key, { service, terms: { ...terms, ports: [] }, count: 1 });
    for (const port of terms.ports) count(this.#ports, port, 1);
    count(this.#namespaces, terms.namespace, 1);
  }

  remove(service: string): void {
    const terms = this.#holders.get(service)?.terms;
    if (!terms) return;
    this.#holders.delete(service);
    const key = kindOf(terms);
    const kind = this.#kinds.get(key);
    if (kind) kind.count--;
    if (kind?.count === 0) this.#kinds.delete(key);
    for (const port of terms.ports) count(this.#ports, port, -1);
    count(this.#namespaces, terms.namespace, -1);
  }

  /** Whether the Service may share the address with every other holder. The Service may itself already be a holder. */
  agreesWith({ service, terms }: Sharer, rules: { readonly acrossNamespaces: boolean }): boolean {
    for (const kind of this.#kinds.values())
      if (sharingRefusal(terms, kind, rules) !== undefined) return false;
    const own = this.#holders.has(service) ? 1 : 0;
    return terms.ports.every((port) => (this.#ports.get(port) ?? 0) <= own);
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  /** Whether a Service of another namespace holds the address. */
  hasOtherNamespace(namespace: string): boolean {
    return this.#namespaces.size > (this.#namespaces.has(namespace) ? 1 : 0);
  }
}

function kindOf({ namespace, keys, backends }: SharingTerms): string {
  return JSON.stringify([namespace, keys, backends]);
}

function count(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next > 0) counts.set(key, next);
  else counts.delete(key);
}
