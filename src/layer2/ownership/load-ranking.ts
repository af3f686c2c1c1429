/** Nodes ordered by load, for elections of many addresses. */
import { rendezvousState, weightFrom } from '../../hash.ts';

interface RankedNode {
  readonly node: string;
  readonly state: number;
}

/**
 * Ranks a list of nodes whose loads only grow. Nodes with equal loads form a level. A choice looks up only the load of the node that it is about
 * to choose. If that load has grown, the node moves to the level of its new load, and the choice continues.
 */
export class LoadRanking {
  readonly #levels = new Map<number, RankedNode[]>();
  readonly #load: (node: string) => number;
  #least = Number.POSITIVE_INFINITY;

  constructor(nodes: Iterable<string>, load: (node: string) => number) {
    this.#load = load;
    for (const node of nodes) this.#put({ node, state: rendezvousState(node) });
  }

  /** Of the nodes with the least load, the node with the greatest rendezvous weight for the key. */
  best(key: string): string | undefined {
    while (this.#levels.size > 0) {
      const level = this.#levels.get(this.#least);
      if (!level || level.length === 0) {
        this.#levels.delete(this.#least++);
        continue;
      }
      const at = heaviest(level, key);
      const ranked = level[at];
      if (!ranked) return undefined;
      if (this.#load(ranked.node) === this.#least) return ranked.node;
      level[at] = level.at(-1) ?? ranked;
      level.pop();
      this.#put(ranked);
    }
    return undefined;
  }

  #put(ranked: RankedNode): void {
    const load = this.#load(ranked.node);
    const level = this.#levels.get(load);
    if (level) level.push(ranked);
    else this.#levels.set(load, [ranked]);
    if (load < this.#least) this.#least = load;
  }
}

/** The index of the node with the greatest rendezvous weight. Among nodes with equal weights, the first by name wins. */
function heaviest(nodes: readonly RankedNode[], key: string): number {
  let best = 0;
  let bestWeight = -1;
  for (let i = 0; i < nodes.length; i++) {
    const ranked = nodes[i];
    if (!ranked) continue;
    const weight = weightFrom(ranked.state, key);
    if (weight < bestWeight || (weight === bestWeight && (nodes[best]?.node ?? '') < ranked.node)) continue;
    best = i;
    bestWeight = weight;
  }
  return best;
}

/** Finds the node with the least or the greatest load while loads change. */
export class LoadHeap {
  readonly #entries: LoadEntry[] = [];
  readonly #load: (node: string) => number;
  readonly #sign: 1 | -1;

  /** Among nodes with equal loads, the node that comes first in `nodes` comes first. */
  constructor(first: 'least' | 'greatest', nodes: Iterable<string>, load: (node: string) => number) {
    this.#sign = first === 'least' ? 1 : -1;
    this.#load = load;
    let index = 0;
    for (const node of nodes) this.#push({ node, index: index++, load: load(node) });
  }

  /** The first node. An entry whose load has changed moves to its new place. */
  first(): string | undefined {
    for (;;) {
      const [first] = this.#entries;
      if (!first) return undefined;
      const load = this.#load(first.node);
      if (load === first.load) return first.node;
      this.removeFirst();
      this.#push({ ...first, load });
    }
  }

  removeFirst(): void {
    const entries = this.#entries;
    const last = entries.pop();
    if (!last || entries.length === 0) return;
    entries[0] = last;
    this.#sink(0);
  }

  /**
   * Moves the node to its place after a change of its load. Call it after each change that may move the node toward the front, because `first`
   * finds only changes that move a node back. `first` may not yet have found an earlier change of the node, so this call may also move it back.
   */
  note(node: string): void {
    const at = this.#entries.findIndex((entry) => entry.node === node);
    const entry = this.#entries[at];
    if (!entry) return;
    this.#entries[at] = { ...entry, load: this.#load(node) };
    this.#rise(at);
    this.#sink(at);
  }

  #push(entry: LoadEntry): void {
    this.#entries.push(entry);
    this.#rise(this.#entries.length - 1);
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(from: number): void {
    const { length } = this.#entries;
    for (let at = from; ; ) {
      const left = 2 * at + 1;
      const child = left + 1 < length && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (child >= length || !this.#isBefore(child, at)) return;
      this.#swap(child, at);
      at = child;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#entries[one], this.#entries[other]];
    if (!a || !b) return false;
    const difference = this.#sign * (a.load - b.load);
    return difference < 0 || (difference === 0 && a.index < b.index);
  }

  #swap(one: number, other: number): void {
    const [a, b] = [this.#entries[one], this.#entries[other]];
    if (!a || !b) return;
    this.#entries[one] = b;
    this.#entries[other] = a;
  }
}

interface LoadEntry {
  readonly node: string;
  readonly index: number;
  /** The load when the entry got its place. */
  readonly load: number;
}
