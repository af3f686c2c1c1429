/**
 * The plan of one node for one Service: a pure function of the Service, its endpoints, the nodes and the accepted configuration. In BGP,
 * every node that may announce sends routes to its peers. In layer 2, exactly one of the candidates answers. The layer-2 processes elect it.
 *
 *   Service ─┐                         ┌─ routes: peer, prefix, attributes → RouteTable → BGP
 *   endpoints┼→ planService(…, context)┤
 *   nodes,   │                         └─ layer2: address, sources        → AddressTable → layer-2 process
 *   config  ─┘
 *
 * A node may announce if it is Ready and its network is available, unless a label excludes it (`nodeRefusal`). A Service needs an endpoint
 * that serves. With `externalTrafficPolicy: Local`, the endpoint must be on the announcing node (`localNodes`). With `Cluster`, the endpoint
 * may be on any node.
 *
 * A node that leaves (`leaving.ts`) may announce too. In BGP it marks its routes for the drain delay and then withdraws them, unless too few
 * other nodes could announce the address (`floor.ts`). In layer 2 other candidates are preferred to it. A node whose endpoints of a Service
 * with `Local` all terminate does the same with the addresses of this Service, while another node has an endpoint that stays. A node whose
 * first endpoint is new waits for `announce-delay` (`fresh-endpoints.ts`).
 */
import { formatIp, type IpAddress, parseIp } from '../../address/index.ts';
import { parseAnnouncing } from '../../cluster/announcing.ts';
import { takeoverKey } from '../../cluster/names.ts';
import type { RefusalCause } from '../../cluster/status.ts';
import type { Config, LabelSelector, PoolConfig } from '../../config/config.ts';
import { poolIndexOf } from '../../config/pool-index.ts';
import { anySelectorMatches } from '../../config/selector.ts';
import { type IpFamilyName, type Node, objectKey } from '../../kubernetes/model.ts';
import type { CandidateNodes, UnversionedEntry } from '../../layer2/address-entry.ts';
import { type AdoptionRules, type HeldAddress, isServiceAdmitted } from './adoption.ts';
import type { CandidateSetTable } from './candidate-set-table.ts';
import { drainingRoutes } from './draining-routes.ts';
import { mayLeave } from './floor.ts';
import type { KeptService, KeptSlice } from './kept-objects.ts';
import { type Layer2Candidates, layer2Candidates } from './layer2-candidates.ts';
import type { Leaving } from './leaving.ts';
import { type NodeRules, nodeRefusal } from './node-refusal.ts';
import { type PeerRoute, peerRoutes } from './peer-routes.ts';
import { type FreshNodes, localNodes, type ServingNodes, servingNodes } from './serving-nodes.ts';
import { shortLivedRoutes } from './short-lived-routes.ts';

export interface PlanContext extends NodeRules {
  readonly config: Config;
  /** The node of this speaker. */
  readonly nodeName: string;
  readonly nodes: ReadonlyMap<string, Node>;
  /** The nodes that may answer in layer 2, made from `nodes`. */
  readonly candidateSets: CandidateSetTable;
  /** Whether the Service's load balancer class is Bellman's. */
  readonly isOurs: (service: KeptService) => boolean;
  /** The nodes that leave. */
  readonly leaving: ReadonlyMap<string, Leaving>;
  /** The nodes of the Service that wait for `announce-delay`; `undefined` when none does. */
  readonly fresh: (service: KeptService) => FreshNodes | undefined;
  /** Whether this node announces the address by BGP, and does not drain it. */
  readonly isAnnounced: (service: KeptService, address: string) => boolean;
  /** Absent without `--adopt-only`. */
  readonly adoption?: AdoptionRules;
  /** Whether this node, which leaves the address to others, has announced the marked routes for long enough. */
  readonly isDrainOver: (service: KeptService, address: string) => boolean;
}

