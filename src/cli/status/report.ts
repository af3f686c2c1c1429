/** Makes the report of `bellman status`, its text and its verdict, from a view of the cluster. Pure. */
import { parseIp } from '../../address/index.ts';
import { type AcceptedConfig, recallAcceptedConfig } from '../../cluster/accepted-config.ts';
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
import { type Announcers, announcersOf } from './announcers.ts';
import { describeConfiguration, describeController } from './control.ts';
import { formatTable } from './table.ts';
import type { ClusterView, SpeakerView } from './view.ts';

/**
 * `healthy` is false in these cases: the text of the ConfigMap is not in force; no controller leads; a Service waits for an address; an
 * address should be announced, and no speaker is known to announce it; a speaker reports a fault.
 */
export function statusReport(view: ClusterView): { readonly text: string; readonly healthy: boolean } {
  const accepted = recallAcceptedConfig(view.configMap, view.acceptedCopy);
  const configuration = describeConfiguration(view, accepted);
  const controller = describeController(view);
  const index = accepted && poolIndexOf(accepted.config);
  const addresses = view.services.flatMap((service) => addressRows(service, view, index));
  const troubles = [
    ...view.speakers.flatMap((speaker) => troublesOf(speaker, accepted)),
    ...(view.viewerProblem !== undefined && view.speakers.some(({ status }) => !status.ok)
      ? [view.viewerProblem]
      : []),
  ];
  const sections = [
    `configuration: ${configuration.text}\ncontroller: ${controller.text}`,
    formatTable(
      ['pool', 'protocol', 'family', 'addresses', 'in use', 'free'],
      poolRows(accepted?.config, view.services),
    ),
    formatTable(
      ['service', 'address', 'pool', 'announced by'],
      addresses.map(({ cells }) => cells),
    ),
    formatTable(
      ['node', 'peer', 'state', 'since', 'routes', 'last error'],
      view.speakers.flatMap(sessionRows),
    ),
    ...bfdSection(view),
    formatTable(['node', 'other speakers'], view.speakers.flatMap(memberRows)),
    ...(troubles.length > 0 ? [troubles.join('\n')] : []),
  ];
  const findings = [configuration, controller, ...addresses];
  const healthy = findings.every(({ isAsDesired }) => isAsDesired) && troubles.length === 0;
  return { text: `${sections.join('\n\n')}\n`, healthy };
}

function poolRows(config: Config | undefined, services: readonly Service[]): string[][] {
  if (!config) return [];
  const index = poolIndexOf(config);
  const inUse = new Map<string, Set<string>>();
  for (const { ingress } of services)
    for (const { ip } of ingress) {
      const address = parseIp(ip);
      const pool = address && index.poolOf(address);
      if (!address || !pool) continue;
      const key = `${pool.name} ${address.family}`;
      inUse.set(key, (inUse.get(key) ?? new Set()).add(ip));
    }
  return [...config.pools].sort(comparePools).flatMap((pool) =>
    ([4, 6] as const).flatMap((family) => {
      const size = usableSize(pool, family);
      const used = BigInt(inUse.get(`${pool.name} ${family}`)?.size ?? 0);
      // A draining pool hands out none of its free addresses.
      const free = pool.draining ? '0, draining' : `${used > size ? 0n : size - used}`;
      return size === 0n ? [] : [[pool.name, protocolText(pool), `IPv${family}`, `${size}`, `${used}`, free]];
    }),
  );
}

interface AddressRow extends Pick<Announcers, 'isAsDesired'> {
  readonly cells: readonly string[];
}

function addressRows(service: Service, view: ClusterView, index: PoolIndex | undefined): AddressRow[] {
  const key = objectKey(service);
  if (service.ingress.length === 0)
    return [{ cells: [key, '<pending>', '', waitingReason(key, view)], isAsDesired: false }];
  const pools = (service.annotations[annotations.pool] ?? '').split(',');
  return service.ingress.map(({ ip }, i) => {
    const address = parseIp(ip);
    const protocols = (address && index?.poolOf(address)?.protocols) ?? [];
    const { text, isAsDesired } = announcersOf(service, ip, view.speakers, protocols);
    return { cells: [key, ip, pools[i] ?? pools[0] ?? '', text], isAsDesired };
  });
}

