import { Counter, Gauge, type Registry } from 'prom-client';
import type { DropReason } from '../../link/frame.ts';
import { registerCollected, type Sample } from '../../telemetry/collected-metric.ts';
import type { AddressCounts } from './address-state.ts';
import type { Protocol } from './link-port.ts';

/** The first three names are MetalLB's with another prefix. */
const neighbourMetric = {
  requestsReceived: 'bellman_layer2_requests_received',
  responsesSent: 'bellman_layer2_responses_sent',
  gratuitousSent: 'bellman_layer2_gratuitous_sent',
  conflicts: 'bellman_layer2_conflicts_total',
  dropped: 'bellman_layer2_requests_dropped_total',
  capturesLost: 'bellman_layer2_captures_lost_total',
  links: 'bellman_layer2_links',
} as const;

/** Counters on the answering path. They are plain integers, and become metrics only when the registry is read. */
export class NeighbourCounters {
  /** The counts of late requests begin at 0, because an alert watches their increase. Prometheus sees no increase in the first value of a series. */
  readonly #dropped: Record<Protocol, Map<DropReason, number>> = {
    arp: new Map([['late', 0]]),
    ndp: new Map([['late', 0]]),
  };
  capturesLost = 0;
  /** The time at which the last request for an answered address was dropped as late; `-Infinity` if that request was in time. */
  lateAtMs = Number.NEGATIVE_INFINITY;

  drop(protocol: Protocol, reason: DropReason): void {
    const counts = this.#dropped[protocol];
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }

  *drops(): Generator<{ readonly protocol: Protocol; readonly reason: DropReason; readonly count: number }> {
    for (const protocol of ['arp', 'ndp'] as const)
      for (const [reason, count] of this.#dropped[protocol]) yield { protocol, reason, count };
  }
}

/** Registers the counters of each address. */
export function registerAddressMetrics(registry: Registry, counts: () => Iterable<AddressCounts>): void {
  const perAddress = [
    [neighbourMetric.requestsReceived, 'Layer 2 requests received for an owned address', 'requests'],
    [neighbourMetric.responsesSent, 'Layer 2 responses sent for an owned address', 'responses'],
    [neighbourMetric.gratuitousSent, 'Gratuitous layer 2 packets sent for an owned address', 'gratuitous'],
    [neighbourMetric.conflicts, 'Layer 2 packets in which another host used an owned address', 'conflicts'],
  ] as const;
  for (const [name, help, field] of perAddress)
    registerCollected(registry, {
      ...{ name, help, type: 'counter', labelNames: ['ip'] },
      samples: () => Array.from(counts(), (each): Sample => [{ ip: each.text }, each[field]]),
    });
}

/** Registers the responder's counters of frames and links. */
export function registerNeighbourMetrics(
  registry: Registry,
  counters: NeighbourCounters,
  openLinks: () => number,
): void {
  new Counter({
    name: neighbourMetric.dropped,
    help: 'ARP and NDP packets left unanswered, by reason',
    labelNames: ['protocol', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { protocol, reason, count } of counters.drops()) this.inc({ protocol, reason }, count);
    },
  });
  new Counter({
    name: neighbourMetric.capturesLost,
    help: 'Captures that fell silent or failed, and were reopened',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(counters.capturesLost);
    },
  });
  new Gauge({
    name: neighbourMetric.links,
    help: 'Links on which addresses are answered',
    registers: [registry],
    collect() {
      this.set(openLinks());
    },
  });
}
