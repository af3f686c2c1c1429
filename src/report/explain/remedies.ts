/** The guide to session affinity, and to what it needs from the routers. */
export const affinityGuide = 'docs/guides/session-affinity.md';

/** The steps that end a refusal, by the field that decides. */
const byField: Readonly<Record<string, string>> = {
  'Node metadata.name': 'register the node in Kubernetes, or correct --node-name of its speaker',
  'Node status.conditions[type=Ready]': 'look at the kubelet of the node: kubectl describe node',
  'Node status.conditions[type=NetworkUnavailable]': 'look at the CNI plugin of the node',
  'Node spec.unschedulable': 'uncordon the node, or run the speaker without --leave-when-cordoned',
  'Node metadata.labels[node.kubernetes.io/exclude-from-external-load-balancers]':
    'remove the label from the node, or set ignore-excluded-nodes: true',
  'Node spec.taints[key=node.kubernetes.io/out-of-service]':
    'remove the taint when the node runs again: kubectl taint nodes NODE node.kubernetes.io/out-of-service-',
  'ConfigMap address-pools[].bgp-advertisements[].service-selectors':
    'let service-selectors of a bgp-advertisement match the labels of the Service',
  'ConfigMap address-pools[].l2-advertisements[].service-selectors':
    'let service-selectors of an l2-advertisement match the labels of the Service',
  'ConfigMap address-pools[].l2-advertisements[].node-selectors':
    'let node-selectors of an l2-advertisement match the labels of a node',
  'ConfigMap address-pools[].l2-advertisements[].interfaces':
    'name an interface that exists on the nodes and is up',
};

const byCause: Readonly<Record<string, string>> = {
  'no-protocol': 'set protocol of the pool, if Bellman is to announce its addresses',
  'adopt-only': 'go on with the takeover: bellman takeover status prints the next command',
  leaving: 'end what makes the node leave; bellman undrain ends what bellman drain began',
  'announce-delay': 'wait, or shorten announce-delay',
  'no-endpoint':
    'look at the Pods that spec.selector of the Service selects, and at their readiness probes: kubectl get endpointslices',
  'no-local-endpoint':
    'run a ready Pod of the Service on a node that may announce, or set externalTrafficPolicy: Cluster',
  'no-peer':
    'let node-selectors of a peer and of a bgp-advertisement match a node, and families include the address',
  'no-link':
    'add addresses to the pool that lie in a subnet of the nodes, or name interfaces in l2-advertisements, or announce the pool by BGP',
};

export function remedyFor({
  cause,
  field,
}: {
  readonly cause: string;
  readonly field?: string;
}): string | undefined {
  return (field === undefined ? undefined : byField[field]) ?? byCause[cause];
}
