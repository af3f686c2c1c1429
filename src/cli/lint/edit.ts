/**
 * Computes the effects that an edit of the configuration has in a cluster. It runs the code of the daemons: the allocator, the plan of the speakers,
 * and the comparison of the settings of BGP sessions. Pure.
 */
import { isServed } from '../../cluster/service-class.ts';
import type { Config, Labels } from '../../config/index.ts';
import { addressEffects } from '../../controller/services/edit-outcome.ts';
import { type EndpointSlice, type Node, objectKey, type Service } from '../../kubernetes/model.ts';
import { shortList } from '../../report/status/words.ts';
import { sessionEffects } from '../../speaker/peers/session-effects.ts';
import { CandidateSetTable } from '../../speaker/plan/candidate-set-table.ts';
import { leavingNodes } from '../../speaker/plan/leaving.ts';
import { planService } from '../../speaker/plan/plan.ts';
import type { PlanContext } from '../../speaker/plan/service-plan.ts';
import { counted } from '../counted.ts';

export interface EditFacts {
  readonly services: readonly Service[];
  /** `undefined` when the user may not list them. */
  readonly slices: readonly EndpointSlice[] | undefined;
  readonly nodes: readonly Node[];
  /** `undefined` when the user may not list them. */
  readonly namespaces: ReadonlyMap<string, Labels> | undefined;
  readonly loadBalancerClass: string | undefined;
}

/** Largest number of pairs of a Service and a node for which announcements are judged. Each pair takes two plans: before and after the edit. */
const maxPlans = 200_000;
/** Largest number of effects of one kind that are listed. */
const maxListed = 20;

/** One sentence for each effect, and for each kind of effect that was not judged. */
export function editEffects(before: Config, after: Config, facts: EditFacts): string[] {
  const verbs = { restart: 'restarts', start: 'starts', end: 'ends' } as const;
  const sessions = sessionEffects(before, after, facts.nodes).map(
    ({ peer, kind, nodes }) => `the session with peer ${peer} ${verbs[kind]} at ${shortList(nodes)}`,
  );
  return [
    ...listed(sessions, 'session'),
    ...listed(addressChanges(before, after, facts), 'Service'),
    ...listed(announcementEffects(before, after, facts), 'address', 'es'),
  ];
}

/** One sentence for each Service whose addresses the edit changes. */
function addressChanges(before: Config, after: Config, { namespaces, ...facts }: EditFacts): string[] {
  const selects = ({ pools }: Config) =>
    pools.some(({ namespaceSelectors }) => namespaceSelectors.length > 0);
  if (!namespaces && (selects(before) || selects(after)))
    return ['the addresses of Services were not judged: you may not list Namespaces'];
  const moved = addressEffects(before, after, { ...facts, namespaces: namespaces ?? new Map() });
  return moved.map(({ service, before: was, after: now, refusal }) =>
    now.length === 0
      ? `Service ${service} loses ${was.join(', ')}${refusal === undefined ? '' : `: ${refusal}`}`
      : `Service ${service} has ${now.join(', ')} instead of ${was.join(', ') || 'no address'}`,
  );
}

function listed(effects: readonly string[], noun: string, plural = 's'): string[] {
  const hidden = effects.length - maxListed;
  return hidden > 0
    ? [...effects.slice(0, maxListed), `similar changes of ${counted(hidden, `more ${noun}`, plural)}`]
    : [...effects];
}

/** One sentence for each address for which the edit changes the set of nodes that may announce it. */
function announcementEffects(before: Config, after: Config, facts: EditFacts): string[] {
  const own = facts.services.filter(
    (service) => isServed(service, facts.loadBalancerClass) && service.ingress.length > 0,
  );
  if (!facts.slices) return ['the announcements were not judged: you may not list EndpointSlices'];
  if (own.length * facts.nodes.length > maxPlans)
    return [`the announcements of ${own.length} Services on ${facts.nodes.length} nodes were not judged`];
  const slices = Map.groupBy(facts.slices, ({ namespace, serviceName }) => `${namespace}/${serviceName}`);
  const old = announcements(before, own, slices, facts.nodes);
  const now = announcements(after, own, slices, facts.nodes);
  return [...old].flatMap(([address, was]) => {
    const is = now.get(address);
    if (was.nodes.length > 0 && is?.nodes.length === 0)
      return [`no node announces ${address} any more${is.reason === undefined ? '' : `: ${is.reason}`}`];
    const lost = was.nodes.filter((node) => !is?.nodes.includes(node));
    const gained = (is?.nodes ?? []).filter((node) => !was.nodes.includes(node));
    if (lost.length === 0 && gained.length === 0) return [];
    return [
      [
        ...(lost.length > 0 ? [`${shortList(lost)} may not announce ${address} any more`] : []),
        ...(gained.length > 0 ? [`${shortList(gained)} may announce ${address} too`] : []),
      ].join('; '),
    ];
  });
}

interface Announced {
  readonly nodes: string[];
  /** Why the first node that is not in `nodes` may not announce the address. */
  reason?: string;
}

/** The nodes that may announce each address. The keys are texts like `192.0.2.1 of Service default/web`. */
function announcements(
  config: Config,
  services: readonly Service[],
  slices: ReadonlyMap<string, readonly EndpointSlice[]>,
  all: readonly Node[],
): Map<string, Announced> {
  const nodes = new Map(all.map((node) => [node.name, node]));
  const rules = {
    leavesWhenCordoned: false,
    ignoresExcludeLabel: config.ignoreExcludedNodes,
    leaveOnTaints: config.leaveOnTaints,
  };
  const context: Omit<PlanContext, 'nodeName'> = {
    ...{ config, nodes, leaving: leavingNodes(nodes, rules), ...rules },
    candidateSets: new CandidateSetTable(nodes, rules),
    isOurs: () => true,
    isDrainOver: () => false,
    fresh: () => undefined,
    isAnnounced: () => true,
  };
  const found = new Map<string, Announced>();
  for (const service of services)
    for (const nodeName of nodes.keys()) {
      const key = objectKey(service);
      const plan = planService(service, slices.get(key) ?? [], { ...context, nodeName });
      for (const { ip } of service.ingress) {
        const name = `${ip} of Service ${key}`;
        const announced: Announced = found.get(name) ?? { nodes: [] };
        found.set(name, announced);
        const refusal = plan.refusals.find(({ address }) => address === ip);
        if (refusal) announced.reason ??= refusal.reason;
        else if (plan.routes.length > 0 || plan.layer2.length > 0) announced.nodes.push(nodeName);
      }
    }
  return found;
}
