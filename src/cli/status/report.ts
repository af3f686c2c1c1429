/** Writes the state of the cluster as text. Pure. */
import type { SpeakerStatus } from '../../cluster/status.ts';
import type { Service } from '../../kubernetes/model.ts';
import type { Problem } from '../../report/status/problems.ts';
import {
  type AddressValue,
  type NodeValue,
  type PoolValue,
  type StatusValue,
  statusValue,
} from '../../report/status/value.ts';
import type { ClusterView } from '../../report/status/view.ts';
import { formatTable } from './table.ts';

/** The report and its verdict, as {@link statusValue} defines it. */
export function statusReport(
  view: ClusterView,
  isShown?: (service: Service) => boolean,
): { readonly text: string; readonly healthy: boolean } {
  const value = statusValue(view, isShown);
  return { text: formatStatus(value, 'text'), healthy: value.healthy };
}

/** `wide` adds columns to the table of addresses. */
export function formatStatus(value: StatusValue, format: 'text' | 'wide'): string {
  const { configuration, controller, pools, addresses, nodes, troubles, warnings } = value;
  const isWide = format === 'wide';
  const sections = [
    `configuration: ${configuration.text}\ncontroller: ${controller.text}`,
    formatTable(['pool', 'protocol', 'family', 'addresses', 'in use', 'free'], pools.map(poolRow)),
    formatTable(
      ['service', 'address', 'pool', ...(isWide ? ['policy', 'as desired'] : []), 'announced by'],
      addresses.map((address) => addressRow(address, isWide)),
    ),
    formatTable(['node', 'peer', 'state', 'since', 'routes', 'last error'], nodes.flatMap(sessionRows)),
    ...bfdSection(nodes),
    ...leavingSection(nodes),
    formatTable(['node', 'other speakers'], nodes.flatMap(memberRows)),
    ...(troubles.length > 0 ? [troubles.join('\n')] : []),
    ...warningSection(warnings),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** The list of problems, or one line if there are none. The warnings follow. */
export function formatProblems(problems: readonly Problem[], warnings: readonly string[]): string {
  const table =
    problems.length === 0
      ? 'no problems'
      : formatTable(
          ['problem', 'object', 'detail'],
          problems.map(({ kind, object, text }) => [kind, object, text]),
        );
  return `${[table, ...warningSection(warnings)].join('\n\n')}\n`;
}

function warningSection(warnings: readonly string[]): string[] {
  return warnings.length > 0 ? [warnings.map((warning) => `warning: ${warning}`).join('\n')] : [];
}

function poolRow({ pool, protocol, family, addresses, inUse, free, draining }: PoolValue): string[] {
  return [pool, protocol, family, addresses, inUse, draining ? '0, draining' : free];
}

function addressRow(
  { service, address, pool, externalTrafficPolicy, isAsDesired, text }: AddressValue,
  isWide: boolean,
): string[] {
  return [
    service,
    address ?? '<pending>',
    pool,
    ...(isWide ? [externalTrafficPolicy, isAsDesired ? 'yes' : 'no'] : []),
    text,
  ];
}

function memberRows(value: NodeValue): string[][] {
  return value.notReached === undefined ? [[value.node, describeMembers(value)]] : [];
}

/** Counts the members that are alive and names the others. */
function describeMembers({ usesLayer2, members }: NodeValue): string {
  if (usesLayer2 === false && members.length === 0) return 'layer 2 is not used';
  const others = members
    .filter(({ state }) => state !== 'alive')
    .map(({ node, state }) => `${node} ${state}`)
    .sort();
  return [`${members.length - others.length} alive`, ...others].join(', ');
}

function sessionRows({ node, notReached, peers }: NodeValue): string[][] {
  if (notReached !== undefined) return [[node, '', 'speaker not reached', '', '', notReached]];
  return peers.map((peer) => {
    const error = peer.lastError === undefined ? '' : `${peer.lastErrorAt ?? ''} ${peer.lastError}`.trim();
    const notes = [...peer.warnings, error].filter(Boolean).join('; ');
    return [node, peer.name, peer.subState ?? peer.state, peer.since, routeCount(peer), notes];
  });
}

/** The table of BFD sessions; absent while there are none. */
function bfdSection(nodes: readonly NodeValue[]): string[] {
  const rows = nodes.flatMap(({ node, peers }) =>
    peers.flatMap((peer) => (peer.bfd ? [bfdRow(node, peer.name, peer.bfd)] : [])),
  );
  if (rows.length === 0) return [];
  return [formatTable(['node', 'peer', 'bfd', 'since', 'interval', 'detection', 'downs', 'notes'], rows)];
}

/** The table of nodes that leave; absent while no node leaves. */
function leavingSection(nodes: readonly NodeValue[]): string[] {
  const rows = nodes.flatMap(({ node, leaving }) => {
    if (!leaving) return [];
    const { cause, reason, since, draining, heldByFloor } = leaving;
    const counts = [
      ...(draining.length > 0 ? [`drains ${draining.length}`] : []),
      ...(heldByFloor.length > 0 ? [`keeps ${heldByFloor.length}: too few other nodes`] : []),
    ];
    return [[node, cause, since, counts.join(', '), `it ${reason}`]];
  });
  if (rows.length === 0) return [];
  return [formatTable(['node', 'leaving', 'since', 'addresses', 'reason'], rows)];
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
