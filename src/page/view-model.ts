/** Makes the data of the page from the state of the cluster. The judgements are those of `bellman status`. Pure. */

import { type AcceptedConfig, recallAcceptedConfig } from '../cluster/accepted-config.ts';
import type { SpeakerStatus } from '../cluster/status.ts';
import { isAnnouncedByBgp } from '../report/status/announcers.ts';
import { describeController } from '../report/status/control.ts';
import { type Problem, problemsOf, troublesOf } from '../report/status/problems.ts';
import { statusValue } from '../report/status/value.ts';
import type { ClusterView, SpeakerView } from '../report/status/view.ts';
import {
  maxProblems,
  type PageData,
  type PageFinding,
  type PageNode,
  type PageSession,
} from './page-data.ts';

/**
 * `release` is the version of this program. The data depends on the time only when no replica leads, because the data may then say how long ago
 * the Lease was renewed. Otherwise, the data depends only on the state of the cluster. While that state does not change, a browser therefore gets
 * the answer 304 instead of the data.
 */
export function pageData(view: ClusterView, release: string): PageData {
  const accepted = recallAcceptedConfig(view.configMap, view.acceptedCopy);
  const { configuration, pools, addresses } = statusValue(view);
  const problems = problemsOf(view);
  const faults = faultsOf(problems, view.namespace);
  return {
    release,
    namespace: view.namespace,
    configuration,
    leader: leaderOf(view),
    problems: problems.slice(0, maxProblems).map(({ kind, object, text }) => ({ kind, object, text })),
    problemCount: problems.length,
    pools,
    addresses: addresses.map(({ externalTrafficPolicy, ...rest }) => ({
      ...rest,
      policy: externalTrafficPolicy,
    })),
    nodes: view.speakers.map((speaker) => pageNode(speaker, accepted, faults)),
  };
}

/** The nodes and the sessions that problems name. */
interface Faults {
  readonly nodes: ReadonlySet<string>;
  readonly sessions: ReadonlySet<string>;
}

const sessionKey = (node: string, peer: string) => `${node}\n${peer}`;

/**
 * A problem of the whole cluster has Bellman's namespace as its object. A node may have the same name, so an object with this name does not count
 * as a node.
 */
function faultsOf(problems: readonly Problem[], namespace: string): Faults {
  const ofNodes = problems.filter(({ kind }) => kind !== 'service' && kind !== 'address');
  const ofSessions = ofNodes.filter(({ kind }) => kind === 'session' || kind === 'bfd');
  return {
    // The object of a problem with a session is the peer. A peer may have the same name as a node.
    nodes: new Set(
      ofNodes.flatMap(({ kind, object, nodes }) =>
        kind === 'session' || kind === 'bfd' || object === namespace ? nodes : [object, ...nodes],
      ),
    ),
    sessions: new Set(
      ofSessions.flatMap(({ object, nodes }) => nodes.map((node) => sessionKey(node, object))),
    ),
  };
}

/** Leaves out how long ago the leader renewed its Lease, because that time differs in each view of the same state. */
function leaderOf(view: ClusterView): PageFinding {
  const finding = describeController(view);
  if (!finding.isAsDesired || !view.lease) return finding;
  const waiting = view.controller?.waitingFor ?? [];
  const sync = waiting.length === 0 ? '' : `; still reads ${waiting.join(', ')}`;
  // The holder is the name of a Pod, an underscore and a random part.
  return { text: `${view.lease.holder.replace(/_[^_]+$/, '')}${sync}`, isAsDesired: true };
}

const unknownNode = {
  ...{ links: [], answers: 0, advertises: 0, sessions: [], members: 0 },
  ...{ missingMembers: [], troubles: [] },
} as const;

function pageNode(
  { node, status }: SpeakerView,
  accepted: AcceptedConfig | undefined,
  faults: Faults,
): PageNode {
  if (!status.ok) return { node, notReached: status.error, isAsDesired: false, ...unknownNode };
  const { announcing, advertised, links = [], peers, members, leaving } = status.value;
  const missing = members.filter(({ state }) => state !== 'alive');
  return {
    node,
    links,
    answers: Object.keys(announcing).length,
    advertises: Object.keys(advertised).filter((address) => isAnnouncedByBgp(status.value, address)).length,
    sessions: peers.map((peer) => pageSession(peer, !faults.sessions.has(sessionKey(node, peer.name)))),
    members: members.length - missing.length,
    missingMembers: missing.map((member) => `${member.node} (${member.state})`).sort(),
    isAsDesired: !faults.nodes.has(node),
    ...(leaving && { leaving: leavingText(leaving) }),
    troubles: troublesOf(status.value, accepted),
  };
}

function leavingText({
  reason,
  since,
  draining,
  heldByFloor,
}: NonNullable<SpeakerStatus['leaving']>): string {
  return [
    `it ${reason} since ${since}`,
    ...(draining.length === 0 ? [] : [`drains ${draining.length}`]),
    ...(heldByFloor.length === 0
      ? []
      : [`keeps ${heldByFloor.length}, because too few other nodes could announce them`]),
  ].join('; ');
}

function pageSession(
  {
    name,
    state,
    subState = state,
    since,
    routesSent,
    routesDesired = routesSent,
    ...peer
  }: SpeakerStatus['peers'][number],
  isAsDesired: boolean,
): PageSession {
  const { bfd, warnings, lastError, lastErrorAt = '' } = peer;
  const notes = [
    ...warnings,
    ...(lastError === undefined ? [] : [`${lastErrorAt} ${lastError}`.trim()]),
    ...(bfd && bfd.state !== 'Up' ? [`BFD: ${bfd.problem ?? bfd.diagnostic}`] : []),
  ].join('; ');
  return {
    ...{ peer: name, state: subState, since, routesSent, routesDesired, isAsDesired, notes },
    ...(bfd && { bfd: bfd.state === 'Up' ? `Up, ${bfd.detectionTimeMs} ms` : bfd.state }),
  };
}
