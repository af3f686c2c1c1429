/** Maximum number of unlisted names that one member may mention. */
const namesPerSender = 8;
/** Maximum number of unlisted names that all members together may mention. */
const namesInAll = 32;
/** A name is dropped after this time unless its member speaks for itself or Kubernetes lists it. */
const keptMs = 30_000;

/**
 * Members that others mention and Kubernetes does not list. Some of them are real, because a speaker that is cut off from the API server
 * learns about a new node only from other members. Other names may be invented. This class therefore limits the number of unlisted members.
 * They are not passed on to other members, and they are dropped unless they speak for themselves or Kubernetes lists them.
 */
export class UnlistedNames {
  readonly #mentioned = new Map<string, { readonly by: string; readonly atMs: number }>();

  /** Whether to keep a name that the member `by` mentioned. */
  admit(name: string, by: string, nowMs: number): boolean {
    if (this.#mentioned.has(name)) return true;
    const ofSender = [...this.#mentioned.values()].filter((each) => each.by === by).length;
    if (ofSender >= namesPerSender || this.#mentioned.size >= namesInAll) return false;
    this.#mentioned.set(name, { by, atMs: nowMs });
    return true;
  }

  has(name: string): boolean {
    return this.#mentioned.has(name);
  }

  /** Removes a name that is now listed, or whose member has spoken for itself. */
  confirm(name: string): void {
    this.#mentioned.delete(name);
  }

  wakeAtMs(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const each of this.#mentioned.values()) atMs = Math.min(atMs, each.atMs + keptMs);
    return atMs;
  }

  /** Removes and returns the names that were kept for `keptMs`. */
  expire(nowMs: number): string[] {
    const expired = [...this.#mentioned]
      .filter(([, { atMs }]) => nowMs >= atMs + keptMs)
      .map(([name]) => name);
    for (const name of expired) this.#mentioned.delete(name);
    return expired;
  }
}
