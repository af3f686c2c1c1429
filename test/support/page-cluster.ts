/** Makes, without a cluster, the view that the collector of the page would have of a large cluster. */

import { configHash } from '../../src/cluster/accepted-config.ts';
import type { SpeakerStatus } from '../../src/cluster/status.ts';
import type { ConfigMap, Service } from '../../src/kubernetes/model.ts';
import type { ClusterView, SpeakerView } from '../../src/report/status/view.ts';
import { ok } from '../../src/result.ts';

export interface ClusterOptions {
  readonly services: number;
  readonly nodes: number;
  /** Whether some things are wrong. */
  readonly faulty: boolean;
}

/** A name that is HTML. Kubernetes allows no such name, but a page that shows it as text shows every name as text. */
export const hostileName = '<img src=x onerror="document.title=1">';

const since = '2026-01-02T03:04:05.000Z';
const config = `peers:
- {peer-address: 192.0.2.1, peer-asn: 64500, my-asn: 64512}
address-pools:
- {name: public, protocol: bgp, addresses: [10.64.0.0/16, '2001:db8:100::/64']}
- {name: office, protocol: layer2, addresses: [10.65.0.0/24]}
- {name: old, protocol: bgp, draining: true, addresses: [10.66.0.0/28]}
`;

const nodeName = (i: number) => `node-${i + 1}`;
const isLayer2 = (i: number) => i % 50 === 0;

/** Every fiftieth Service has a layer-2 address, until 250 Services have one. */
function addressOf(i: number): string {
  return isLayer2(i) && i / 50 < 250
    ? `10.65.0.${i / 50 + 1}`
    : `10.64.${Math.floor(i / 250)}.${(i % 250) + 1}`;
}

export function largeCluster({ services, nodes, faulty }: ClusterOptions): ClusterView {
  const all = Array.from({ length: services }, (_, i) => service(i, faulty && i % 997 === 7));
  const assigned = all.flatMap(({ ingress }, i) => (ingress.length === 0 ? [] : [i]));
  return {
    namespace: 'bellman-system',
    configMap: configMap(faulty),
    acceptedCopy: undefined,
    lease: {
      holder: 'controller-5d9c7b6f4-x2x7q_6ba7b810-9dad-11d1-80b4-00c04fd430c8',
      ageMs: 900,
      durationMs: 15_000,
    },
    controller: undefined,
    services: all,
    failures: new Map(
      all.flatMap(({ namespace, name, ingress }) =>
        ingress.length === 0
          ? [[`${namespace}/${name}`, 'pool old is draining and assigns no new addresses'] as const]
          : [],
      ),
    ),
    speakers: Array.from({ length: nodes }, (_, n) => speaker(n, nodes, assigned, faulty)),
  };
}

function configMap(faulty: boolean): ConfigMap {
  return {
    ...{ namespace: 'bellman-system', name: 'config', uid: 'u', resourceVersion: '1' },
    annotations: {
      'bellman.dev/accepted-config': config,
      'bellman.dev/accepted-hash': configHash(config),
      'bellman.dev/accepted-at': since,
      'bellman.dev/config-status': faulty ? 'stale' : 'active',
      ...(faulty && {
        'bellman.dev/config-error':
          'address-pools[1].addresses[0] (line 5, column 42): 10.65.0.0/33 is not a prefix: the length of an IPv4 prefix is 0 to 32',
      }),
    },
    data: { config: faulty ? config.replace('10.65.0.0/24', '10.65.0.0/33') : config },
  };
}

function service(i: number, isWaiting: boolean): Service {
  const owner = nodeName(i % 3);
  return {
    ...{ namespace: `team-${i % 23}`, name: i === 8 ? hostileName : `service-${i}` },
    ...{ uid: `${i}`, resourceVersion: '1', labels: {}, createdAtMs: 0, deleting: false },
    annotations: {
      ...(isWaiting ? {} : { 'bellman.dev/ip-allocated-from-pool': isLayer2(i) ? 'office' : 'public' }),
      ...(isLayer2(i) ? { 'bellman.dev/announcing': `${addressOf(i)}=${owner}/eth0` } : {}),
    },
    type: 'LoadBalancer',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    externalTrafficPolicy: i % 4 === 0 ? 'Local' : 'Cluster',
    ports: [],
    selector: {},
    ingress: isWaiting ? [] : [{ ip: addressOf(i) }],
  };
}

function speaker(n: number, nodes: number, assigned: readonly number[], faulty: boolean): SpeakerView {
  const node = nodeName(n);
  if (faulty && n === nodes - 1)
    return { node, status: { ok: false, error: 'connect ECONNREFUSED 192.0.2.50:7472' } };
  const isDown = faulty && n === 1;
  const others = Array.from({ length: nodes }, (_, i) => nodeName(i)).filter((name) => name !== node);
  const byBgp = assigned.filter((i) => !isLayer2(i));
  const inLayer2 = assigned.filter((i) => isLayer2(i) && i % 3 === n);
  const status: SpeakerStatus = {
    ...{ version: 1, node, waitingFor: [], apiServer: 'reached', inUse: {}, notAnnounced: [], longWork: [] },
    config: { hash: configHash(config), acceptedAt: since },
    peers: [
      {
        ...{ name: '192.0.2.1', state: isDown ? 'Active' : 'Established', since, warnings: [] },
        ...{ routesSent: isDown ? 0 : byBgp.length, routesDesired: byBgp.length },
        ...(isDown && {
          lastError: 'NOTIFICATION received: OPEN Message Error, Bad Peer AS',
          lastErrorAt: since,
        }),
      },
    ],
    announcing: Object.fromEntries(inLayer2.map((i) => [addressOf(i), since])),
    unverified: faulty && n === 2 && inLayer2[0] !== undefined ? { [addressOf(inLayer2[0])]: 'node-1' } : {},
    advertised: Object.fromEntries(byBgp.map((i) => [addressOf(i), ['192.0.2.1']])),
    usesLayer2: true,
    members: others.map((name, i) => ({
      node: name,
      state: faulty && i === others.length - 1 ? 'dead' : 'alive',
    })),
    links: [
      { name: 'eth0', subnets: ['10.65.0.0/24', '2001:db8:2::/64'] },
      ...(n % 2 === 0 ? [{ name: 'eth1', subnets: ['192.0.2.0/24'] }] : []),
    ],
    ...(faulty && n === 3
      ? {
          leaving: {
            ...{ cause: 'maintenance', reason: 'has the annotation bellman.dev/maintenance: new kernel' },
            ...{ since, draining: ['10.64.0.2'], heldByFloor: [] },
          },
        }
      : {}),
    troubles: [],
  };
  return { node, status: ok(status) };
}
