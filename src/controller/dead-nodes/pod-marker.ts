/**
 * Sets Pods of a dead node to not ready, as the node-lifecycle controller of Kubernetes does when it notices the death itself. The
 * EndpointSlice controller then sets the endpoints of these Pods to not ready. If the node is alive after all, its kubelet sets the Pods to
 * ready again at its next sync.
 */
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { isConflict, isNotFound } from '../../kubernetes/api-error.ts';
import { listPages } from '../../kubernetes/list.ts';
import { ObjectReader } from '../../kubernetes/object-reader.ts';
import { readRawObject } from '../../kubernetes/watch-event.ts';

const nodeDeadReason = 'BellmanNodeDead';

export interface PodMarkerOptions {
  readonly client: Api;
  /** Wall clock, milliseconds since 1970. */
  readonly epochMs: () => number;
  /** Reads the signs of life again. Resolves to false when the node must not be marked. */
  readonly isStillDead: () => Promise<boolean>;
}

export interface MarkedPods {
  readonly marked: number;
  /** Number of Pods that changed or disappeared after they were listed. The caller must list the Pods again to mark these too. */
  readonly skipped: number;
  /** Whether `isStillDead` resolved to false before all Pods were marked. */
  readonly isStopped: boolean;
  /** The first error of a request; `undefined` when no request failed. */
  readonly failure: unknown;
}

const pageSize = 500;
/** Writes under way at once. */
const lanes = 8;

/** Marks all ready Pods of the node. Rejects when they cannot be listed. A write that fails because a Pod has changed or is gone is no failure. */
export async function markPods(node: string, options: PodMarkerOptions): Promise<MarkedPods> {
  const waiting = await readyPods(options.client, node);
  const done = { marked: 0, skipped: 0, isStopped: false };
  const work = async () => {
    for (let pod = waiting.pop(); pod && !done.isStopped; pod = waiting.pop()) {
      if (!(await options.isStillDead())) done.isStopped = true;
      else if (await mark(pod, options)) done.marked++;
      else done.skipped++;
    }
  };
  // After a failure the caller lists the Pods again, so all lanes must have stopped writing before `markPods` resolves.
  const ends = await Promise.allSettled(Array.from({ length: lanes }, work));
  const failed = ends.find((end) => end.status === 'rejected');
  return { ...done, failure: failed?.reason };
}

async function readyPods(client: Api, node: string): Promise<RawObject[]> {
  const ready: RawObject[] = [];
  const query = { fieldSelector: `spec.nodeName=${node}` };
  for await (const { items } of listPages(client, '/api/v1/pods', { query, pageSize }))
    ready.push(...items.map(readRawObject).filter((pod) => isOn(node, pod) && isReady(pod)));
  return ready;
}

function isOn(node: string, pod: RawObject): boolean {
  return new ObjectReader(pod).object('spec').text('nodeName') === node;
}

function isReady(pod: RawObject): boolean {
  return conditionsOf(pod).some(({ type, status }) => type === 'Ready' && status === 'True');
}

interface PodCondition {
  readonly type?: unknown;
  readonly status?: unknown;
}

function conditionsOf(pod: RawObject): readonly PodCondition[] {
  const { status } = pod as { readonly status?: { readonly conditions?: unknown } };
  return Array.isArray(status?.conditions) ? (status.conditions as PodCondition[]) : [];
}

/** Returns false when the Pod has changed since it was listed. A change may be a sign of life. */
async function mark(pod: RawObject, { client, epochMs }: PodMarkerOptions): Promise<boolean> {
  const { name, namespace = '', resourceVersion } = pod.metadata;
  const conditions = conditionsOf(pod).map((condition) =>
    condition.type === 'Ready'
      ? {
          ...condition,
          status: 'False',
          reason: nodeDeadReason,
          message: 'a majority of the speakers of Bellman finds the node of this Pod dead',
          lastTransitionTime: new Date(epochMs()).toISOString().replace(/\.\d+Z$/, 'Z'),
        }
      : condition,
  );
  try {
    await client.request({
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/pods/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion }, status: { conditions } },
    });
    return true;
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return false;
    throw error;
  }
}
