import type { PoolConfig } from '../../config/config.ts';
import type { CandidateSource } from '../../layer2/address-entry.ts';
import { behindPenalty, type CandidateSetTable } from './candidate-set-table.ts';
import type { KeptService } from './kept-objects.ts';
import { localNodes, type ServingNodes } from './serving-nodes.ts';

/** The nodes that may answer for an address of a Service in layer 2. */
export interface Layer2Candidates {
  /** In the form in which the layer-2 process takes them. */
  readonly sources: readonly CandidateSource[];
  readonly isEmpty: boolean;
  /** Whether all nodes for which `has` returns true are leaving. */
  readonly allLeave: boolean;
  /** Whether the node may answer, and its endpoints do not put it behind other nodes. */
  has(node: string): boolean;
}

const none: Layer2Candidates = { sources: [], isEmpty: true, allLeave: false, has: () => false };

/**
 * Nodes that may answer for an address in layer 2. With `externalTrafficPolicy: Cluster` they are a set that many Services share, and the
 * layer-2 process gets the number of the set. With `Local` they are the nodes of the set that have an endpoint. Nodes whose endpoints all
 * terminate are preferred less: they answer only while no other node can.
 *
 * A node that waits for `announce-delay` prefers all others to itself, so that it does not claim the address. Only the node itself takes
 * its wait into account. If other nodes also took the wait into account, the nodes would see its end at different times. Two nodes could then
 * take the address from each other until both have seen the end. The node does not wait when every node with an endpoint would have to wait.
 */
export function layer2Candidates(
  service: KeptService,
  pool: PoolConfig,
  endpoints: ServingNodes,
  { candidateSets, nodeName }: { readonly candidateSets: CandidateSetTable; readonly nodeName: string },
): Layer2Candidates {
  if (!endpoints.any) return none;
  const set = candidateSets.setFor(pool, service.labels);
  if (service.externalTrafficPolicy !== 'Local')
    return {
      sources: [set.number],
      isEmpty: set.nodes.size === 0,
      allLeave: set.leaving === set.nodes.size,
      has: (node) => set.nodes.has(node),
    };
  const isInSet = (node: string) => set.nodes.has(node);
  const until = endpoints.fresh.get(nodeName);
  const waits = until !== undefined && !localNodes(endpoints, isInSet).has(nodeName);
  const fresh = new Map(waits ? [[nodeName, until]] : []);
  const local = localNodes({ ...endpoints, fresh }, isInSet);
  const nodes = candidateSets.candidatesOf(set, endpoints.nodes, (node) =>
    local.has(node) ? 0 : behindPenalty * (fresh.has(node) ? 2 : 1),
  );
  if (nodes.candidates.length === 0) return none;
  const has = (node: string) => local.has(node) && set.nodes.has(node);
  return {
    sources: [nodes],
    isEmpty: false,
    allLeave: nodes.candidates.every((node) => !has(node) || set.nodes.get(node)?.isLeaving),
    has,
  };
}
