/** Counts the requests of Bellman's processes in the audit log of kube-apiserver. */
import { type AuditEvent, isFirstOfRequest, resourceOf } from './audit-log.ts';
import { isOurs } from './refusals.ts';

export interface ProcessRequests {
  /** Program and address: `bellman-speaker 10.255.0.11`. */
  readonly process: string;
  readonly total: number;
  /** By verb and resource, such as `watch services`, or by verb and path for a path outside the API, such as `get /version`. */
  readonly byKind: ReadonlyMap<string, number>;
}

/**
 * Counts the requests that the server received from `fromMs` on and before `toMs`, both in milliseconds since 1970. The processes are in
 * alphabetical order.
 */
export function countRequests(
  events: readonly AuditEvent[],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): readonly ProcessRequests[] {
  const counts = new Map<string, Map<string, number>>();
  for (const event of events) {
    const atMs = Date.parse(event.requestReceivedTimestamp);
    if (atMs < fromMs || atMs >= toMs || !isOurs(event) || !isFirstOfRequest(event)) continue;
    const process = processOf(event);
    const kind = `${event.verb} ${resourceOf(event) ?? event.requestURI.split('?')[0]}`;
    const byKind = counts.get(process) ?? new Map<string, number>();
    byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
    counts.set(process, byKind);
  }
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([process, byKind]) => ({
      process,
      total: [...byKind.values()].reduce((sum, count) => sum + count, 0),
      byKind,
    }));
}

/** The program that sent the request, and its address. */
export function processOf({ userAgent = '', sourceIPs: [address = ''] = [] }: AuditEvent): string {
  return `${userAgent.split('/')[0]} ${address}`;
}
