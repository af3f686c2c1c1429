/**
 * Finds the nodes on which the endpoints of a Service are new. kube-proxy learns of an endpoint at the same time as the speaker, but writes its
 * rules later. A node that announces at once would therefore lose the packets that arrive before the rules. With `announce-delay`, the node
 * waits while another node serves.
 *
 * The first nodes of a Service do not wait, because no traffic arrives at all before they announce. The nodes that a starting speaker finds do
 * not wait either, because their endpoints have been ready for some time.
 */
import type { IpFamilyName } from '../../kubernetes/model.ts';
import type { FreshNodes, ServingNodes } from './serving-nodes.ts';

/** One moment on both clocks. */
export interface Moment {
  /** By the monotonic clock. */
  readonly nowMs: number;
  /** Since 1970. */
  readonly epochMs: number;
}

type Endpoints = Readonly<Record<IpFamilyName, ServingNodes>>;
const families = ['IPv4', 'IPv6'] as const;

export class FreshEndpoints {
  /** When the first endpoint of each node became ready, by Service. Only nodes that may still have to wait are in it. */
  readonly #since = new Map<string, Readonly<Record<IpFamilyName, Map<string, Moment>>>>();

  /** Takes a change of the endpoints of a Service. */
  change(service: string, before: Endpoints, after: Endpoints, at: Moment): void {
    const since = this.#since.get(service) ?? { IPv4: new Map(), IPv6: new Map() };
    for (const family of families) {
      for (const node of since[family].keys())
        if (!after[family].lasting.has(node)) since[family].delete(node);
      if (before[family].nodes.size === 0) continue;
      for (const node of after[family].lasting)
        if (!before[family].lasting.has(node)) since[family].set(node, at);
    }
    this.#keep(service, since);
  }

  /** The nodes of a Service that wait, each with the end of its wait since 1970; `undefined` when no wait is known. */
  of(service: string, nowMs: number, delayMs: number): FreshNodes | undefined {
    const since = this.#since.get(service);
    if (!since) return undefined;
    const waiting = (family: IpFamilyName) =>
      new Map(
        [...since[family]]
          .filter(([, at]) => nowMs < at.nowMs + delayMs)
          .map(([node, at]) => [node, at.epochMs + delayMs]),
      );
    return { IPv4: waiting('IPv4'), IPv6: waiting('IPv6') };
  }

  /** When the first of the nodes became ready; `undefined` when none waits. */
  get firstMs(): number | undefined {
    let first: number | undefined;
    for (const since of this.#since.values())
      for (const family of families)
        for (const { nowMs } of since[family].values()) first = Math.min(first ?? nowMs, nowMs);
    return first;
  }

  /** Forgets the waits that are over, and returns their Services. */
  takeDue(nowMs: number, delayMs: number): string[] {
    const due: string[] = [];
    for (const [service, since] of this.#since) {
      let isDue = false;
      for (const family of families)
        for (const [node, at] of since[family])
          if (nowMs >= at.nowMs + delayMs) {
            since[family].delete(node);
            isDue = true;
          }
      if (isDue) due.push(service);
      this.#keep(service, since);
    }
    return due;
  }

  #keep(service: string, since: Readonly<Record<IpFamilyName, Map<string, Moment>>>): void {
    if (since.IPv4.size + since.IPv6.size > 0) this.#since.set(service, since);
    else this.#since.delete(service);
  }
}
