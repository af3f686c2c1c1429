/** What `bellman status` says of a cluster: text and verdict, pure. */
import { parseIp } from '../../address/index.ts';
import { type AcceptedConfig, recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { parseAnnouncing } from '../../cluster/announcing.ts';
import { acceptedConfigMapName, annotations, configMapName } from '../../cluster/names.ts';
import { type Config, comparePools, poolIndexOf, usableSize } from '../../config/index.ts';
import { type ConfigMap, objectKey, type Service } from '../../kubernetes/model.ts';
import { formatTable } from './table.ts';

/** What a speaker's `/status` says, as far as it is shown. */
export interface SpeakerStatus {
  readonly peers: readonly {
    readonly name: string;
    readonly state: string;
    readonly since: string;
    readonly routesSent: number;
    readonly warnings?: readonly string[];
    readonly lastError?: string;
    readonly lastErrorAt?: string;
  }[];
  /** Layer-2 addresses that it answers for. */
  readonly announcing: Readonly<Record<string, string>>;
  /** Layer-2 addresses that it would answer for if another host, named here, did not use them. */
  readonly inUse: Readonly<Record<string, string>>;
  /** Peers by address. */
  readonly advertised: Readonly<Record<string, readonly string[]>>;
  readonly members: readonly { readonly node: string; readonly state: string }[];
  readonly notAnnounced: readonly {
    readonly service: string;
    readonly address: string;
    readonly reason: string;
  }[];
  /** What keeps it from what the configuration asks for. */
  readonly troubles: readonly string[];
}

export interface ClusterView {
  readonly namespace: string;
  readonly configMap: ConfigMap | undefined;
  readonly acceptedCopy: ConfigMap | undefined;
  /** Of type LoadBalancer and of our class. */
  readonly services: readonly Service[];
  /** In order; a speaker that was not reached has no status. */
  readonly speakers: readonly { readonly node: string; readonly status: SpeakerStatus | undefined }[];
  /** Why speakers may refuse to show their state, in a sentence. */
  readonly viewerProblem?: string | undefined;
}

/** Nodes that are named before they are only counted. */
const namedNodes = 3;

/** `healthy` is false when the configuration is not in force as written, a Service has no address, or a speaker lacks something. */
export function statusReport(view: ClusterView): { readonly text: string; readonly healthy: boolean } {
  const accepted = recallAcceptedConfig(view.configMap, view.acceptedCopy);
  const { text: configuration, isActive } = describeConfiguration(view, accepted);
  const sections = [
    `configuration: ${configuration}`,
    formatTable(
      ['pool', 'protocol', 'family', 'addresses', 'in use', 'free'],
      poolRows(accepted?.config, view.services),
    ),
    formatTable(
      ['service', 'address', 'pool', 'announced by'],
      view.services.flatMap((service) => addressRows(service, view)),
    ),
    formatTable(
      ['node', 'peer', 'state', 'since', 'routes', 'last error'],
      view.speakers.flatMap(({ node, status }) => sessionRows(node, status)),
    ),
    formatTable(
      ['node', 'sees of other speakers'],
      view.speakers.flatMap(({ node, status }) => (status ? [[node, describeMembers(status.members)]] : [])),
    ),
  ];
  const troubles = view.speakers.flatMap(({ node, status }) =>
    (status?.troubles ?? []).map((trouble) => `${node}: ${trouble}`),
  );
  if (view.viewerProblem !== undefined && view.speakers.some(({ status }) => !status))
    troubles.push(view.viewerProblem);
  if (troubles.length > 0) sections.push(troubles.join('\n'));
  const isPending = view.services.some(({ ingress }) => ingress.length === 0);
  const healthy = isActive && !isPending && troubles.length === 0;
  return { text: `${sections.join('\n\n')}\n`, healthy };
}

function describeConfiguration(
  { namespace, configMap, acceptedCopy }: ClusterView,
  accepted: AcceptedConfig | undefined,
): { readonly text: string; readonly isActive: boolean } {
  if (!configMap) {
    const kept = accepted
      ? `; what was accepted as ${accepted.hash} at ${accepted.at} stays in force (kept on ${acceptedCopy?.name ?? acceptedConfigMapName})`
      : '';
    return { text: `ConfigMap ${namespace}/${configMapName} does not exist${kept}`, isActive: false };
  }
  const state = configMap.annotations[annotations.configStatus] ?? 'not judged yet';
  const what = accepted ? ` (accepted ${accepted.hash} at ${accepted.at})` : '';
  const error = configMap.annotations[annotations.configError];
  const text = `${state}${what}${error === undefined ? '' : `\n  ${error.replaceAll('\n', '\n  ')}`}`;
  return { text, isActive: state === 'active' };
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
      const { name, protocol } = pool;
      const free = used > size ? 0n : size - used;
      return size === 0n ? [] : [[name, protocol, `IPv${family}`, `${size}`, `${used}`, `${free}`]];
    }),
  );
}

