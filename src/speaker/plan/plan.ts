/**
 * The plan of one node for one Service. It follows from the Service, its endpoints, the nodes, the accepted configuration and the announcements,
 * drains and waits of this node (`PlanContext`). In BGP, every node that may announce sends routes to its peers. In layer 2, exactly one of the
 * candidates answers. The layer-2 processes elect it.
 *
 *   Service ─┐                         ┌─ routes: peer, prefix, attributes → RouteTable → BGP
 *   endpoints┼→ planService(…, context)┤
 *   nodes,   │                         └─ layer2: address, sources        → AddressTable → layer-2 process
 *   config  ─┘
 *
 * A node may announce if it is Ready or shutting down, and its network is available, unless a label or the taint `out-of-service` excludes it
 * (`nodeRefusal`). A Service needs an endpoint that serves. With `externalTrafficPolicy: Local`, the endpoint must be on the announcing node
 * (`localNodes`). With `Cluster`, the endpoint may be on any node.
 *
 * A node that leaves (`leaving.ts`) may announce too. In BGP it keeps the routes of an address unmarked while too few other nodes could announce
 * the address (`floor.ts`). Otherwise it marks them for the drain delay and then withdraws them. In layer 2 other candidates are preferred to it.
 *
 * With `Local`, a node that has only terminating endpoints of a Service gives way to the nodes that have a lasting one: it drains the addresses
 * of the Service in BGP, without a floor, and comes after the other candidates in layer 2. A node whose first endpoint is new waits for
 * `announce-delay` (`fresh-endpoints.ts`).
 */
import { formatIp, type IpAddress, parseIp } from '../../address/index.ts';
import { poolIndexOf } from '../../config/pool-index.ts';
import type { IpFamilyName } from '../../kubernetes/model.ts';
import { planBgp } from './bgp-plan.ts';
import type { KeptService, KeptSlice } from './kept-objects.ts';
import { planLayer2 } from './layer2-plan.ts';
import { fields } from './refusals.ts';
import {
  emptyPlan,
  type PlanContext,
  type PlannedAddress,
  type Refusal,
  type ServicePlan,
} from './service-plan.ts';
import { type ServingNodes, servingNodes } from './serving-nodes.ts';

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
    return planAddress({ service, ip: address, address: textOf(address, service), pool, endpoints }, context);
  });
  return {
    routes: plans.flatMap(({ routes }) => routes),
    layer2: plans.flatMap(({ layer2 }) => layer2),
    advertised: plans.flatMap(({ advertised }) => advertised),
    refusals: plans.flatMap(({ refusals }) => refusals),
    draining: plans.flatMap(({ draining }) => draining),
    heldByFloor: plans.flatMap(({ heldByFloor }) => heldByFloor),
    held: plans.flatMap(({ held }) => held),
    notToAnnounce: plans.flatMap(({ notToAnnounce }) => notToAnnounce),
    dependsOn: [
      ...new Set([
        ...plans.flatMap(({ dependsOn }) => dependsOn),
        ...(plans.length > 0 && service.externalTrafficPolicy === 'Local' ? nodesWithEndpoints(serving) : []),
      ]),
    ],
  };
}

function nodesWithEndpoints({ IPv4, IPv6 }: Record<IpFamilyName, ServingNodes>): readonly string[] {
  return IPv6.nodes.size === 0 ? [...IPv4.nodes] : [...new Set([...IPv4.nodes, ...IPv6.nodes])];
}

/** The canonical text of an address. If the text in the Service is canonical, returns that same string, so that memory holds only one. */
function textOf(address: IpAddress, { ingress }: KeptService): string {
  const text = formatIp(address);
  return ingress.find(({ ip }) => ip === text)?.ip ?? text;
}

/** Plans an address by each protocol of its pool. The plan refuses the address only if no protocol lets the node announce it. */
function planAddress(planned: PlannedAddress, context: PlanContext): ServicePlan {
  const { pool, address } = planned;
  const [plan, second] = pool.protocols.map((protocol) =>
    protocol === 'bgp' ? planBgp(planned, context) : planLayer2(planned, context),
  );
  if (!plan) {
    const reason = `pool ${pool.name} has the protocol none`;
    return {
      ...emptyPlan,
      refusals: [{ address, cause: 'no-protocol', reason, field: fields.protocol }],
      notToAnnounce: [address],
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
    notToAnnounce: plan.notToAnnounce.filter((each) => second.notToAnnounce.includes(each)),
    dependsOn: [...plan.dependsOn, ...second.dependsOn],
  };
}

/** One refusal with the reasons of both protocols. */
function bothRefusals(ofBgp: Refusal, ofLayer2: Refusal): Refusal {
  if (ofBgp.reason === ofLayer2.reason) return ofBgp;
  const field = ofBgp.field === ofLayer2.field ? ofBgp.field : `${ofBgp.field}; ${ofLayer2.field}`;
  return { ...ofBgp, reason: `${ofBgp.reason}; ${ofLayer2.reason}`, field };
}
