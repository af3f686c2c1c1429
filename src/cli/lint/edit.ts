/**
 * Computes the effects that an edit of the configuration has in a cluster. It runs the code of the daemons: the allocator, the plan of the speakers,
 * and the comparison of the settings of BGP sessions. Pure.
 */
import { formatPrefix, parseIp } from '../../address/index.ts';
import { isServed } from '../../cluster/service-class.ts';
import type { SpeakerStatus } from '../../cluster/status.ts';
import { type Config, type Labels, poolIndexOf } from '../../config/index.ts';
import { addressEffects } from '../../controller/services/edit-outcome.ts';
import { type EndpointSlice, type Node, objectKey, type Service } from '../../kubernetes/model.ts';
import { AddressPlanner } from '../../report/explain/node-plan.ts';
import { shortList } from '../../report/status/words.ts';
import { lastingSessions, sessionEffects } from '../../speaker/peers/session-effects.ts';
import { CandidateSetTable } from '../../speaker/plan/candidate-set-table.ts';
import { counted } from '../counted.ts';

export interface EditFacts {
  readonly services: readonly Service[];
  /** `undefined` when the user may not list them. */
  readonly slices: readonly EndpointSlice[] | undefined;
  readonly nodes: readonly Node[];
  /** `undefined` when the user may not list them. */
  readonly namespaces: ReadonlyMap<string, Labels> | undefined;
  readonly loadBalancerClass: string | undefined;
  /** The rules that the speakers report, by node. */
  readonly nodeRules: ReadonlyMap<string, NonNullable<SpeakerStatus['nodeRules']>>;
}

/** Largest number of pairs of a Service and a node. With more, no announcement is judged. Each pair takes two plans: before and after the edit. */
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

/** One sentence for each address for which the edit changes which nodes may announce it, to which peers, or how. */
function announcementEffects(before: Config, after: Config, facts: EditFacts): string[] {
  const own = facts.services.filter(
    (service) =>
      isServed(service, facts.loadBalancerClass) && !service.deleting && service.ingress.length > 0,
  );
  if (!facts.slices) return ['the announcements were not judged: you may not list EndpointSlices'];
  if (own.length * facts.nodes.length > maxPlans)
    return [`the announcements of ${own.length} Services on ${facts.nodes.length} nodes were not judged`];
  const slices = Map.groupBy(facts.slices, ({ namespace, serviceName }) => `${namespace}/${serviceName}`);
  const old = announcements(before, before, facts);
  const now = announcements(after, before, facts);
  const ways = new Map(facts.nodes.map((node) => [node.name, lastingWays(before, after, node)]));
  return own.flatMap((service) =>
    service.ingress.flatMap(({ ip }) => {
      const key = objectKey(service);
      const ofService = slices.get(key) ?? [];
      const name = `${ip} of Service ${key}`;
      return addressEffect(name, ways, old(service, ofService, ip), now(service, ofService, ip));
    }),
  );
}

/** A way in which a node may announce an address before and after the edit: in layer 2, or by a BGP session that lasts. */
interface LastingWay {
  /** Keys of `Announced.ways`. */
  readonly before: string;
  readonly after: string;
  readonly text: string;
  readonly change: string;
}

const inLayer2: LastingWay = {
  ...{ before: 'layer 2', after: 'layer 2', text: 'in layer 2' },
  change: 'on other interfaces or with another preference',
};

/**
 * Sessions that start or end are effects of their own, so they are left out. A session lasts even if the edit changes the name of its peer, or its
 * endpoint: address, port, interface and source address. If the edit changes both, the session ends and another one starts (`identifyPeers`).
 */
function lastingWays(before: Config, after: Config, node: Node): LastingWay[] {
  const sessions = lastingSessions(before, after, node).map(({ earlierName, name }) => ({
    before: peerKey(earlierName),
    after: peerKey(name),
    text: `to peer ${name}`,
    change: 'with another prefix or other attributes',
  }));
  return [inLayer2, ...sessions];
}

function peerKey(name: string): string {
  return `peer ${name}`;
}

