/** Maximum number of names that one member may bring up, and that all members together may bring up. */
const namesPerSender = 8;
const namesInAll = 32;
/** A name that only others mention is dropped after this time. */
const keptMs = 30_000;

/**
 * Members that others mention and Kubernetes does not list. Some are real: a speaker that is cut off from the API server learns of a
 * new node only from the others. Others may be invented. The number of unlisted members is therefore limited, they are not passed on,
 * and they are dropped unless they speak for themselves.
 */
export class UnlistedNames {
  readonly #mentioned = new Map<string, { readonly by: string; readonly at: number }>();

  /** Whether to keep a name that the member `by` mentioned. */
  admit(name: string, by: string, now: number): boolean {
    if (this.#mentioned.has(name)) return true;
    const ofSender = [...this.#mentioned.values()].filter((each) => each.by === by).length;
    if (ofSender >= namesPerSender || this.#mentioned.size >= namesInAll) return false;
    this.#mentioned.set(name, { by, at: now });
    return true;
  }

  has(name: string): boolean {
    return this.#mentioned.has(name);
  }

  /** Removes a name that is now listed, or whose member has spoken for itself. */
  confirm(name: string): void {
    this.#mentioned.delete(name);
  }

  wakeAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const each of this.#mentioned.values()) at = Math.min(at, each.at + keptMs);
    return at;
  }

  /** Removes and returns the names whose time is over. */
  expire(now: number): string[] {
    const expired = [...this.#mentioned].filter(([, { at }]) => now >= at + keptMs).map(([name]) => name);
    for (const name of expired) this.#mentioned.delete(name);
    return expired;
  }
}