/** An address that this node does not announce. */
export interface Refusal {
  readonly address: string;
  readonly cause: RefusalCause;
  /** The cause in words. */
  readonly reason: string;
  /** The kind of the object and its field that decide, such as `Service spec.externalTrafficPolicy`. */
  readonly field: string;
}

/** Fields that decide. They are constants, because a speaker may keep a refusal for each of ten thousand Services. */
const fields = {
  protocol: 'ConfigMap address-pools[].protocol',
  peers: 'ConfigMap peers[].node-selectors, address-pools[].bgp-advertisements[]',
  bgpServices: 'ConfigMap address-pools[].bgp-advertisements[].service-selectors',
  layer2Services: 'ConfigMap address-pools[].l2-advertisements[].service-selectors',
  layer2Nodes: 'ConfigMap address-pools[].l2-advertisements[].node-selectors',
  endpoints: 'EndpointSlice endpoints[].conditions',
  policy: 'Service spec.externalTrafficPolicy',
  announceDelay: 'ConfigMap announce-delay',
  adoptedNode: `Node metadata.labels[${takeoverKey}]`,
  adoptedService: `Service metadata.annotations[${takeoverKey}]`,
} as const;

export interface ServicePlan {
  readonly routes: readonly PeerRoute[];
  readonly layer2: readonly UnversionedEntry[];
  /** Addresses that this node announces by BGP, with the names of the peers. */
  readonly advertised: readonly { readonly address: string; readonly peers: readonly string[] }[];
  /** Addresses that this node neither announces by BGP nor may answer for in layer 2. */
  readonly refusals: readonly Refusal[];
  /** Addresses whose routes are marked, because this node leaves them to others. They are withdrawn when the drain is over. */
  readonly draining: readonly string[];
  /** Addresses that this node keeps although it leaves, because too few other nodes could announce them. */
  readonly heldByFloor: readonly string[];
  /** Addresses that are not announced because of `--adopt-only`. */
  readonly held: readonly HeldAddress[];
  /** Nodes with endpoints. When one of them changes, the plan may change. All other plans depend on this node only. */
  readonly dependsOn: readonly string[];
}

/** More than any sum of weights of preferences. */
const firstOwnerPreference = 1_000_000_000;

export const emptyPlan: ServicePlan = {
  routes: [],
  layer2: [],
  advertised: [],
  refusals: [],
  draining: [],
  heldByFloor: [],
  held: [],
  dependsOn: [],
};

export function planService(
  service: KeptService,
  slices: Iterable<KeptSlice>,
  context: PlanContext,
): ServicePlan {
  if (service.type !== 'LoadBalancer' || service.deleting || !context.isOurs(service)) return emptyPlan;
  const serving = servingNodes(slices, context.fresh(service));
  const plans = service.ingress.flatMap(({ ip }) => {
    const address = parseIp(ip);
    const pool = address && poolIndexOf(context.config).poolOf(address);
    if (!address || !pool) return [];
    const endpoints = serving[address.family === 4 ? 'IPv4' : 'IPv6'];
    return planAddress(service, address, pool, endpoints, context);
  });
  return {
    routes: plans.flatMap(({ routes }) => routes),
    layer2: plans.flatMap(({ layer2 }) => layer2),
    advertised: plans.flatMap(({ advertised }) => advertised),
    refusals: plans.flatMap(({ refusals }) => refusals),
    draining: plans.flatMap(({ draining }) => draining),
    heldByFloor: plans.flatMap(({ heldByFloor }) => heldByFloor),
    held: plans.flatMap(({ held }) => held),
    dependsOn:
      plans.length > 0 && service.externalTrafficPolicy === 'Local' ? nodesWithEndpoints(serving) : [],
  };
}

function nodesWithEndpoints({ IPv4, IPv6 }: Record<IpFamilyName, ServingNodes>): readonly string[] {
  return IPv6.nodes.size === 0 ? [...IPv4.nodes] : [...new Set([...IPv4.nodes, ...IPv6.nodes])];
}