function addressEffect(
  address: string,
  ways: ReadonlyMap<string, readonly LastingWay[]>,
  old: (node: string) => Announced,
  now: (node: string) => Announced,
): string[] {
  const changes = new Map<string, string[]>();
  const note = (node: string, text: string) => changes.set(text, [...(changes.get(text) ?? []), node]);
  let wasAnnounced = false;
  let isAnnounced = false;
  let reason: string | undefined;
  for (const [node, ofNode] of ways) {
    const [was, is] = [old(node), now(node)];
    wasAnnounced ||= was.ways.size > 0;
    isAnnounced ||= is.ways.size > 0;
    reason ??= is.reason;
    if (was.ways.size > 0 && is.ways.size === 0) note(node, `may not announce ${address} any more`);
    else if (was.ways.size === 0 && is.ways.size > 0) note(node, `may announce ${address} too`);
    else
      for (const { before, after, text, change } of ofNode) {
        const [how, will] = [was.ways.get(before), is.ways.get(after)];
        if (how === will) continue;
        if (will === undefined) note(node, `may not announce ${address} ${text} any more`);
        else note(node, `may announce ${address} ${text} ${how === undefined ? 'too' : change}`);
      }
  }
  if (wasAnnounced && !isAnnounced)
    return [`no node announces ${address} any more${reason === undefined ? '' : `: ${reason}`}`];
  if (changes.size === 0) return [];
  return [[...changes].map(([text, nodes]) => `${shortList(nodes)} ${text}`).join('; ')];
}

/** How a node may announce an address. */
interface Announced {
  /** The details of each way. Empty if the node may not announce the address. */
  readonly ways: ReadonlyMap<string, string>;
  /** Why the node may not announce the address by one of the protocols of its pool. */
  readonly reason?: string;
}

/**
 * Returns a function. Called with an address of a Service, it returns a second function, which says how a given node may announce the address.
 * `inForce` is the configuration that the speakers used when they reported their rules.
 */
function announcements(config: Config, inForce: Config, { nodes, nodeRules }: EditFacts) {
  const { leaveOnTaints } = config;
  const candidates = new CandidateSetTable(new Map(nodes.map((node) => [node.name, node])), {
    ...{ leavesWhenCordoned: false, ignoresExcludeLabel: true, leaveOnTaints },
  });
  const rulesOf = (node: string) => {
    const reported = nodeRules.get(node);
    // A speaker reports `ignoresExcludeLabel` if its flag `--ignore-exclude-label` or the configuration in force sets it. If that configuration
    // sets it, the flag is unknown, and counts as not set.
    const hasFlag = reported?.ignoresExcludeLabel === true && !inForce.ignoreExcludedNodes;
    return reported && { rules: { ...reported, ignoresExcludeLabel: hasFlag || config.ignoreExcludedNodes } };
  };
  return (service: Service, slices: readonly EndpointSlice[], address: string) => {
    const ip = parseIp(address);
    const pool = ip && poolIndexOf(config).poolOf(ip);
    const planners = (pool?.protocols ?? []).map(
      (protocol) =>
        [protocol, new AddressPlanner({ config, service, slices, nodes }, address, protocol)] as const,
    );
    const notToAnnounce = pool ? `pool ${pool.name} has the protocol none` : 'no pool holds it';
    return (node: string): Announced => {
      const ways = new Map<string, string>();
      const reasons = new Set(planners.length > 0 ? [] : [notToAnnounce]);
      for (const [protocol, planner] of planners) {
        const { refusal, routes } = planner.plan(node, { isAdvertised: true, ...rulesOf(node) });
        if (refusal) reasons.add(refusal.reason);
        for (const [peer, toPeer] of Map.groupBy(routes, (route) => route.peer)) {
          const texts = toPeer.map(
            ({ prefix, attributes }) => `${formatPrefix(prefix)} ${JSON.stringify(attributes)}`,
          );
          ways.set(peerKey(peer), texts.sort().join());
        }
        if (pool && protocol === 'layer2' && !refusal)
          ways.set(inLayer2.before, JSON.stringify(candidates.setFor(pool, service.labels).nodes.get(node)));
      }
      return { ways, ...(reasons.size > 0 ? { reason: [...reasons].join('; ') } : {}) };
    };
  };
}
