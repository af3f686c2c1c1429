/** Requests to the API server, for benches whose cluster is large. */
import type { Api } from '../../src/kubernetes/api.ts';
import { listPages } from '../../src/kubernetes/list.ts';

const atOnce = 16;

export interface ServiceStatus {
  readonly status: { readonly loadBalancer: { readonly ingress?: readonly object[] } };
}

/** Whether the Service has one address. */
export function isServed({ status }: ServiceStatus): boolean {
  return status.loadBalancer.ingress?.length === 1;
}

/** Makes the requests 0 to `count - 1`, several at a time. */
export async function inParallel(count: number, request: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await request(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** The number of Services at `path` that have one address. */
export async function servedServices(client: Api, path: string): Promise<number> {
  let count = 0;
  for await (const { items } of listPages(client, path, { pageSize: 500 }))
    count += (items as readonly ServiceStatus[]).filter(isServed).length;
  return count;
}
