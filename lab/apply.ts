/**
 * Creates and changes objects as `kubectl apply` does: a call removes the fields that an earlier call set and this call leaves out. It keeps
 * fields that other clients set. The lab does not run kubectl for this, because a process of kubectl needs more than a tenth of a second of CPU
 * time, and the tests apply objects hundreds of times.
 */
import type { Api } from '../src/kubernetes/api.ts';
import { isConflict } from '../src/kubernetes/api-error.ts';

/** The collections of the kinds that tests apply. */
const collections = {
  namespaced: new Map([
    ['v1 ConfigMap', '/api/v1/namespaces/*/configmaps'],
    ['v1 Pod', '/api/v1/namespaces/*/pods'],
    ['v1 Secret', '/api/v1/namespaces/*/secrets'],
    ['v1 Service', '/api/v1/namespaces/*/services'],
    ['discovery.k8s.io/v1 EndpointSlice', '/apis/discovery.k8s.io/v1/namespaces/*/endpointslices'],
  ]),
  others: new Map([['v1 Node', '/api/v1/nodes']]),
} as const;

/** The annotation in which kubectl keeps what was applied last. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

type JsonObject = Readonly<Record<string, unknown>>;

export interface AppliedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** The collection of an object; `undefined` for a kind that the lab applies with kubectl. */
export function collectionOf({ apiVersion, kind, metadata }: AppliedObject): string | undefined {
  const key = `${apiVersion} ${kind}`;
  return (
    collections.namespaced.get(key)?.replace('*', metadata.namespace ?? 'default') ??
    collections.others.get(key)
  );
}

export async function applyObject(client: Api, collection: string, object: AppliedObject): Promise<void> {
  const { metadata } = object;
  const annotations = { ...metadata.annotations, [lastApplied]: JSON.stringify(object) };
  const body = { ...object, metadata: { ...metadata, annotations } };
  const created = await client.request({ method: 'POST', path: collection, body }).then(
    () => true,
    (error: unknown) => {
      if (isConflict(error)) return false;
      throw error;
    },
  );
  if (created) return;
  const path = `${collection}/${metadata.name}`;
  const live = await client.request<AppliedObject>({ method: 'GET', path });
  const before = JSON.parse(live.metadata.annotations?.[lastApplied] ?? '{}') as JsonObject;
  await client.request({
    method: 'PATCH',
    path,
    contentType: 'application/merge-patch+json',
    body: patchOf(before, body),
  });
}

/** The JSON merge patch (RFC 7396) that sets all fields of `after`, and removes those that only `before` has. */
export function patchOf(before: JsonObject, after: JsonObject): JsonObject {
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(before)) if (!(key in after)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const earlier = before[key];
    patch[key] = isObject(value) ? patchOf(isObject(earlier) ? earlier : {}, value) : value;
  }
  return patch;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
