/** The state of the cluster as a value. `bellman status` writes it as text, JSON or YAML. Pure. */
import { parseIp } from '../../address/index.ts';
import { recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { annotations } from '../../cluster/names.ts';
import type { SpeakerStatus } from '../../cluster/status.ts';
import {
  type Config,
  comparePools,
  type PoolIndex,
  poolIndexOf,
  protocolText,
  usableSize,
} from '../../config/index.ts';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import { printable } from '../../printable.ts';
import { addressFindings } from './announcers.ts';
import { describeConfiguration, describeController, type Finding } from './control.ts';
import { deadNodeTroubles } from './dead-nodes.ts';
import { troublesOf, viewerTroubles } from './problems.ts';
import type { ClusterView } from './view.ts';
import { lackReason, waitingReason } from './words.ts';

/** The longest pool name that the schema of the configuration allows. */
const maxPoolCharacters = 253;

/** Version of the JSON and YAML that `bellman status -o` prints. The format only grows. */
export const statusValueVersion = 1;

type Peer = SpeakerStatus['peers'][number];

export interface StatusValue {
  readonly version: typeof statusValueVersion;
  /** False in the cases that {@link statusValue} lists. If true, the exit code of `bellman status` is 0. */
  readonly healthy: boolean;
  readonly configuration: Finding;
  readonly controller: Finding;
  readonly pools: readonly PoolValue[];
  readonly addresses: readonly AddressValue[];
  readonly nodes: readonly NodeValue[];
  readonly troubles: readonly string[];
  /** Warnings about the configuration in this cluster. They do not change `healthy`. */
  readonly warnings: readonly string[];
}

export interface PoolValue {
  readonly pool: string;
  readonly protocol: string;
  readonly family: 'IPv4' | 'IPv6';
  /** Decimal text, because an IPv6 pool may have more addresses than a JSON number can count. */
  readonly addresses: string;
  readonly inUse: string;
  readonly free: string;
  readonly draining: boolean;
}

export interface AddressValue extends Finding {
  /** `namespace/name`. */
  readonly service: string;
  /** Absent while the Service waits for an address. A Service may have an address and wait for another one. */
  readonly address?: string;
  readonly pool: string;
  readonly externalTrafficPolicy: string;
}

export interface NodeValue {
  readonly node: string;
  /** Why the speaker was not reached; absent when it was. */
  readonly notReached?: string;
  readonly usesLayer2?: boolean;
  readonly peers: readonly Peer[];
  readonly members: SpeakerStatus['members'];
  /** Present while the node leaves. */
  readonly leaving?: SpeakerStatus['leaving'];
}

/**
 * `healthy` is false in these cases: the text of the ConfigMap is not in force; no controller leads; a Service waits for an address; an
 * address is not as desired; `troubles` is not empty. Only the Services that `isShown` selects appear and count. Pools count the addresses
 * of all Services.
 */
export function statusValue(
  view: ClusterView,
  isShown: (service: Service) => boolean = () => true,
): StatusValue {
  const accepted = recallAcceptedConfig(view.configMap, view.acceptedCopy);
  const configuration = describeConfiguration(view, accepted);
  const controller = describeController(view);
  const index = accepted && poolIndexOf(accepted.config);
  const addresses = view.services.filter(isShown).flatMap((service) => addressValues(service, view, index));
  const troubles = [
    ...view.speakers.flatMap(({ node, status }) =>
      status.ok ? troublesOf(status.value, accepted).map((trouble) => `${node}: ${trouble}`) : [],
    ),
    ...viewerTroubles(view),
    ...deadNodeTroubles(view).map(({ text }) => text),
  ];
  const findings = [configuration, controller, ...addresses];
  return {
    version: statusValueVersion,
    healthy: findings.every(({ isAsDesired }) => isAsDesired) && troubles.length === 0,
    configuration,
    controller,
    pools: poolValues(accepted?.config, view.services),
    addresses,
    nodes: view.speakers.map(({ node, status }) =>
      status.ok
        ? {
            node,
            ...(status.value.usesLayer2 === undefined ? {} : { usesLayer2: status.value.usesLayer2 }),
            peers: status.value.peers,
            members: status.value.members,
            ...(status.value.leaving && { leaving: status.value.leaving }),
          }
        : { node, notReached: status.error, peers: [], members: [] },
    ),
    troubles,
    warnings: view.warnings ?? [],
  };
}

function poolValues(config: Config | undefined, services: readonly Service[]): PoolValue[] {
  if (!config) return [];
  const index = poolIndexOf(config);
  const inUse = new Map<string, Set<string>>();
  for (const { ingress } of services)
    for (const { ip } of ingress) {
      const address = parseIp(ip);
      const pool = address && index.poolOf(address);
      if (!address || !pool) continue;
      const key = `${pool.name} ${address.family}`;
      const used = inUse.get(key) ?? new Set();
      inUse.set(key, used.add(ip));
    }
  return [...config.pools].sort(comparePools).flatMap((pool) =>
    ([4, 6] as const).flatMap((family): PoolValue[] => {
      const size = usableSize(pool, family);
      if (size === 0n) return [];
      const used = BigInt(inUse.get(`${pool.name} ${family}`)?.size ?? 0);
      // A draining pool assigns none of its free addresses.
      const free = pool.draining || used > size ? 0n : size - used;
      return [
        {
          ...{ pool: pool.name, protocol: protocolText(pool), family: `IPv${family}` as const },
          ...{ addresses: `${size}`, inUse: `${used}`, free: `${free}`, draining: pool.draining },
        },
      ];
    }),
  );
}

function addressValues(service: Service, view: ClusterView, index: PoolIndex | undefined): AddressValue[] {
  const key = objectKey(service);
  const { externalTrafficPolicy } = service;
  if (service.ingress.length === 0)
    return [
      { service: key, pool: '', text: waitingReason(key, view), isAsDesired: false, externalTrafficPolicy },
    ];
  // A user may edit the annotation, so its length and its characters are not trusted.
  const pools = (service.annotations[annotations.pool] ?? '').split(',', service.ingress.length);
  const found = addressFindings(service, view, index).map((finding, i): AddressValue => {
    const pool = printable(pools[i] ?? pools[0] ?? '', maxPoolCharacters);
    return { service: key, pool, ...finding, externalTrafficPolicy };
  });
  const lack = lackReason(key, view);
  if (lack !== undefined)
    found.push({ service: key, pool: '', text: lack, isAsDesired: false, externalTrafficPolicy });
  return found;
}