/** Plans an address by each protocol of its pool. A node refuses the address only if it refuses it by all of them. */
function planAddress(
  service: KeptService,
  ip: IpAddress,
  pool: PoolConfig,
  endpoints: ServingNodes,
  context: PlanContext,
): ServicePlan {
  const [plan, second] = pool.protocols.map((protocol) =>
    protocol === 'bgp'
      ? adoptedBgp(planBgp(service, ip, pool, endpoints, context), pool, context)
      : planLayer2(service, ip, pool, endpoints, context),
  );
  if (!plan) {
    const reason = `pool ${pool.name} has the protocol none`;
    return {
      ...emptyPlan,
      refusals: [{ address: formatIp(ip), cause: 'no-protocol', reason, field: fields.protocol }],
    };
  }
  if (!second) return plan;
  const [one, other] = [plan.refusals[0], second.refusals[0]];
  return {
    ...emptyPlan,
    routes: [...plan.routes, ...second.routes],
    layer2: [...plan.layer2, ...second.layer2],
    advertised: [...plan.advertised, ...second.advertised],
    refusals: one && other ? [bothRefusals(one, other)] : [],
    draining: plan.draining,
    heldByFloor: [...new Set([...plan.heldByFloor, ...second.heldByFloor])],
    held: [...plan.held, ...second.held],
  };
}

/** One refusal with the reasons of both protocols. */
function bothRefusals(ofBgp: Refusal, ofLayer2: Refusal): Refusal {
  if (ofBgp.reason === ofLayer2.reason) return ofBgp;
  const field = ofBgp.field === ofLayer2.field ? ofBgp.field : `${ofBgp.field}; ${ofLayer2.field}`;
  return { ...ofBgp, reason: `${ofBgp.reason}; ${ofLayer2.reason}`, field };
}

/** The canonical text of an address. It is the string of the Service where that is canonical too, so that there is only one in memory. */
function textOf(address: IpAddress, { ingress }: KeptService): string {
  const text = formatIp(address);
  return ingress.find(({ ip }) => ip === text)?.ip ?? text;
}

function planBgp(
  service: KeptService,
  ip: IpAddress,
  pool: PoolConfig,
  endpoints: ServingNodes,
  context: PlanContext,
): ServicePlan {
  const address = textOf(ip, service);
  const { config, nodeName, nodes } = context;
  const mayAnnounce = (name: string) => {
    const node = nodes.get(name);
    return (
      nodeRefusal(name, node, context) === undefined && peerRoutes(ip, pool, service, config, node).length > 0
    );
  };
  const refusal =
    unselected('BGP', pool.bgpAdvertisements, service, address) ??
    refusalOf(service, address, endpoints, context);
  if (refusal) return { ...emptyPlan, refusals: [refusal] };
  const own = peerRoutes(ip, pool, service, config, nodes.get(nodeName));
  const routes = service.externalTrafficPolicy === 'Local' ? shortLivedRoutes(own, config.peers) : own;
  if (routes.length === 0) {
    const reason = `no peer of node ${nodeName} receives it`;
    return { ...emptyPlan, refusals: [{ address, cause: 'no-peer', reason, field: fields.peers }] };
  }
  const announcing: ServicePlan = {
    ...emptyPlan,
    routes,
    advertised: [{ address, peers: [...new Set(routes.map(({ peer }) => peer))] }],
  };
  const drained = (because: Refusal): ServicePlan =>
    context.isDrainOver(service, address)
      ? { ...emptyPlan, refusals: [because] }
      : { ...announcing, routes: drainingRoutes(routes, config.drain), draining: [address] };
  const behind = behindOthers(service, address, endpoints, mayAnnounce, nodeName);
  const hasBegun = behind?.cause === 'announce-delay' && context.isAnnounced(service, address);
  if (behind && !hasBegun) return drained(behind);
  const leaving = context.leaving.get(nodeName);
  if (!leaving) return announcing;
  const candidates = bgpCandidates(service, endpoints, mayAnnounce, nodes);
  if (!mayLeave(candidates, (name) => context.leaving.has(name), config.minAnnouncers))
    return { ...announcing, heldByFloor: [address] };
  const reason = `node ${nodeName} leaves: it ${leaving.reason}`;
  return drained({ address, cause: 'leaving', reason, field: leaving.field });
}

