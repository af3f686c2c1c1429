import { type ListPath, objectsIn, type SourceName, type SourceObject, sources } from '../convert/index.ts';
import type { Api } from '../kubernetes/api.ts';
import { connect } from '../kubernetes/client.ts';
import { readObject } from '../report/read/api-read.ts';
import { addressesOfServices } from './assigned-addresses.ts';
import type { ClusterState } from './convert-objects.ts';

/**
 * Reads what `bellman convert` needs from a cluster: the addresses of all Services of type LoadBalancer and, when `from` is given, the
 * objects of this source (`auto`: of all sources). Rejects when the API server does not answer, or answers with something that is not a list.
 */
export async function readCluster(
  kubeconfig: string,
  { from }: { readonly from?: SourceName | 'auto' },
): Promise<ClusterState> {
  const client = await connect(kubeconfig, 'bellman-convert');
  try {
    const assigned = await addressesOfServices(client);
    const objects: SourceObject[] = [];
    for (const source of from === undefined ? [] : sources)
      if (from === 'auto' || from === source.name)
        for (const alternatives of source.lists) objects.push(...(await readFirst(client, alternatives)));
    return { objects, assigned };
  } finally {
    client.close();
  }
}

/** Reads the first of these lists that the server has. The lists belong to versions of one resource, so each shows the same objects. */
async function readFirst(client: Api, alternatives: readonly ListPath[]): Promise<SourceObject[]> {
  for (const { path, apiVersion, kind } of alternatives) {
    const list = await readObject<{ readonly items?: unknown }>(client, path);
    if (list === undefined) continue;
    const read = objectsIn({ apiVersion, kind: `${kind}List`, items: list.items ?? [] });
    if (!read.ok) throw new Error(`cannot read ${path}: ${read.error}`);
    return read.value;
  }
  return [];
}
