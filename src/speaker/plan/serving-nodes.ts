import type { IpFamilyName } from '../../kubernetes/model.ts';
import type { KeptSlice } from './kept-objects.ts';

/** For each family, the nodes whose first ready endpoint is new, with the end of their wait in milliseconds since 1970. */
export type FreshNodes = Readonly<Record<IpFamilyName, ReadonlyMap<string, number>>>;

/** Where traffic to a Service can end, for one address family. */
export interface ServingNodes {
  /** Whether at least one endpoint serves, even if its node is unknown. */
  readonly any: boolean;
  readonly nodes: ReadonlySet<string>;
  /** The nodes with an endpoint that serves and does not terminate. */
  readonly lasting: ReadonlySet<string>;
  /** The lasting nodes that wait for `announce-delay`, with the end of each wait in milliseconds since 1970. */
  readonly fresh: ReadonlyMap<string, number>;
}

const nothingFresh: FreshNodes = { IPv4: new Map(), IPv6: new Map() };

/** An endpoint counts while it serves. A terminating endpoint serves until it stops answering its readiness probe. */
export function servingNodes(
  slices: Iterable<KeptSlice>,
  fresh: FreshNodes = nothingFresh,
): Record<IpFamilyName, ServingNodes> {
  const found = {
    IPv4: { any: false, nodes: new Set<string>(), lasting: new Set<string>(), fresh: fresh.IPv4 },
    IPv6: { any: false, nodes: new Set<string>(), lasting: new Set<string>(), fresh: fresh.IPv6 },
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
 * Nodes that should announce a Service with `externalTrafficPolicy: Local`. New connections through a node whose endpoints all terminate would
 * end with its last Pod. Such a node therefore counts only while no node with a lasting endpoint may announce. A fresh node counts only while
 * no other node may announce.
 */
export function localNodes(
  { nodes, lasting, fresh }: ServingNodes,
  mayAnnounce: (node: string) => boolean,
): ReadonlySet<string> {
  if (fresh.size > 0)
    for (const some of [lasting, nodes]) {
      const ripe = new Set([...some].filter((node) => !fresh.has(node)));
      if ([...ripe].some(mayAnnounce)) return ripe;
    }
  return lasting.size < nodes.size && [...lasting].some(mayAnnounce) ? lasting : nodes;
}
