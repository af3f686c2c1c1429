import type { IpFamilyName } from '../kubernetes/model.ts';
import type { KeptSlice } from './kept-objects.ts';

/** Where traffic to a Service can end, for one address family. */
export interface ServingNodes {
  /** Whether at least one endpoint serves, even if its node is unknown. */
  readonly any: boolean;
  readonly nodes: ReadonlySet<string>;
  /** The nodes with an endpoint that serves and does not terminate. */
  readonly lasting: ReadonlySet<string>;
}

/** An endpoint counts while it serves. A terminating endpoint serves until it stops answering its readiness probe. */
export function servingNodes(slices: Iterable<KeptSlice>): Record<IpFamilyName, ServingNodes> {
  const found = {
    IPv4: { any: false, nodes: new Set<string>(), lasting: new Set<string>() },
    IPv6: { any: false, nodes: new Set<string>(), lasting: new Set<string>() },
  };
  for (const { family, endpoints } of slices)
    for (const { serving, ready, terminating, nodeName } of endpoints) {
      if (!serving && !ready) continue;
      found[family].any = true;
      if (nodeName === undefined) continue;
      found[family].nodes.add(nodeName);
      if (!terminating) found[family].lasting.add(nodeName);
    }
  return found;
}

/**
 * Nodes that should announce a Service with `externalTrafficPolicy: Local`. A node whose endpoints are all terminating counts only while no
 * node with a lasting endpoint may announce, because new connections through such a node would end with its last Pod.
 */
export function localNodes(
  { nodes, lasting }: ServingNodes,
  mayAnnounce: (node: string) => boolean,
): ReadonlySet<string> {
  return lasting.size < nodes.size && [...lasting].some(mayAnnounce) ? lasting : nodes;
}
