import type { Layer2Advertisement, PoolConfig } from '../config/config.ts';
import { anySelectorMatches } from '../config/selector.ts';
import type { Node } from '../kubernetes/model.ts';
import type { UnversionedEntry } from '../layer2/address-entry.ts';
import { perNode, preferencesOf } from '../layer2/address-entry.ts';
import type { KeptService } from './kept-objects.ts';
import { type NodeRefusalRules, nodeRefusal } from './node-refusal.ts';
import { localNodes, type ServingNodes } from './serving-nodes.ts';

export interface CandidateContext extends NodeRefusalRules {
  readonly nodes: ReadonlyMap<string, Node>;
}

/**
 * Nodes that may answer for an address in layer 2, sorted, and the interfaces on which each may answer. Only advertisements that select the
 * Service count. A node that several of them select may use all their interfaces. An advertisement without interfaces allows every interface.
 * Each preference of these advertisements adds its weight to the nodes that meet it.
 */
export function layer2Candidates(
  service: KeptService,
  pool: PoolConfig,
  endpoints: ServingNodes,
  context: CandidateContext,
): Pick<UnversionedEntry, 'candidates' | 'interfaces' | 'nodeInterfaces' | 'preferences'> {
  const preferences = new Map<string, number>();
  const interfaces = new Map<string, readonly string[]>();
  if (!endpoints.any) return { candidates: [], ...perNode(interfaces) };
  const advertisements = pool.l2Advertisements.filter(({ serviceSelectors }) =>
    anySelectorMatches(serviceSelectors, service.labels),
  );
  for (const node of context.nodes.values()) {
    if (nodeRefusal(node.name, node, context) !== undefined) continue;
    const matching = advertisements.filter(({ nodeSelectors }) =>
      anySelectorMatches(nodeSelectors, node.labels),
    );
    if (matching.length === 0 && pool.l2Advertisements.length > 0) continue;
    const allowsAll = matching.length === 0 || matching.some((each) => each.interfaces.length === 0);
    const named = new Set(allowsAll ? [] : matching.flatMap((each) => each.interfaces));
    interfaces.set(node.name, [...named]);
    preferences.set(node.name, preferenceOf(node, matching));
  }
  if (service.externalTrafficPolicy === 'Local') {
    const local = localNodes(endpoints, (node) => interfaces.has(node));
    for (const node of interfaces.keys())
      if (!local.has(node)) {
        interfaces.delete(node);
        preferences.delete(node);
      }
  }
  return {
    candidates: [...interfaces.keys()].sort(),
    ...perNode(interfaces),
    ...preferencesOf(preferences),
  };
}

/** Sum of the weights of all preferences that the node meets, in the advertisements that select it. */
function preferenceOf({ labels }: Node, advertisements: readonly Layer2Advertisement[]): number {
  let sum = 0;
  for (const { preferredNodes } of advertisements)
    for (const { weight, selector } of preferredNodes)
      if (anySelectorMatches([selector], labels)) sum += weight;
  return sum;
}
