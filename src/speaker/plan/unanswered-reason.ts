import { parseIp } from '../../address/index.ts';
import { poolIndexOf } from '../../config/pool-index.ts';
import type { KeptService, KeptSlice } from './kept-objects.ts';
import { layer2Candidates } from './layer2-candidates.ts';
import type { PlanContext } from './service-plan.ts';
import { servingNodes } from './serving-nodes.ts';

/** Why no node answers for a Service's address in layer 2, as far as Kubernetes and the configuration tell. */
export function unansweredReason(
  service: KeptService,
  address: string,
  slices: Iterable<KeptSlice>,
  context: PlanContext,
): string {
  const ip = parseIp(address);
  if (service.type !== 'LoadBalancer' || !ip || !service.ingress.some((ingress) => ingress.ip === address))
    return 'the Service no longer has it';
  const pool = poolIndexOf(context.config).poolOf(ip);
  if (!pool) return 'no pool contains it';
  if (!pool.protocols.includes('layer2'))
    return `pool ${pool.name} is ${pool.protocols.length > 0 ? 'announced by BGP' : 'not announced'}`;
  const endpoints = servingNodes(slices)[ip.family === 4 ? 'IPv4' : 'IPv6'];
  if (!endpoints.any) return 'no endpoint of this address family is ready';
  return layer2Candidates(service, pool, endpoints, context).isEmpty
    ? 'no node may announce it'
    : 'no live speaker that may announce it has a link for it';
}
