/**
 * Explains why an address is announced or not. Pure: facts in, explanation out.
 *
 *   the plan of each node (`node-plan.ts`) ──┐
 *   what each speaker reports ───────────────┼→ nodes.ts ─→ verdict ─→ causes.ts ─→ Explanation
 *   configuration, Lease, Service, events ───┘
 *
 * Whether a node may announce follows from `planService`, which the speakers run too. If a speaker was reached, its report overrides this
 * plan. The speaker announces by the state of the cluster that it has seen, and this state may be older than ours.
 */
import { formatIp, parseIp } from '../../address/index.ts';
import { type AcceptedConfig, recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { parseAnnouncing } from '../../cluster/announcing.ts';
import { loadBalancerClassMatches } from '../../cluster/service-class.ts';
import { poolIndexOf } from '../../config/index.ts';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import { clusterProblems, lackProblemText } from '../status/problems.ts';
import { shortList, waitingReason } from '../status/words.ts';
import { causesOf, isAnnouncingByBgp, mayAnnounce } from './causes.ts';
import {
  type AddressExplanation,
  type Cause,
  type Explanation,
  explanationVersion,
  type NodeExplanation,
  type Verdict,
} from './explanation.ts';
import type { ExplainFacts } from './facts.ts';
import { AddressPlanner } from './node-plan.ts';
import { explainNode } from './nodes.ts';
import { transitionsOf } from './transitions.ts';

export function explain(facts: ExplainFacts): Explanation {
  const { service, subject, address, cluster } = facts;
  const accepted = recallAcceptedConfig(cluster.configMap, cluster.acceptedCopy);
  const base = { version: explanationVersion, subject } as const;
  if (!service)
    return { ...base, verdict: 'not announced', causes: [absentCause(facts, accepted)], addresses: [] };
  const named = { ...base, service: objectKey(service) };
  const foreign = foreignCause(service, facts);
  if (foreign) return { ...named, verdict: 'not announced', causes: [foreign], addresses: [] };
  const addresses = service.ingress
    .filter(({ ip }) => address === undefined || ip === address)
    .map(({ ip }) => explainAddress(ip, service, facts, accepted))
    .map((each) => ({ ...each, causes: [...each.causes, ...lackCauses(service, facts)] }));
  if (addresses.length === 0)
    return { ...named, verdict: 'not announced', causes: waitingCauses(service, facts, accepted), addresses };
  return { ...named, verdict: worst(addresses), causes: [], addresses };
}

function worst(addresses: readonly AddressExplanation[]): Verdict {
  const order: readonly Verdict[] = ['not announced', 'unknown', 'announced'];
  return order.find((verdict) => addresses.some((each) => each.verdict === verdict)) ?? 'unknown';
}

function absentCause({ subject, address }: ExplainFacts, accepted: AcceptedConfig | undefined): Cause {
  if (address === undefined)
    return {
      text: `Service ${subject} does not exist`,
      remedy:
        'correct the name, or give the namespace with -n; kubectl get services --all-namespaces lists all Services',
    };
  const ip = parseIp(address);
  const pool = ip && accepted && poolIndexOf(accepted.config).poolOf(ip);
  const where = pool ? `pool ${pool.name} holds it` : 'no pool of the accepted configuration holds it';
  return {
    text: `no Service has the address ${address}; ${where}`,
    field: 'Service status.loadBalancer.ingress',
  };
}

/** Why the Service does not belong to Bellman. */
function foreignCause(service: Service, { cluster, loadBalancerClass }: ExplainFacts): Cause | undefined {
  if (service.deleting)
    return { text: 'the Service is being deleted', field: 'Service metadata.deletionTimestamp' };
  if (service.type !== 'LoadBalancer')
    return {
      text: `the Service has the type ${service.type}; Bellman serves only the type LoadBalancer`,
      field: 'Service spec.type',
      remedy: 'set type: LoadBalancer',
    };
  const served = servedClass(cluster.speakers) ?? loadBalancerClass;
  if (loadBalancerClassMatches(service, served)) return undefined;
  const own = service.loadBalancerClass === undefined ? 'no class' : `the class ${service.loadBalancerClass}`;
  const ours = served === undefined ? 'Services without a class' : `Services of the class ${served}`;
  return {
    text: `the Service has ${own}; Bellman serves only ${ours}`,
    field: 'Service spec.loadBalancerClass',
    remedy: `create the Service again ${served === undefined ? 'without a class' : `with the class ${served}`}, or set --load-balancer-class of all daemons`,
  };
}

function servedClass(speakers: ExplainFacts['cluster']['speakers']): string | undefined {
  for (const { status } of speakers) if (status.ok) return status.value.loadBalancerClass;
  return undefined;
}

const refusalRemedy = 'look for the refusal in docs/design/allocation.md, which gives the remedy of each';

/** Why a Service that has an address lacks another one. */
function lackCauses(service: Service, { cluster }: ExplainFacts): Cause[] {
  const text = lackProblemText(objectKey(service), cluster);
  return text === undefined ? [] : [{ text, remedy: refusalRemedy }];
}

/** Why the Service has no address. Without a leader, no Service gets an address, so the lack of a leader comes first. */
function waitingCauses(
  service: Service,
  { cluster }: ExplainFacts,
  accepted: AcceptedConfig | undefined,
): Cause[] {
  const key = objectKey(service);
  const problems = clusterProblems(cluster, accepted);
  const of = (kind: string) => problems.filter((each) => each.kind === kind).map(({ text }) => ({ text }));
  const refusal = waitingReason(key, cluster);
  const noLeader = of('controller').map((cause) => ({
    ...cause,
    field: 'Lease spec.renewTime',
    remedy: `look at the Pods of the controller: kubectl -n ${cluster.namespace} get pods`,
  }));
  const own: Cause[] =
    refusal === ''
      ? []
      : [
          {
            text: refusal,
            remedy: refusalRemedy,
          },
        ];
  const found = [...noLeader, ...own, ...of('configuration')];
  if (found.length > 0) return found;
  return [
    {
      text: 'the controller has not decided about the Service yet',
      remedy: 'run the command again in a few seconds; then look at the log of the controller',
    },
  ];
}

function explainAddress(
  text: string,
  service: Service,
  facts: ExplainFacts,
  accepted: AcceptedConfig | undefined,
): AddressExplanation {
  const { cluster, nodes, slices, events } = facts;
  const ip = parseIp(text);
  const pool = ip && accepted && poolIndexOf(accepted.config).poolOf(ip);
  const transitions = transitionsOf(text, events);
  if (!ip || !accepted || !pool) {
    const reason = accepted
      ? 'no pool of the accepted configuration holds it'
      : 'no configuration has been accepted yet';
    const causes = [
      { text: reason, field: 'ConfigMap address-pools[].addresses' },
      ...clusterProblems(cluster, accepted)
        .filter(({ kind }) => kind === 'configuration' || kind === 'controller')
        .map((each) => ({ text: each.text })),
    ];
    const summary = `not announced: ${reason}`;
    return {
      address: text,
      protocols: [],
      verdict: 'not announced',
      summary,
      causes,
      nodes: [],
      transitions,
    };
  }
  const { protocols } = pool;
  const state = slices && { config: accepted.config, service, slices, nodes };
  const planners = new Map(
    state ? protocols.map((each) => [each, new AddressPlanner(state, formatIp(ip), each)] as const) : [],
  );
  const explained = { service: objectKey(service), text: formatIp(ip), ip, planners, protocols };
  const all = cluster.speakers.map((speaker) => explainNode(speaker, explained));
  const recorded = parseAnnouncing(service).get(formatIp(ip));
  const verdict = verdictOf(all, recorded?.node);
  const named = { address: text, pool: pool.name, protocols, verdict, nodes: all, transitions };
  if (protocols.length === 0) {
    const cause = {
      text: `pool ${pool.name} has the protocol none`,
      field: 'ConfigMap address-pools[].protocol',
      remedy: 'set protocol of the pool, if Bellman is to announce its addresses',
    };
    return { ...named, summary: `not announced: ${cause.text}`, causes: [cause] };
  }
  const causes = causesOf({ verdict, service, nodes: all, view: cluster, accepted });
  if (verdict === 'announced') {
    const interfaces = new Map(recorded ? [[recorded.node, recorded.interfaces]] : []);
    return { ...named, summary: `announced by ${announcerText(all, interfaces)}`, causes };
  }
  return { ...named, summary: `${verdict}: ${causes[0]?.text ?? 'no cause was found'}`, causes };
}

/**
 * An address is announced when a speaker says so. Otherwise, a speaker that was not reached makes the verdict unknown in two cases: it may
 * announce the address, or the announcing record names its node.
 */
function verdictOf(nodes: readonly NodeExplanation[], recordedOwner: string | undefined): Verdict {
  if (nodes.some(isAnnouncing)) return 'announced';
  const isUnknown = nodes.some(
    (each) => each.notReached !== undefined && (mayAnnounce(each) || each.node === recordedOwner),
  );
  return isUnknown ? 'unknown' : 'not announced';
}

function isAnnouncing(node: NodeExplanation): boolean {
  return node.layer2?.ownerSince !== undefined || isAnnouncingByBgp(node);
}

function announcerText(
  nodes: readonly NodeExplanation[],
  interfaces: ReadonlyMap<string, readonly string[]>,
): string {
  const owners = nodes.flatMap(({ node, layer2 }) => {
    if (layer2?.ownerSince === undefined) return [];
    const links = interfaces.get(node) ?? layer2.links ?? [];
    return [`${node}${links.length > 0 ? ` on ${links.join(', ')}` : ''} since ${layer2.ownerSince}`];
  });
  const byBgp = nodes.filter(isAnnouncingByBgp).map(({ node }) => node);
  return [
    ...(owners.length > 0 ? [`${owners.join(' and ')} in layer 2`] : []),
    ...(byBgp.length > 0 ? [`${shortList(byBgp)} by BGP`] : []),
  ].join('; ');
}
