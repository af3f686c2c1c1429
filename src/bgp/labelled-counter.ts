import { Counter, type Registry } from 'prom-client';

/**
 * A counter with labels in addition to `peer`. It remembers the label values of each peer's series, because prom-client can remove a series
 * only by all its labels.
 */
export class LabelledCounter<L extends string> {
  readonly #counter: Counter<string>;
  readonly #seen = new Map<string, Map<string, Record<L, string>>>();

  constructor(registry: Registry, name: string, help: string, labels: readonly L[]) {
    this.#counter = new Counter({ name, help, labelNames: ['peer', ...labels], registers: [registry] });
  }

  inc(name: string, labels: Record<L, string>): void {
    this.#counter.inc({ peer: name, ...labels });
    const seen = this.#seen.get(name) ?? new Map<string, Record<L, string>>();
    this.#seen.set(name, seen.set(JSON.stringify(labels), labels));
  }

  remove({ peer: name }: { peer: string }): void {
    for (const labels of this.#seen.get(name)?.values() ?? [])
      this.#counter.remove({ peer: name, ...labels });
    this.#seen.delete(name);
  }
}
