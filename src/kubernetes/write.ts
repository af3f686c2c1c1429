/** Paths of the objects that Bellman reads or writes, and patches of those that it writes. */
import type { Api, RawObject } from './api.ts';
import type { IngressAddress, ObjectKey, ServiceCondition } from './model.ts';

export const paths = {
  services: '/api/v1/services',
  nodes: '/api/v1/nodes',
  namespaces: '/api/v1/namespaces',
  serviceCIDRs: '/apis/networking.k8s.io/v1/servicecidrs',
  endpointSlices: '/apis/discovery.k8s.io/v1/endpointslices',
  configMaps: (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`,
  pods: (namespace: string) => `/api/v1/namespaces/${namespace}/pods`,
  secrets: (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`,
  leases: (namespace: string) => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
  events: (namespace: string) => `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
} as const;

function servicePath({ namespace, name }: ObjectKey): string {
  return `/api/v1/namespaces/${namespace}/services/${name}`;
}

/**
 * Replaces `status.loadBalancer.ingress` and sets annotations (`null` removes one) in a single write. The status subresource of a
 * Service accepts metadata too, so both change together and `services/status` is the only permission needed. Rejects with
 * a conflict (409) when the resourceVersion is outdated, so that it never overwrites another writer's change.
 */
export function patchServiceStatus(
  client: Api,
  key: ObjectKey,
  resourceVersion: string,
  change: {
    readonly ingress?: readonly IngressAddress[];
    readonly annotations?: Readonly<Record<string, string | null>>;
  },
): Promise<RawObject> {
  const { ingress, annotations } = change;
  return client.request({
    method: 'PATCH',
    path: `${servicePath(key)}/status`,
    contentType: 'application/merge-patch+json',
    body: {
      metadata: { resourceVersion, ...(annotations === undefined ? {} : { annotations }) },
      ...(ingress === undefined
        ? {}
        : { status: { loadBalancer: { ingress: ingress.length > 0 ? ingress : null } } }),
    },
  });
}

/**
 * Sets conditions of a Service by server-side apply, as the field manager `fieldManager`. Conditions of other managers stay, and those that this
 * manager applied earlier and leaves out now are removed. Rejects with 409 when the Service is gone, and with 422 when it has another uid.
 */
export function applyServiceConditions(
  client: Api,
  key: ObjectKey & { readonly uid: string },
  fieldManager: string,
  conditions: readonly ServiceCondition[],
): Promise<RawObject> {
  const { namespace, name, uid } = key;
  return client.request({
    method: 'PATCH',
    // With `force`, this manager takes its conditions over from any other manager. No other program has a reason to write them.
    path: `${servicePath(key)}/status?fieldManager=${fieldManager}&force=true`,
    contentType: 'application/apply-patch+yaml',
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name, uid },
      status: conditions.length === 0 ? {} : { conditions },
    },
  });
}

/** Sets annotations of an object; `null` removes one. Rejects with a conflict (409) when the resourceVersion is outdated. */
export function patchAnnotations(
  client: Api,
  objectPath: string,
  annotations: Readonly<Record<string, string | null>>,
  resourceVersion?: string,
): Promise<RawObject> {
  return client.request({
    method: 'PATCH',
    path: objectPath,
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations, ...(resourceVersion === undefined ? {} : { resourceVersion }) } },
  });
}

export function patchServiceAnnotations(
  client: Api,
  key: ObjectKey,
  annotations: Readonly<Record<string, string | null>>,
  resourceVersion?: string,
): Promise<RawObject> {
  // The status path needs no permission to change a Service's spec.
  return patchAnnotations(client, `${servicePath(key)}/status`, annotations, resourceVersion);
}

/**
 * Whether one resourceVersion is older than another of the same object. resourceVersions are growing numbers (KEP-5504). If one of them is
 * not a number, the result is false, so that the caller ignores no change.
 */
export function isOlderVersion(version: string, than: string): boolean {
  const decimal = /^\d{1,32}$/;
  return decimal.test(version) && decimal.test(than) && BigInt(version) < BigInt(than);
}
