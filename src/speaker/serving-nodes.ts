import type { EndpointSlice, IpFamilyName } from '../kubernetes/model.ts';

/** Where traffic to a Service can end, for one address family. */
export interface ServingNodes {
  /** At least one endpoint serves, even if its node is unknown. */
  readonly any: boolean;
  readonly nodes: ReadonlySet<string>;
}

/** An endpoint counts while it serves. A terminating endpoint serves until it stops answering its readiness probe. */
export function servingNodes(slices: Iterable<EndpointSlice>): Record<IpFamilyName, ServingNodes> {
  const found = {
    IPv4: { any: false, nodes: new Set<string>() },
    IPv6: { any: false, nodes: new Set<string>() },
  };
  for (const { family, endpoints } of slices)
    for (const { serving, ready, nodeName } of endpoints) {
      if (!serving && !ready) continue;
      found[family].any = true;
      if (nodeName !== undefined) found[family].nodes.add(nodeName);
    }
  return found;
}