/** The plan of an address by BGP, after `--adopt-only` has been applied to it. */
function adoptedBgp(plan: ServicePlan, pool: PoolConfig, { adoption, nodeName }: PlanContext): ServicePlan {
  if (!adoption || adoption.announcesByBgp || plan.advertised.length === 0) return plan;
  const held = plan.advertised.map(
    ({ address, peers }): HeldAddress => ({
      ...{ address, pool: pool.name, protocol: 'bgp', peers, interfaces: [], isAdmitted: false },
      mayAnswer: () => false,
    }),
  );
  const refusals = held.map(({ address, peers }): Refusal => {
    const reason = `adopt-only: node ${nodeName} would announce it to ${peers.join(', ')}`;
    return { address, cause: 'adopt-only', reason, field: fields.adoptedNode };
  });
  return { ...emptyPlan, refusals, held };
}

/** The nodes that may announce the address by BGP. */
function* bgpCandidates(
  { externalTrafficPolicy }: KeptService,
  endpoints: ServingNodes,
  mayAnnounce: (node: string) => boolean,
  nodes: PlanContext['nodes'],
): Iterable<string> {
  const all = externalTrafficPolicy === 'Local' ? localNodes(endpoints, mayAnnounce) : nodes.keys();
  for (const node of all) if (mayAnnounce(node)) yield node;
}

function planLayer2(
  service: KeptService,
  ip: IpAddress,
  pool: PoolConfig,
  endpoints: ServingNodes,
  context: PlanContext,
): ServicePlan {
  const address = textOf(ip, service);
  const candidates = layer2Candidates(service, pool, endpoints, context);
  const recordedOwner = parseAnnouncing(service).get(address)?.node;
  const entry: UnversionedEntry = {
    address,
    sources: candidates.sources,
    group: service.ingress[0]?.ip ?? objectKey(service),
    ...(recordedOwner === undefined ? {} : { recordedOwner }),
  };
  const held = heldInLayer2(service, address, pool, recordedOwner, context);
  if (held && !candidates.isEmpty) {
    const mayAnswer = (node: string) => candidates.has(node);
    const reason = held.isAdmitted
      ? 'adopt-only: no node is recorded as its first owner yet'
      : `adopt-only: ${mayAnswer(context.nodeName) ? `node ${context.nodeName}` : 'another node'} would answer for it`;
    return {
      ...emptyPlan,
      layer2: [{ ...entry, sources: [] }],
      refusals: [{ address, cause: 'adopt-only', reason, field: fields.adoptedService }],
      held: [{ ...held, mayAnswer }],
    };
  }
  const adopted = firstOwnerSource(service, pool, recordedOwner, candidates, context);
  const adoptedEntry = adopted ? { ...entry, sources: [...entry.sources, adopted] } : entry;
  if (candidates.has(context.nodeName)) {
    const isHeld = context.leaving.has(context.nodeName) && candidates.allLeave;
    return { ...emptyPlan, layer2: [adoptedEntry], ...(isHeld ? { heldByFloor: [address] } : {}) };
  }
  const refusal = unselected('layer 2', pool.l2Advertisements, service, address) ??
    refusalOf(service, address, endpoints, context) ??
    behindOthers(service, address, endpoints, (name) => candidates.has(name), context.nodeName) ?? {
      address,
      cause: 'not-selected',
      reason: 'no layer 2 advertisement selects this node',
      field: fields.layer2Nodes,
    };
  return { ...emptyPlan, layer2: [adoptedEntry], refusals: [refusal] };
}

