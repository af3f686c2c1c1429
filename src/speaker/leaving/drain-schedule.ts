/**
 * When the drain of each address began. The addresses have times of their own: a leaving node may first have to keep an address
 * (`floor.ts`), and it drains that address for the whole delay once enough other nodes can announce it.
 */
export class DrainSchedule {
  /** When the drain of each address began, by Service. */
  readonly #beganMs = new Map<string, ReadonlyMap<string, number>>();

  /**
   * Whether the drain of the address is over. The first call for an announced address begins its drain. An address that is not announced
   * needs no drain, because no router has a route to it.
   */
  isOver(
    service: string,
    address: string,
    {
      isAnnounced,
      nowMs,
      delayMs,
    }: { readonly isAnnounced: boolean; readonly nowMs: number; readonly delayMs: number },
  ): boolean {
    const beganMs = this.#beganMs.get(service)?.get(address);
    if (beganMs !== undefined) return nowMs >= beganMs + delayMs;
    if (!isAnnounced || delayMs === 0) return true;
    this.#beganMs.set(service, new Map([...(this.#beganMs.get(service) ?? []), [address, nowMs]]));
    return false;
  }

  /** Forgets the drains of the Service's other addresses. */
  keep(service: string, addresses: readonly string[]): void {
    const before = this.#beganMs.get(service);
    if (!before) return;
    const kept = new Map([...before].filter(([address]) => addresses.includes(address)));
    if (kept.size > 0) this.#beganMs.set(service, kept);
    else this.#beganMs.delete(service);
  }

  /** When the first drain began; `undefined` while there is none. */
  get firstMs(): number | undefined {
    let first: number | undefined;
    for (const addresses of this.#beganMs.values())
      for (const beganMs of addresses.values()) first = Math.min(first ?? beganMs, beganMs);
    return first;
  }

  /** The Services with a drain that is over. */
  due(nowMs: number, delayMs: number): string[] {
    return [...this.#beganMs].flatMap(([service, addresses]) =>
      [...addresses.values()].some((beganMs) => nowMs >= beganMs + delayMs) ? [service] : [],
    );
  }
}
