import type { Api } from '../../kubernetes/api.ts';

/** The rights that the controller needs only for dead nodes, as `kubectl auth can-i` names them. `manifests/dead-nodes/` grants them. */
function neededRights(namespace: string) {
  return [
    { verb: 'watch', resource: 'nodes' },
    { verb: 'watch', resource: 'pods', namespace },
    { verb: 'list', resource: 'pods' },
    { verb: 'patch', resource: 'pods', subresource: 'status' },
    { verb: 'list', group: 'coordination.k8s.io', resource: 'leases', namespace },
    { verb: 'watch', group: 'coordination.k8s.io', resource: 'leases', namespace },
    { verb: 'get', group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease' },
  ] as const;
}

/** Asks the API server which of the needed rights this process lacks. Every account may ask that about itself. */
export async function missingRights(client: Api, namespace: string): Promise<string[]> {
  const missing: string[] = [];
  for (const right of neededRights(namespace)) {
    const { status } = await client.request<{ readonly status?: { readonly allowed?: boolean } }>({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: right },
      },
    });
    if (status?.allowed !== true) missing.push(nameOf(right));
  }
  return missing;
}

function nameOf(right: ReturnType<typeof neededRights>[number]): string {
  const resource = 'subresource' in right ? `${right.resource}/${right.subresource}` : right.resource;
  return `${right.verb} ${resource}${'namespace' in right ? ` in ${right.namespace}` : ''}`;
}
