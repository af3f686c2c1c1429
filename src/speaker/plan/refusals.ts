/** Why a node does not announce an address. */
import { takeoverKey } from '../../cluster/names.ts';
import type { LabelSelector } from '../../config/config.ts';
import { anySelectorMatches } from '../../config/selector.ts';
import { nodeRefusal } from './node-refusal.ts';
import type { PlanContext, PlannedAddress, Refusal } from './service-plan.ts';
import { localNodes } from './serving-nodes.ts';

/** Values of `field` in refusals. They are constants, because a speaker may keep a refusal for each of ten thousand Services. */
export const fields = {
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

/** The refusal when a pool has advertisements and none of them selects the Service. */
export function unselected(
  protocol: 'BGP' | 'layer 2',
  advertisements: readonly { readonly serviceSelectors: readonly LabelSelector[] }[],
  { service, address }: PlannedAddress,
): Refusal | undefined {
  const isSelected = advertisements.some(({ serviceSelectors }) =>
    anySelectorMatches(serviceSelectors, service.labels),
  );
  if (isSelected || advertisements.length === 0) return undefined;
  const reason = `no ${protocol} advertisement selects this Service`;
  const field = protocol === 'BGP' ? fields.bgpServices : fields.layer2Services;
  return { address, cause: 'not-selected', reason, field };
}

/** Why this node may not announce the address, whatever other nodes do. This covers the reasons common to both protocols. */
export function refusalOf(
  { service, address, endpoints }: PlannedAddress,
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

/** Why this node leaves the address to other nodes although it has an endpoint. `mayAnnounce` is called only for nodes with an endpoint. */
export function behindOthers(
  { service, address, endpoints }: PlannedAddress,
  mayAnnounce: (node: string) => boolean,
  nodeName: string,
): Refusal | undefined {
  if (service.externalTrafficPolicy !== 'Local' || localNodes(endpoints, mayAnnounce).has(nodeName))
    return undefined;
  const until = endpoints.fresh.get(nodeName);
  if (until !== undefined) {
    const reason = `node ${nodeName} waits until ${new Date(until).toISOString()} for announce-delay`;
    return { address, cause: 'announce-delay', reason, field: fields.announceDelay };
  }
  const reason = `externalTrafficPolicy is Local and node ${nodeName} has only terminating endpoints`;
  return { address, cause: 'no-local-endpoint', reason, field: fields.policy };
}
