/** Why an address is not announced, or what is wrong with an announced one. The most important cause comes first. Pure. */
import type { AcceptedConfig } from '../../cluster/accepted-config.ts';
import type { Protocol } from '../../config/index.ts';
import type { Service } from '../../kubernetes/model.ts';
import { withoutApiServer, withoutToken } from '../daemon-faults.ts';
import { clusterProblems, type Problem, sessionProblems } from '../status/problems.ts';
import { significanceOf } from '../status/significance.ts';
import type { ClusterView } from '../status/view.ts';
import { membershipPort, namedItems, shortList } from '../status/words.ts';
import type { Cause, NodeExplanation, NodeRefusalExplanation, Verdict } from './explanation.ts';
import { affinityGuide, remedyFor } from './remedies.ts';

export interface CauseInput {
  readonly verdict: Verdict;
  readonly service: Pick<Service, 'sessionAffinity'>;
  readonly nodes: readonly NodeExplanation[];
  readonly view: ClusterView;
  readonly accepted: AcceptedConfig | undefined;
}

export function causesOf(input: CauseInput): Cause[] {
  const own = input.verdict === 'announced' ? flawsOf(input) : obstaclesOf(input);
  const known = new Set(own.map(({ text }) => text));
  const others = relatedProblems(input).filter(({ text }) => !known.has(text));
  return [...own, ...others.map(({ text }) => ({ text }))];
}

/** The flaws of an address that is announced. */
function flawsOf({ nodes, service, view }: CauseInput): Cause[] {
  return [...layer2Flaws(nodes, view), ...affinityFlaws(nodes, service)];
}

/** If several nodes announce an address, session affinity may fail, because kube-proxy keeps the affinity on each node separately. */
function affinityFlaws(
  nodes: readonly NodeExplanation[],
  { sessionAffinity }: CauseInput['service'],
): Cause[] {
  const announcers = nodes.filter(isAnnouncingByBgp);
  if (sessionAffinity === undefined || announcers.length < 2) return [];
  return [
    {
      text: `${announcers.length} nodes announce it by BGP, so a client keeps its Pod only if the routers send all its connections to one node`,
      field: 'Service spec.sessionAffinity',
      remedy: `let the routers hash addresses without ports; ${affinityGuide} says how, and what else helps`,
    },
  ];
}

/** Whether the node announces the address over a session that carries it. */
export function isAnnouncingByBgp({ bgp }: NodeExplanation): boolean {
  return bgp?.peers.some(({ carried }) => carried) ?? false;
}

function layer2Flaws(nodes: readonly NodeExplanation[], { speakers }: ClusterView): Cause[] {
  const owners = nodes.filter(({ layer2 }) => layer2?.ownerSince !== undefined).map(({ node }) => node);
  const unverified = nodes.flatMap(({ node, layer2 }) =>
    layer2?.unverifiedBy === undefined
      ? []
      : [
          {
            text: `node ${node} answers for it, but no answer reaches ${layer2.unverifiedBy}`,
            remedy:
              'look for a filter on that node, or at its port of the switch, that drops ARP or Neighbour Discovery',
          },
        ],
  );
  if (owners.length < 2) return unverified;
  const owner = speakers.find(({ node }) => owners.includes(node))?.status;
  const port = membershipPort(owner?.ok ? owner.value : {});
  return [
    ...unverified,
    {
      text: `${shortList(owners)} answer for it at the same time, because their speakers do not hear each other`,
      remedy: `open ${port} between all nodes, and look at bellman trace membership`,
    },
  ];
}

function obstaclesOf({ nodes, view }: CauseInput): Cause[] {
  const unreached = nodes.filter(({ notReached, ...node }) => notReached !== undefined && mayAnnounce(node));
  const conflict = nodes.find(({ layer2 }) => layer2?.usedBy !== undefined);
  const waiting = nodes.filter(({ notReached, ...node }) => notReached === undefined && mayAnnounce(node));
  const peers = new Set(waiting.flatMap(({ bgp }) => (bgp?.peers ?? []).map(({ peer }) => peer)));
  const found: Cause[] = unreachedCauses(unreached, view);
  if (conflict)
    found.push({
      text: `another host uses the address: ${conflict.layer2?.usedBy} of node ${conflict.node}`,
      remedy: 'remove the address from that host, or take it out of the pool',
    });
  for (const { object, text } of sessionProblems(view.speakers))
    if (peers.has(object)) found.push({ text, field: 'ConfigMap peers[]' });
  const refused = nodes.flatMap(refusalsOf);
  if (waiting.length === 0) found.push(...refusalCauses(refused));
  else if (found.length === 0) found.push(...stalledCauses(waiting, view));
  return found;
}

/** Why the state of an address is unknown: the speakers that do not say whether they announce it. */
function unreachedCauses(
  nodes: readonly NodeExplanation[],
  { namespace, viewerProblem }: ClusterView,
): Cause[] {
  const isCutOff = ({ notReached }: NodeExplanation) => notReached === withoutApiServer;
  const cutOff = nodes.filter(isCutOff).map(({ node }) => node);
  const isRefusing = ({ notReached }: NodeExplanation) =>
    viewerProblem !== undefined && notReached === withoutToken;
  const silent = nodes.filter((node) => !isCutOff(node) && !isRefusing(node));
  const found: Cause[] = [];
  if (viewerProblem !== undefined && nodes.some(isRefusing))
    found.push({
      text: viewerProblem,
      remedy: `get the right to create tokens of this account, or run the command in a Pod of Bellman, as kubectl bellman does`,
    });
  if (cutOff.length > 0) {
    const speakers = cutOff.length > 1 ? 'their speakers run' : 'its speaker runs';
    found.push({
      text: `${shortList(cutOff)} cannot reach the API server: ${speakers}, but cannot check our token`,
      remedy:
        'make the API server reachable from there; meanwhile, /status of the speaker shows its state to a client on the node itself',
    });
  }
  if (silent.length > 0)
    found.push({
      text: `the speakers of nodes that may announce it were not reached: ${shortList(silent.map(({ node, notReached }) => `${node} (${notReached})`))}`,
      remedy: `look at the Pods of the speakers: kubectl -n ${namespace} get pods -o wide`,
    });
  return found;
}

