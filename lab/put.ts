import { ApiError } from '../src/kubernetes/api-error.ts';
import type { KubernetesClient } from '../src/kubernetes/client.ts';

export interface NamedObject {
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** Creates an object in a collection or replaces the existing one. */
export async function put(client: KubernetesClient, collection: string, object: NamedObject): Promise<void> {
  try {
    await client.request({ method: 'POST', path: collection, body: object });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
    await client.request({ method: 'PUT', path: `${collection}/${object.metadata.name}`, body: object });
  }
}
