import { type Api, ApiError } from './client.ts';
import type { IngressAddress, ObjectKey } from './model.ts';
import type { RawObject } from './watch.ts';

/** Paths of the collections that Bellman reads and writes. */
export const paths = {
  services: '/api/v1/services',
  nodes: '/api/v1/nodes',
  namespaces: '/api/v1/namespaces',
  endpointSlices: '/apis/discovery.k8s.io/v1/endpointslices',
  configMaps: (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`,
  pods: (namespace: string) => `/api/v1/namespaces/${namespace}/pods`,
  secrets: (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`,
  leases: (namespace: string) => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
  events: (namespace: string) => `/api/v1/namespaces/${namespace}/events`,
} as const;

function servicePath({ namespace, name }: ObjectKey): string {
  return `/api/v1/namespaces/${namespace}/services/${name}`;
}

/**
 * Replaces `status.loadBalancer.ingress` and sets annotations (`null` removes one) in a single write: for Services the status
 * subresource takes metadata too, so that both change together and `services/status` is all the permission needed. The
 * resourceVersion makes it a conflict (ApiError 409) when somebody has written in between: the caller looks again instead of
 * overwriting.
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

/** Sets annotations of an object; `null` removes one. With a resourceVersion it is a conflict when somebody wrote in between. */
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
  // By the status path, so that no permission to change a Service's spec is needed.
  return patchAnnotations(client, `${servicePath(key)}/status`, annotations, resourceVersion);
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

/**
 * Whether one resourceVersion is older than another of the same object: they are numbers that grow (KEP-5504). Versions that are
 * not numbers count as newer, so that nothing is ever ignored.
 */
export function isOlderVersion(version: string, than: string): boolean {
  const decimal = /^\d{1,32}$/;
  return decimal.test(version) && decimal.test(than) && BigInt(version) < BigInt(than);
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}
