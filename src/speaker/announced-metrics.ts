/**
 * The announcements of this node as metrics. Each scrape computes them from the present state, so a change of the state costs no extra work.
 */
import type { Registry } from 'prom-client';
import { carriesRoutesOf, refusalCauses } from '../cluster/status.ts';
import { registerCollected, type Sample } from '../telemetry/collected-metric.ts';
import type { InitialSync } from './initial-sync.ts';
import type { NodeSpeaker } from './node-speaker.ts';
import type { PlanResults } from './plan-results.ts';

export interface AnnouncedSources {
  readonly nodeName: string;
  readonly sync: Pick<InitialSync, 'missing'>;
  readonly speaker: Pick<NodeSpeaker, 'serviceKeysOf'> & {
    readonly results: Pick<
      PlanResults,
      'advertisedByService' | 'refusalsByService' | 'notToAnnounceByService'
    >;
  };
  readonly peers: () => readonly {
    readonly name: string;
    readonly state: string;
    readonly families: readonly string[];
  }[];
  /** Layer-2 addresses that this node answers for. */
  readonly owned: () => Iterable<string>;
  /** Layer-2 addresses that this node would answer for if no other host used them. */
  readonly inConflict: () => Iterable<string>;
}

export function registerAnnouncedMetrics(registry: Registry, sources: AnnouncedSources): void {
  const { nodeName, sync, speaker } = sources;
  registerCollected(registry, {
    name: 'bellman_speaker_announced',
    help: '1 while this node announces the address of the Service. 0 while BGP should announce the address, but none of the peers that should receive it has an Established session that carries its address family.',
    type: 'gauge',
    labelNames: ['service', 'protocol', 'node', 'ip'],
    samples: () => announced(sources),
  });
  registerCollected(registry, {
    name: 'bellman_speaker_refusals',
    help: 'Addresses of Services that this node does not announce, by cause.',
    type: 'gauge',
    labelNames: ['node', 'cause'],
    samples: () => {
      const counts = new Map<string, number>(refusalCauses.map((cause) => [cause, 0]));
      for (const [, refusals] of speaker.results.refusalsByService())
        for (const { cause } of refusals) counts.set(cause, (counts.get(cause) ?? 0) + 1);
      return Array.from(counts, ([cause, count]): Sample => [{ node: nodeName, cause }, count]);
    },
  });
  registerCollected(registry, {
    name: 'bellman_speaker_without_endpoints',
    help: 'Always 1. The labels name an address that no node announces, because its Service has no ready endpoint.',
    type: 'gauge',
    labelNames: ['service', 'node', 'ip'],
    samples: () => withoutEndpoints(sources),
  });
  registerCollected(registry, {
    name: 'bellman_speaker_not_to_announce',
    help: 'Always 1. The labels name an address that this node is not to announce: its pool has the protocol none, or adopt-only leaves it to another program.',
    type: 'gauge',
    labelNames: ['service', 'node', 'ip'],
    samples: () => notToAnnounce(sources),
  });
  registerCollected(registry, {
    name: 'bellman_speaker_in_conflict',
    help: 'Always 1. The labels name an address that this node does not answer for, because another host uses it.',
    type: 'gauge',
    labelNames: ['node', 'ip'],
    samples: () => Array.from(sources.inConflict(), (ip): Sample => [{ node: nodeName, ip }, 1]),
  });
  registerCollected(registry, {
    name: 'bellman_speaker_in_sync',
    help: '1 when the speaker has read all objects that it needs. Before that it announces nothing.',
    type: 'gauge',
    labelNames: ['node'],
    samples: () => [[{ node: nodeName }, sync.missing.length === 0 ? 1 : 0]],
  });
}

function* announced({ nodeName: node, speaker, peers: sessions, owned }: AnnouncedSources): Iterable<Sample> {
  const sessionOf = new Map(sessions().map((session) => [session.name, session]));
  const isCarried = (ip: string, peer: string) => {
    const session = sessionOf.get(peer);
    return session !== undefined && carriesRoutesOf(session, ip);
  };
  for (const [service, addresses] of speaker.results.advertisedByService())
    for (const { address: ip, peers } of addresses)
      yield [{ service, protocol: 'bgp', node, ip }, peers.some((peer) => isCarried(ip, peer)) ? 1 : 0];
  for (const ip of owned())
    for (const service of speaker.serviceKeysOf(ip)) yield [{ service, protocol: 'layer2', node, ip }, 1];
}

function* withoutEndpoints({ nodeName: node, speaker }: AnnouncedSources): Iterable<Sample> {
  for (const [service, refusals] of speaker.results.refusalsByService())
    for (const { address: ip, cause } of refusals)
      if (cause === 'no-endpoint') yield [{ service, node, ip }, 1];
}

function* notToAnnounce({ nodeName: node, speaker }: AnnouncedSources): Iterable<Sample> {
  for (const [service, addresses] of speaker.results.notToAnnounceByService())
    for (const ip of addresses) yield [{ service, node, ip }, 1];
}
