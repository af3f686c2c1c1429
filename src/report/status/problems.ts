/** The list of all problems of a cluster. `bellman status --problems` prints it, and `bellman explain` names those of its address. Pure. */
import { type AcceptedConfig, recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import type { SpeakerStatus } from '../../cluster/status.ts';
import { poolIndexOf } from '../../config/index.ts';
import { objectKey } from '../../kubernetes/model.ts';
import { withoutApiServer, withoutToken } from '../daemon-faults.ts';
import { addressFindings } from './announcers.ts';
import { describeConfiguration, describeController } from './control.ts';
import { deadNodeTroubles } from './dead-nodes.ts';
import type { ClusterView, SpeakerView } from './view.ts';
import { lackReason, membershipPort, shortList, waitingReason } from './words.ts';

export const problemKinds = [
  'configuration',
  'controller',
  'speaker',
  'membership',
  'node',
  'session',
  'bfd',
  'service',
  'address',
] as const;
export type ProblemKind = (typeof problemKinds)[number];

export interface Problem {
  readonly kind: ProblemKind;
  /** The node, peer or address; `namespace/name` of a Service or ConfigMap; Bellman's namespace for any other problem of the whole cluster. */
  readonly object: string;
  /** One sentence, without a full stop. */
  readonly text: string;
  /**
   * Nodes that report the problem, or the node whose speaker was not reached. Empty for problems of the whole cluster, of dead nodes, and of
   * Services and their addresses.
   */
  readonly nodes: readonly string[];
}

/** All problems. The problems of the whole cluster come first, because they often cause the others. */
export function problemsOf(view: ClusterView): Problem[] {
  const accepted = recallAcceptedConfig(view.configMap, view.acceptedCopy);
  return [...clusterProblems(view, accepted), ...serviceProblems(view, accepted)];
}

/** The problems that do not belong to one Service. */
export function clusterProblems(view: ClusterView, accepted: AcceptedConfig | undefined): Problem[] {
  return [
    ...controlProblems(view, accepted),
    ...view.speakers
      .filter((speaker) => !isExplainedByViewer(speaker, view))
      .flatMap((speaker) => speakerProblems(speaker, accepted)),
    ...viewerTroubles(view).map((text) => problem('speaker', view.namespace, text)),
    ...membershipProblems(view.speakers),
    ...deadNodeTroubles(view).map(({ node, text }) => problem('node', node || view.namespace, text)),
    ...sessionProblems(view.speakers),
    ...bfdProblems(view.speakers),
  ];
}

function controlProblems(view: ClusterView, accepted: AcceptedConfig | undefined): Problem[] {
  const configuration = describeConfiguration(view, accepted);
  const controller = describeController(view);
  return [
    ...(configuration.isAsDesired
      ? []
      : [problem('configuration', `${view.namespace}/config`, oneLine(configuration.text))]),
    ...(controller.isAsDesired ? [] : [problem('controller', view.namespace, controller.text)]),
  ];
}

function speakerProblems({ node, status }: SpeakerView, accepted: AcceptedConfig | undefined): Problem[] {
  if (!status.ok) {
    const text =
      status.error === withoutApiServer
        ? `node ${node} cannot reach the API server; its speaker runs, but cannot check our token`
        : `the speaker of node ${node} was not reached: ${status.error}`;
    return [problem('speaker', node, text, [node])];
  }
  return [...troublesOf(status.value, accepted), ...drainTroubles(status.value)].map((trouble) =>
    problem('speaker', node, `node ${node}: ${trouble}`, [node]),
  );
}

/** The addresses that a leaving node keeps because of the floor. This is not a fault of the speaker, so `troublesOf` leaves it out. */
function drainTroubles({ leaving }: SpeakerStatus): string[] {
  const held = leaving?.heldByFloor ?? [];
  if (held.length === 0) return [];
  return [
    `it leaves, but keeps announcing ${shortList(held)}, because too few other nodes could announce ${held.length > 1 ? 'them' : 'it'}`,
  ];
}

/** Whether a speaker was not reached only because this command has no token. The missing token is one problem for all nodes. */
function isExplainedByViewer(
  { status }: SpeakerView,
  { viewerProblem }: Pick<ClusterView, 'viewerProblem'>,
): boolean {
  return viewerProblem !== undefined && !status.ok && status.error === withoutToken;
}

/** Why this command has no token of the viewer account. Empty when every speaker was reached, because then no token was needed. */
export function viewerTroubles({ viewerProblem, speakers }: ClusterView): string[] {
  return viewerProblem !== undefined && speakers.some(({ status }) => !status.ok) ? [viewerProblem] : [];
}

/**
 * The faults that a speaker reports, and how it lags behind the cluster: it has not read everything, does not reach the API server, or runs
 * another configuration. Sentences without a full stop.
 */
export function troublesOf(status: SpeakerStatus, accepted: AcceptedConfig | undefined): string[] {
  const { config, apiServer, waitingFor, troubles } = status;
  const found = [...troubles];
  if (waitingFor.length > 0) found.push(`not in sync: it waits for ${waitingFor.join(', ')}`);
  if (apiServer !== 'reached') found.push('it cannot reach the API server');
  if (config && accepted && config.hash !== accepted.hash)
    found.push(
      `it runs configuration ${config.hash}, accepted at ${config.acceptedAt}, instead of ${accepted.hash}`,
    );
  return found;
}

/** Speakers that this command has reached, but that other speakers do not hear. A speaker that was not reached is a problem by itself. */
function membershipProblems(speakers: readonly SpeakerView[]): Problem[] {
  const unheardBy = new Map<string, string[]>();
  for (const { node, status } of speakers)
    if (status.ok)
      for (const member of status.value.members)
        if (member.state === 'dead' || member.state === 'suspect')
          unheardBy.set(member.node, [...(unheardBy.get(member.node) ?? []), node]);
  return speakers.flatMap(({ node, status }) => {
    const by = unheardBy.get(node);
    if (!status.ok || !by) return [];
    const text = `the speaker of node ${node} runs, but ${shortList(by)} ${by.length > 1 ? 'do' : 'does'} not hear it; ${membershipPort(status.value)} must be open between all nodes`;
    return [problem('membership', node, text, by)];
  });
}

type Peer = SpeakerStatus['peers'][number];

/**
 * The sessions that are not up or have not sent all routes. When the sessions of several nodes with one peer fail for the same reason, they
 * are one problem.
 */
export function sessionProblems(speakers: readonly SpeakerView[]): Problem[] {
  return grouped(speakers, 'session', (peer) => {
    if (peer.state === 'Established') {
      const { routesSent, routesDesired = routesSent } = peer;
      return routesSent < routesDesired
        ? [
            `only ${routesSent} of ${routesDesired} routes are sent${peer.warnings.map((text) => `; ${text}`).join('')}`,
          ]
        : [];
    }
    const reasons = [...peer.warnings, ...(peer.lastError === undefined ? [] : [peer.lastError])];
    const reason = reasons.length === 0 ? 'no error is recorded yet' : reasons.join('; ');
    return [`the session is not up: ${reason}`];
  });
}

function bfdProblems(speakers: readonly SpeakerView[]): Problem[] {
  return grouped(speakers, 'bfd', ({ bfd }) => {
    if (!bfd || bfd.state === 'Up') return [];
    const reason = bfd.problem ?? `${bfd.diagnostic} (peer: ${bfd.remoteState}, ${bfd.remoteDiagnostic})`;
    return [`BFD is ${bfd.state}: ${reason}`];
  });
}

/** One problem for each peer and text, with all nodes that report it. */
function grouped(
  speakers: readonly SpeakerView[],
  kind: 'session' | 'bfd',
  textsOf: (peer: Peer) => readonly string[],
): Problem[] {
  const found = new Map<string, { peer: string; text: string; nodes: string[] }>();
  for (const { node, status } of speakers)
    if (status.ok)
      for (const peer of status.value.peers)
        for (const text of textsOf(peer)) {
          const key = `${peer.name}\n${text}`;
          const group = found.get(key) ?? { peer: peer.name, text, nodes: [] };
          group.nodes.push(node);
          found.set(key, group);
        }
  return [...found.values()].map(({ peer, text, nodes }) =>
    problem(kind, peer, `peer ${peer} at ${shortList(nodes)}: ${text}`, nodes),
  );
}

function serviceProblems(view: ClusterView, accepted: AcceptedConfig | undefined): Problem[] {
  const index = accepted && poolIndexOf(accepted.config);
  return view.services.flatMap((service): Problem[] => {
    const key = objectKey(service);
    if (service.ingress.length === 0) {
      const reason = waitingReason(key, view) || 'no controller has decided about it';
      return [problem('service', key, `Service ${key} waits for an address: ${reason}`)];
    }
    const lack = lackProblemText(key, view);
    return [
      ...(lack === undefined ? [] : [problem('service', key, lack)]),
      ...addressFindings(service, view, index).flatMap(({ address, text, isAsDesired }) =>
        isAsDesired
          ? []
          : [problem('address', address, `nodes that announce ${address} of Service ${key}: ${text}`)],
      ),
    ];
  });
}

/** The problem of a Service that has an address but lacks a further one; `undefined` when it lacks none. */
export function lackProblemText(service: string, view: Pick<ClusterView, 'controller'>): string | undefined {
  const reason = lackReason(service, view);
  return reason === undefined
    ? undefined
    : `Service ${service} lacks an address that it needs or asks for: ${reason}`;
}

function problem(kind: ProblemKind, object: string, text: string, nodes: readonly string[] = []): Problem {
  return { kind, object, text, nodes };
}

function oneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .join('; ');
}