/**
 * Why no node announces the address although some may: their speakers report a fault, have not seen the newest state of the cluster, or
 * have not elected an owner.
 */
function stalledCauses(waiting: readonly NodeExplanation[], view: ClusterView): Cause[] {
  const troubles = view.speakers.flatMap(({ node, status }) =>
    status.ok && waiting.some((each) => each.node === node)
      ? [
          ...status.value.troubles,
          ...status.value.waitingFor.map((kind) => `it has not read all ${kind}`),
        ].map((text) => ({ text: `node ${node}: ${text}` }))
      : [],
  );
  if (troubles.length > 0) return troubles;
  const state = `${shortList(waiting.map(({ node }) => node))} may announce it but ${waiting.length > 1 ? 'do' : 'does'} not yet`;
  if (!waiting.some(({ layer2 }) => layer2?.eligible))
    return [
      {
        text: `${state}: ${waiting.length > 1 ? 'their speakers have' : 'its speaker has'} not seen the newest state of the cluster`,
        remedy: 'run the command again in a few seconds; then look at the logs of these speakers',
      },
    ];
  return [
    {
      text: `${state}: the speakers are still electing an owner, or too few speakers hear each other`,
      remedy: 'run the command again in a few seconds; then look at bellman trace membership',
    },
  ];
}

/** Whether the node may announce the address, in layer 2 or by BGP. */
export function mayAnnounce({ layer2, bgp }: Pick<NodeExplanation, 'layer2' | 'bgp'>): boolean {
  return layer2?.eligible === true || bgp?.eligible === true;
}

interface NodeRefusal extends NodeRefusalExplanation {
  readonly node: string;
  readonly protocol: Protocol;
}

function refusalsOf({ node, layer2, bgp }: NodeExplanation): NodeRefusal[] {
  return [
    ...(layer2?.refusal ? [{ node, protocol: 'layer2' as const, ...layer2.refusal }] : []),
    ...(bgp?.refusal ? [{ node, protocol: 'bgp' as const, ...bgp.refusal }] : []),
  ];
}

/** Turns refusals into causes. Refusals with the same cause and the same field become one. */
function refusalCauses(refusals: readonly NodeRefusal[]): Cause[] {
  const groups = Map.groupBy(refusals, ({ cause, field }) => `${cause}\n${field}`);
  return [...groups.values()]
    .sort(([a], [b]) => significanceOf(a?.cause) - significanceOf(b?.cause))
    .flatMap((group) => {
      const [first] = group;
      if (!first) return [];
      const remedy = remedyFor(first);
      const { field } = first;
      return [
        {
          text: refusalText(group),
          ...(field === undefined ? {} : { field }),
          ...(remedy === undefined ? {} : { remedy }),
        },
      ];
    });
}

/** Joins the different reasons of a group. The name of the node is added to a reason that does not contain it. */
function refusalText(group: readonly NodeRefusal[]): string {
  const reasons = [...new Set(group.map(({ reason }) => reason))];
  const [only] = reasons;
  if (reasons.length === 1 && only !== undefined) {
    const nodes = [...new Set(group.map(({ node }) => node))];
    return nodes.some((node) => isNamedIn(only, node)) ? only : `${only} (${shortList(nodes)})`;
  }
  const texts = [
    ...new Set(group.map(({ node, reason }) => (isNamedIn(reason, node) ? reason : `${node}: ${reason}`))),
  ];
  const more = texts.length > namedItems ? `; and ${texts.length - namedItems} more` : '';
  return `${texts.slice(0, namedItems).join('; ')}${more}`;
}

/** Whether a text contains the name of a node as a whole word, perhaps at the end of a sentence. */
function isNamedIn(text: string, node: string): boolean {
  return text.split(/[^a-z0-9.-]+/).some((word) => word === node || word === `${node}.`);
}

/**
 * Problems that concern the address: those of the whole cluster, of dead nodes, and of the nodes and peers of the address. For a layer-2
 * address, also those of the membership.
 */
function relatedProblems({ nodes, view, accepted }: CauseInput): Problem[] {
  const concerned = new Set(nodes.filter((node) => mayAnnounce(node)).map(({ node }) => node));
  const peers = new Set(nodes.flatMap(({ bgp }) => (bgp?.peers ?? []).map(({ peer }) => peer)));
  const usesLayer2 = nodes.some(({ layer2 }) => layer2 !== undefined);
  return clusterProblems(view, accepted).filter(({ kind, object, nodes: at }) => {
    switch (kind) {
      case 'session':
      case 'bfd':
        return peers.has(object);
      case 'membership':
        return usesLayer2;
      case 'speaker':
        return at.length === 0 || at.some((node) => concerned.has(node));
      default:
        return true;
    }
  });
}