/** Why a Service has no address: the reason that the leader reports, or else the message of the last event. */
function waitingReason(service: string, { controller, failures }: ClusterView): string {
  const refusal = controller?.services.find((each) => each.service === service)?.refusal;
  return refusal?.message ?? failures.get(service) ?? '';
}

function memberRows({ node, status }: SpeakerView): string[][] {
  return status.ok ? [[node, describeMembers(status.value)]] : [];
}

/** Counts the members that are alive and names the others. */
function describeMembers({ usesLayer2, members }: SpeakerStatus): string {
  if (usesLayer2 === false && members.length === 0) return 'layer 2 is not used';
  const others = members
    .filter(({ state }) => state !== 'alive')
    .map(({ node, state }) => `${node} ${state}`)
    .sort();
  return [`${members.length - others.length} alive`, ...others].join(', ');
}

function sessionRows({ node, status }: SpeakerView): string[][] {
  if (!status.ok) return [[node, '', 'speaker not reached', '', '', status.error]];
  return status.value.peers.map((peer) => {
    const error = peer.lastError === undefined ? '' : `${peer.lastErrorAt ?? ''} ${peer.lastError}`.trim();
    const notes = [...peer.warnings, error].filter(Boolean).join('; ');
    return [node, peer.name, peer.subState ?? peer.state, peer.since, routeCount(peer), notes];
  });
}

/** The table of BFD sessions; absent while there are none. */
function bfdSection({ speakers }: ClusterView): string[] {
  const rows = speakers.flatMap(({ node, status }) =>
    status.ok
      ? status.value.peers.flatMap((peer) => (peer.bfd ? [bfdRow(node, peer.name, peer.bfd)] : []))
      : [],
  );
  if (rows.length === 0) return [];
  return [formatTable(['node', 'peer', 'bfd', 'since', 'interval', 'detection', 'downs', 'notes'], rows)];
}

type PeerBfd = NonNullable<SpeakerStatus['peers'][number]['bfd']>;

function bfdRow(node: string, peer: string, bfd: PeerBfd): string[] {
  const reason =
    bfd.state === 'Up' ? [] : [`${bfd.diagnostic} (peer: ${bfd.remoteState}, ${bfd.remoteDiagnostic})`];
  const notes = [...(bfd.problem === undefined ? [] : [bfd.problem]), ...bfd.warnings, ...reason].join('; ');
  const detection = bfd.detectionTimeMs === 0 ? '' : `${bfd.detectionTimeMs} ms`;
  return [
    node,
    peer,
    bfd.state,
    bfd.since,
    `${bfd.transmitIntervalMs} ms`,
    detection,
    String(bfd.downs),
    notes,
  ];
}

function routeCount({ routesSent, routesDesired }: SpeakerStatus['peers'][number]): string {
  return routesDesired === undefined || routesDesired === routesSent
    ? String(routesSent)
    : `${routesSent} of ${routesDesired}`;
}

function troublesOf({ node, status }: SpeakerView, accepted: AcceptedConfig | undefined): string[] {
  if (!status.ok) return [];
  const { config, apiServer, waitingFor, troubles } = status.value;
  const found = [...troubles];
  if (waitingFor.length > 0) found.push(`not in sync: it waits for ${waitingFor.join(', ')}`);
  if (apiServer !== 'reached') found.push('it cannot reach the API server');
  if (config && accepted && config.hash !== accepted.hash)
    found.push(
      `it runs configuration ${config.hash}, accepted at ${config.acceptedAt}, instead of ${accepted.hash}`,
    );
  return found.map((trouble) => `${node}: ${trouble}`);
}
