/**
 * When the drain of each address began. Each address has a time of its own, because a leaving node may first have to keep an address
 * (`floor.ts`). Once enough other nodes can announce that address, the node drains it for the whole drain delay.
 */
import { isOver, type Wait, WaitList } from '../plan/wait-list.ts';

/** The drain of one address, with the time at which it began. */
interface Drain extends Wait {
  readonly service: string;
}

export class DrainSchedule {
  /** By Service and address. */
  readonly #drains = new Map<string, Map<string, Drain>>();
  readonly #waits = new WaitList<Drain>();

  /**
   * Whether the drain of the address is over. The first call for an announced address begins its drain. An address that is not announced
   * needs no drain, because this process has sent no route to it. `nowMs` never decreases.
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
    const drains = this.#drains.get(service) ?? new Map<string, Drain>();
    const begun = drains.get(address);
    if (begun) return isOver(begun, nowMs, delayMs);
    if (!isAnnounced || delayMs === 0) return true;
    const drain = { service, sinceMs: nowMs };
    this.#drains.set(service, drains.set(address, drain));
    this.#waits.add(drain);
    return false;
  }

  /** Forgets the drains of all addresses of the Service except these. */
  keep(service: string, addresses: readonly string[]): void {
    const drains = this.#drains.get(service);
    if (!drains) return;
    for (const [address, drain] of drains)
      if (!addresses.includes(address)) {
        drains.delete(address);
        this.#waits.delete(drain);
      }
    if (drains.size === 0) this.#drains.delete(service);
  }

  /** When the first drain began; `undefined` while there is none. */
  get firstMs(): number | undefined {
    return this.#waits.firstMs;
  }

  /** The Services with a drain that is over. */
  due(nowMs: number, delayMs: number): string[] {
    return [...new Set(this.#waits.over(nowMs, delayMs).map(({ service }) => service))];
  }
}
