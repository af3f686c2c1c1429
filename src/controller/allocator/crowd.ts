import { type SharingTerms, sharingRefusal } from './sharing.ts';

export interface Holder {
  /** `namespace/name`. */
  readonly service: string;
  /** A Service with a lower number has held the address for longer. */
  readonly seniority: number;
}

/**
 * The many Services that share one address. Holders with equal namespace, keys and backends are counted together. Checking one more Service
 * therefore costs one comparison for each distinct combination and one lookup for each port.
 */
export class Crowd {
  readonly #holders = new Map<string, Holder>();
  readonly #kinds = new Map<string, { readonly terms: SharingTerms; count: number }>();
  readonly #ports = new Map<string, number>();
  readonly #namespaces = new Map<string, number>();

  get size(): number {
    return this.#holders.size;
  }

  [Symbol.iterator](): Iterator<Holder> {
    return this.#holders.values();
  }

  /** Adds a Service that is not yet a holder. */
  add(holder: Holder, terms: SharingTerms): void {
    this.#holders.set(holder.service, holder);
    const key = kindOf(terms);
    const kind = this.#kinds.get(key);
    if (kind) kind.count++;
    else this.#kinds.set(key, { terms: { ...terms, ports: [] }, count: 1 });
    for (const port of terms.ports) count(this.#ports, port, 1);
    count(this.#namespaces, terms.namespace, 1);
  }

  /** Removes a Service that was added with these terms. */
  remove(service: string, terms: SharingTerms): void {
    if (!this.#holders.delete(service)) return;
    const key = kindOf(terms);
    const kind = this.#kinds.get(key);
    if (kind) kind.count--;
    if (kind?.count === 0) this.#kinds.delete(key);
    for (const port of terms.ports) count(this.#ports, port, -1);
    count(this.#namespaces, terms.namespace, -1);
  }

  /** Whether a Service with these terms may share the address with every other holder. The Service may itself already be a holder. */
  agreesWith(terms: SharingTerms, rules: { readonly acrossNamespaces: boolean }): boolean {
    for (const { terms: theirs } of this.#kinds.values())
      if (sharingRefusal(terms, theirs, rules) !== undefined) return false;
    const own = this.#holders.has(terms.service) ? 1 : 0;
    return terms.ports.every((port) => (this.#ports.get(port) ?? 0) <= own);
  }

  /** `undefined` when the Service does not hold the address. */
  seniorityOf(service: string): number | undefined {
    return this.#holders.get(service)?.seniority;
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
