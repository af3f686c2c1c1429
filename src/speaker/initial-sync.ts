/** Kinds of objects that a speaker must know completely before it announces anything. */
export const awaitedKinds = ['config', 'services', 'endpoints', 'nodes', 'secrets'] as const;
export type AwaitedKind = (typeof awaitedKinds)[number];

/** Tracks which kinds of objects the speaker has read completely since it started. */
export class InitialSync {
  readonly #missing = new Set<AwaitedKind>(awaitedKinds);

  /** Returns true when this kind was the last one missing. */
  arrived(kind: AwaitedKind): boolean {
    return this.#missing.delete(kind) && this.#missing.size === 0;
  }

  get missing(): readonly AwaitedKind[] {
    return [...this.#missing];
  }
}
