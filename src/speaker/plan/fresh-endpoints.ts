/**
 * Finds the nodes on which the endpoints of a Service are new. kube-proxy learns of an endpoint at the same time as the speaker, but needs some
 * time to write its rules. A node that announces at once would therefore lose the packets that arrive before these rules exist. With
 * `announce-delay`, the node waits while another node serves.
 *
 * The first nodes of a Service do not wait, because no traffic arrives at all before they announce. The nodes that a starting speaker finds do
 * not wait either, because their endpoints have been ready for some time.
 */
import type { IpFamilyName } from '../../kubernetes/model.ts';
import type { FreshNodes, ServingNodes } from './serving-nodes.ts';
import { isOver, type Wait, WaitList } from './wait-list.ts';

/** One moment on both clocks. */
export interface Moment {
  /** By the monotonic clock. */
  readonly nowMs: number;
  /** Since 1970. */
  readonly epochMs: number;
}

type Endpoints = Readonly<Record<IpFamilyName, ServingNodes>>;
const families = ['IPv4', 'IPv6'] as const;

/** A node whose first endpoint of a Service became ready. */
interface FreshNode extends Wait {
  readonly service: string;
  readonly family: IpFamilyName;
  readonly node: string;
  /** Since 1970. */
  readonly sinceEpochMs: number;
}

/** The fresh nodes of one Service, by name. */
type FreshOfService = Readonly<Record<IpFamilyName, Map<string, FreshNode>>>;

export class FreshEndpoints {
  /** By Service. Only nodes that may still have to wait are in it. */
  readonly #fresh = new Map<string, FreshOfService>();
  readonly #waits = new WaitList<FreshNode>();

  /** Takes a change of the endpoints of a Service. No change may be earlier than the one before. */
  change(service: string, before: Endpoints, after: Endpoints, { nowMs, epochMs }: Moment): void {
    const fresh = this.#fresh.get(service) ?? { IPv4: new Map(), IPv6: new Map() };
    this.#fresh.set(service, fresh);
    for (const family of families) {
      for (const [node, wait] of fresh[family]) if (!after[family].lasting.has(node)) this.#forget(wait);
      if (before[family].nodes.size === 0) continue;
      for (const node of after[family].lasting) {
        if (before[family].lasting.has(node)) continue;
        const earlier = fresh[family].get(node);
        if (earlier) this.#forget(earlier);
        const wait = { service, family, node, sinceMs: nowMs, sinceEpochMs: epochMs };
        fresh[family].set(node, wait);
        this.#waits.add(wait);
      }
    }
    this.#dropEmpty(service);
  }

  /** The nodes of a Service that wait, each with the end of its wait in milliseconds since 1970; `undefined` when no wait is known. */
  of(service: string, nowMs: number, delayMs: number): FreshNodes | undefined {
    const fresh = this.#fresh.get(service);
    if (!fresh) return undefined;
    const waiting = (family: IpFamilyName) =>
      new Map(
        [...fresh[family]]
          .filter(([, wait]) => !isOver(wait, nowMs, delayMs))
          .map(([node, { sinceEpochMs }]) => [node, sinceEpochMs + delayMs]),
      );
    return { IPv4: waiting('IPv4'), IPv6: waiting('IPv6') };
  }

  /** When the earliest wait began, by the monotonic clock; `undefined` when no node waits. */
  get firstMs(): number | undefined {
    return this.#waits.firstMs;
  }

  /** Forgets the waits that are over, and returns their Services. */
  takeDue(nowMs: number, delayMs: number): string[] {
    const due = this.#waits.over(nowMs, delayMs);
    for (const wait of due) this.#forget(wait);
    const services = new Set(due.map(({ service }) => service));
    for (const service of services) this.#dropEmpty(service);
    return [...services];
  }

  #forget(wait: FreshNode): void {
    this.#waits.delete(wait);
    this.#fresh.get(wait.service)?.[wait.family].delete(wait.node);
  }

  #dropEmpty(service: string): void {
    const fresh = this.#fresh.get(service);
    if (fresh && fresh.IPv4.size + fresh.IPv6.size === 0) this.#fresh.delete(service);
  }
}
