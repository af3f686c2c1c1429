/** All members learn within this time that an owner is lost. A later takeover belongs to another loss. */
const lossMs = 2000;

/**
 * Addresses that were claimed recently. A node that learns of a loss late must know which addresses became vacant in that loss. Otherwise,
 * it would count them as load of their new owners, and its election would differ from that of the other nodes.
 */
export class RecentTakeovers {
  readonly #claimedAtMs = new Map<string, number>();

  note(address: string, nowMs: number): void {
    this.#claimedAtMs.set(address, nowMs);
  }

  isRecent(address: string, nowMs: number): boolean {
    const claimedAtMs = this.#claimedAtMs.get(address);
    return claimedAtMs !== undefined && nowMs - claimedAtMs < lossMs;
  }

  /** Returns the addresses that were claimed recently and forgets the older ones. */
  *addresses(nowMs: number): Iterable<string> {
    for (const [address, claimedAtMs] of this.#claimedAtMs) {
      if (nowMs - claimedAtMs > lossMs) this.#claimedAtMs.delete(address);
      else yield address;
    }
  }

  forget(address: string): void {
    this.#claimedAtMs.delete(address);
  }
}
