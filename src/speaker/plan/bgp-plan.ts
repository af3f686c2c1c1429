/** The plan of an address by BGP: every node that may announce sends routes to its peers. */
import type { HeldAddress } from './adoption.ts';
import { drainingRoutes } from './draining-routes.ts';
import { mayLeave } from './floor.ts';
import { nodeRefusal } from './node-refusal.ts';
import { peerRoutes } from './peer-routes.ts';
import { behindOthers, fields, refusalOf, unselected } from './refusals.ts';
import {
  emptyPlan,
  type PlanContext,
  type PlannedAddress,
  type Refusal,
  type ServicePlan,
} from './service-plan.ts';
import { localNodes } from './serving-nodes.ts';
import { shortLivedRoutes } from './short-lived-routes.ts';

/** The plan of an address by BGP. */
export function planBgp(planned: PlannedAddress, context: PlanContext): ServicePlan {
  const plan = planWithoutAdoption(planned, context);
  const { adoption, nodeName } = context;
  if (!adoption || adoption.announcesByBgp || plan.advertised.length === 0) return plan;
  const held = plan.advertised.map(
    ({ address, peers }): HeldAddress => ({
      ...{ address, pool: planned.pool.name, protocol: 'bgp', peers, isAdmitted: false },
      mayAnswer: () => false,
    }),
  );
  const refusals = held.map(({ address, peers }): Refusal => {
    const reason = `adopt-only: node ${nodeName} would announce it to ${peers.join(', ')}`;
    return { address, cause: 'adopt-only', reason, field: fields.adoptedNode };
  });
  return { ...emptyPlan, refusals, held, notToAnnounce: [planned.address] };
}

/** Plans an address by BGP as if `--adopt-only` were not set. */
function planWithoutAdoption(planned: PlannedAddress, context: PlanContext): ServicePlan {
  const { service, ip, address, pool } = planned;
  const { config, nodeName, nodes } = context;
  const mayAnnounce = (name: string) => {
    const node = nodes.get(name);
    return (
      nodeRefusal(name, node, context) === undefined && peerRoutes(ip, pool, service, config, node).length > 0
    );
  };
  const refusal = unselected('BGP', pool.bgpAdvertisements, planned) ?? refusalOf(planned, context);
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
  const behind = behindOthers(planned, mayAnnounce, nodeName);
  const hasBegun = behind?.cause === 'announce-delay' && context.isAnnounced(service, address);
  if (behind && !hasBegun) return drained(behind);
  const leaving = context.leaving.get(nodeName);
  if (!leaving) return announcing;
  const candidates = bgpCandidates(planned, mayAnnounce, context);
  if (!mayLeave(candidates, (name) => context.leaving.has(name), config.minAnnouncers))
    return { ...announcing, heldByFloor: [address] };
  const reason = `node ${nodeName} leaves: it ${leaving.reason}`;
  return drained({ address, cause: 'leaving', reason, field: leaving.field });
}

/** The nodes that may announce the address by BGP, without those that stay and are known to have no speaker. */
function* bgpCandidates(
  { service, endpoints }: PlannedAddress,
  mayAnnounce: (node: string) => boolean,
  { nodes, leaving, speakers }: PlanContext,
): Iterable<string> {
  const isLocal = service.externalTrafficPolicy === 'Local';
  const all = isLocal ? localNodes(endpoints, mayAnnounce) : nodes.keys();
  for (const node of all)
    if (mayAnnounce(node) && (leaving.has(node) || (speakers?.has(node) ?? true))) yield node;
}
