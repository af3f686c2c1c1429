/** How the tests are divided, and which of them are left out. */

/** Tests that run together, in one state of the lab. */
export interface Part {
  /** Names the files of the results. */
  readonly name: string;
  /** True for the part with the tests of session affinity. False for the part with all other tests. */
  readonly isOfAffinity: boolean;
  /** `fib_multipath_hash_policy` of the router: 0 hashes the addresses of a packet, 1 its ports too. */
  readonly hashPolicy: 0 | 1;
  /** How many of the three nodes take new Pods. */
  readonly schedulableNodes: 1 | 3;
}

export const parts: readonly Part[] = [
  { name: 'connections', isOfAffinity: false, hashPolicy: 1, schedulableNodes: 3 },
  // For session affinity, kube-proxy keeps a table of clients on each node. The router must therefore send all connections of a client to one node,
  // so it hashes addresses only. With `externalTrafficPolicy: Local`, the client then reaches only the Pods of that node. One test also expects that
  // a client without affinity reaches several Pods, so all Pods are on one node.
  { name: 'clients', isOfAffinity: true, hashPolicy: 0, schedulableNodes: 1 },
];

/** The groups of tests that concern Services, in the order of the page. */
export const groups = ['LoadBalancers', 'LoadBalancers ExternalTrafficPolicy: Local', 'Services'] as const;

/** The tests that are left out, each with the reason that the page gives. */
export const leftOut: Readonly<Record<string, string>> = {
  'should handle load balancer cleanup finalizer for service':
    "it tests the finalizer `service.kubernetes.io/load-balancer-cleanup` that the service controller of a cloud provider sets, so that it can delete the cloud's load balancer before the Service is gone. Bellman leaves nothing outside the cluster to delete, so it sets no finalizer.",
};

/** The names of the tests of the part that match `focus`. `names` are the names of all tests that the program has. */
export function testsOf({ isOfAffinity }: Part, names: readonly string[], focus = /./): readonly string[] {
  return names.filter(
    (name) =>
      groups.some((group) => name.startsWith(`[sig-network] ${group} `)) &&
      /session affinity .*LoadBalancer service/.test(name) === isOfAffinity &&
      !Object.keys(leftOut).some((left) => name.includes(left)) &&
      focus.test(name),
  );
}