function addressRows(service: Service, view: ClusterView): string[][] {
  const key = objectKey(service);
  if (service.ingress.length === 0) return [[key, '<pending>', '', '']];
  const pools = (service.annotations[annotations.pool] ?? '').split(',');
  return service.ingress.map(({ ip }, i) => [
    key,
    ip,
    pools[i] ?? pools[0] ?? '',
    announcedBy(service, ip, view.speakers),
  ]);
}

/** Who says of himself that he announces the address; the record on the Service counts where its node was not reached. */
function announcedBy(service: Service, address: string, speakers: ClusterView['speakers']): string {
  const recorded = parseAnnouncing(service).get(address);
  const answering = speakers.flatMap(({ node, status }) => (status?.announcing[address] ? [node] : []));
  if (answering.length > 0) {
    const [node] = answering;
    const where = recorded && recorded.node === node ? ` on ${recorded.interfaces.join(', ')}` : '';
    return answering.length === 1 ? `${node}${where}` : `${answering.join(' and ')}: more than one answers`;
  }
  for (const { node, status } of speakers)
    if (status?.inUse[address])
      return `nobody: another host uses it, as ${node} sees: ${status.inUse[address]}`;
  const advertising = speakers.flatMap(({ node, status }) => {
    const peers = status?.advertised[address] ?? [];
    return peers.length === 0 ? [] : [{ node, isUp: peers.some((peer) => isEstablished(status, peer)) }];
  });
  const up = advertising.filter(({ isUp }) => isUp).map(({ node }) => node);
  if (up.length > 0) return `${nodeList(up)} by BGP`;
  const unreached = speakers.filter(({ status }) => !status).map(({ node }) => node);
  if (recorded && unreached.includes(recorded.node))
    return `${recorded.node} on ${recorded.interfaces.join(', ')}, as recorded: its speaker was not reached`;
  if (unreached.length > 0) return `unknown: ${nodeList(unreached)} not reached`;
  if (advertising.length > 0) return 'nobody: no BGP session to announce it to is up';
  return `nobody: ${whyNobody(objectKey(service), address, speakers)}`;
}

function isEstablished(status: SpeakerStatus | undefined, peer: string): boolean {
  return status?.peers.some(({ name, state }) => name === peer && state === 'Established') ?? false;
}

/** The reason that most speakers give. */
function whyNobody(service: string, address: string, speakers: ClusterView['speakers']): string {
  const counts = new Map<string, number>();
  for (const { status } of speakers)
    for (const each of status?.notAnnounced ?? [])
      if (each.service === service && each.address === address)
        counts.set(each.reason, (counts.get(each.reason) ?? 0) + 1);
  const [first] = [...counts].sort(([, a], [, b]) => b - a);
  if (!first) return 'no speaker that may has a link for it, or it was just added';
  return counts.size === 1 ? first[0] : `${first[0]}; the other nodes have reasons of their own`;
}

/** Those that are not alive by name. */
function describeMembers(members: SpeakerStatus['members']): string {
  const others = members
    .filter(({ state }) => state !== 'alive')
    .map(({ node, state }) => `${node} ${state}`)
    .sort();
  return [`${members.length - others.length} alive`, ...others].join(', ');
}

function nodeList(nodes: readonly string[]): string {
  if (nodes.length <= namedNodes + 1) return nodes.join(', ');
  return `${nodes.slice(0, namedNodes).join(', ')} and ${nodes.length - namedNodes} more`;
}

function sessionRows(node: string, status: SpeakerStatus | undefined): string[][] {
  if (!status) return [[node, '', 'speaker not reached', '', '', '']];
  return status.peers.map(({ name, state, since, routesSent, warnings, lastError, lastErrorAt }) => {
    const error = lastError === undefined ? '' : `${lastErrorAt ?? ''} ${lastError}`.trim();
    const notes = [...(warnings ?? []), error].filter(Boolean).join('; ');
    return [node, name, state, since, String(routesSent), notes];
  });
}
