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

  inc(peer: string, labels: Record<L, string>): void {
    this.#counter.inc({ peer, ...labels });
    const seen = this.#seen.get(peer) ?? new Map<string, Record<L, string>>();
    this.#seen.set(peer, seen.set(JSON.stringify(labels), labels));
  }

  remove({ peer }: { peer: string }): void {
    for (const labels of this.#seen.get(peer)?.values() ?? []) this.#counter.remove({ peer, ...labels });
    this.#seen.delete(peer);
  }
}