/** The address, if `--adopt-only` holds it back in layer 2. */
function heldInLayer2(
  service: KeptService,
  address: string,
  { name, l2Advertisements }: PoolConfig,
  recordedOwner: string | undefined,
  { adoption }: PlanContext,
): Omit<HeldAddress, 'mayAnswer'> | undefined {
  if (!adoption) return undefined;
  const isAdmitted = isServiceAdmitted(service, name, adoption.pools);
  if (isAdmitted && (recordedOwner !== undefined || adoption.wasLive(address))) return undefined;
  const isAnyLink = l2Advertisements.some(({ interfaces }) => interfaces.length === 0);
  const interfaces = isAnyLink ? [] : [...new Set(l2Advertisements.flatMap((each) => each.interfaces))];
  return { address, pool: name, protocol: 'layer2', peers: [], interfaces, isAdmitted };
}

/**
 * In an adoption, prefers the recorded owner to all other candidates. Otherwise the election would spread the addresses of a node that is recorded
 * for many of them, and their MACs would change.
 */
function firstOwnerSource(
  { labels }: KeptService,
  pool: PoolConfig,
  owner: string | undefined,
  candidates: Layer2Candidates,
  { adoption, candidateSets }: PlanContext,
): CandidateNodes | undefined {
  if (!adoption || owner === undefined || !candidates.has(owner)) return undefined;
  const nodes = candidateSets.candidatesOf(candidateSets.setFor(pool, labels), [owner]);
  const isLeaving = (nodes.preferences?.[owner] ?? 0) < 0;
  return isLeaving ? undefined : { ...nodes, preferences: { [owner]: firstOwnerPreference } };
}

/** The refusal when a pool has advertisements and none of them selects the Service. */
function unselected(
  protocol: 'BGP' | 'layer 2',
  advertisements: readonly { readonly serviceSelectors: readonly LabelSelector[] }[],
  { labels }: KeptService,
  address: string,
): Refusal | undefined {
  const isSelected = advertisements.some(({ serviceSelectors }) =>
    anySelectorMatches(serviceSelectors, labels),
  );
  if (isSelected || advertisements.length === 0) return undefined;
  const reason = `no ${protocol} advertisement selects this Service`;
  const field = protocol === 'BGP' ? fields.bgpServices : fields.layer2Services;
  return { address, cause: 'not-selected', reason, field };
}

/** Why this node may not announce the address, whatever other nodes do. This covers the reasons common to both protocols. */
function refusalOf(
  service: KeptService,
  address: string,
  endpoints: ServingNodes,
  context: PlanContext,
): Refusal | undefined {
  const { nodeName, nodes } = context;
  if (!endpoints.any)
    return {
      address,
      cause: 'no-endpoint',
      reason: 'no endpoint of this address family is ready',
      field: fields.endpoints,
    };
  if (service.externalTrafficPolicy === 'Local' && !endpoints.nodes.has(nodeName)) {
    const reason = `externalTrafficPolicy is Local and node ${nodeName} has no ready endpoint`;
    return { address, cause: 'no-local-endpoint', reason, field: fields.policy };
  }
  const refusal = nodeRefusal(nodeName, nodes.get(nodeName), context);
  return refusal && { address, cause: 'node', ...refusal };
}

/** Why this node, which has an endpoint, leaves the address to other nodes. `mayAnnounce` is asked about nodes with an endpoint. */
function behindOthers(
  { externalTrafficPolicy }: KeptService,
  address: string,
  endpoints: ServingNodes,
  mayAnnounce: (node: string) => boolean,
  nodeName: string,
): Refusal | undefined {
  if (externalTrafficPolicy !== 'Local' || localNodes(endpoints, mayAnnounce).has(nodeName)) return undefined;
  const until = endpoints.fresh.get(nodeName);
  if (until !== undefined) {
    const reason = `node ${nodeName} waits until ${new Date(until).toISOString()} for announce-delay`;
    return { address, cause: 'announce-delay', reason, field: fields.announceDelay };
  }
  const reason = `externalTrafficPolicy is Local and node ${nodeName} has only terminating endpoints`;
  return { address, cause: 'no-local-endpoint', reason, field: fields.policy };
}
