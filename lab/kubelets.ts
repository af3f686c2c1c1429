/**
 * Plays the kubelets in a lab with Kubernetes. It does only the part of their work that shows Kubernetes which nodes live. Each kubelet renews the
 * Lease of its node every 10 s. When another process sets the Node or one of its Pods to not ready, the kubelet sets it to ready again.
 */
import { ApiError } from '../src/kubernetes/api-error.ts';
import type { KubernetesClient } from '../src/kubernetes/client.ts';
import { paths } from '../src/kubernetes/write.ts';
import { eventually } from '../test/support/eventually.ts';

/** A real kubelet, too, renews its Lease and compares the status of its Pods with the API server every 10 s by default. */
const periodMs = 10_000;
const leases = paths.leases('kube-node-lease');

interface Status {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

interface Pod {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly status?: Status & { readonly phase?: string };
}

function isReady({ conditions = [] }: Status = {}): boolean {
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

export class Kubelets {
  readonly #client: KubernetesClient;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();

  constructor(client: KubernetesClient) {
    this.#client = client;
  }

  /** Resolves when the Lease has been renewed once. */
  async start(node: string): Promise<void> {
    await eventually(`the Lease of ${node} is renewed`, () => this.#renew(node).then(() => true));
    this.#timers.set(
      node,
      setInterval(() => this.#tick(node), periodMs),
    );
    this.#tick(node);
  }

  /** Plays the death of a kubelet with its node. Even a round that has already begun sets no further object to ready. */
  stop(node: string): void {
    clearInterval(this.#timers.get(node));
    this.#timers.delete(node);
  }

  async close(): Promise<void> {
    for (const node of [...this.#timers.keys()]) this.stop(node);
    await Promise.all(this.#running);
  }

  /** A kubelet that does not reach the API server tries again in its next round. */
  #tick(node: string): void {
    const run = Promise.all([this.#renew(node), this.#syncNode(node), this.#syncPods(node)])
      .then(
        () => {},
        (error: unknown) => {
          if (!(error instanceof ApiError)) throw error;
        },
      )
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  async #renew(node: string): Promise<void> {
    const spec = {
      holderIdentity: node,
      leaseDurationSeconds: 40,
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: node }, spec };
    try {
      const contentType = 'application/merge-patch+json';
      await this.#client.request({ method: 'PATCH', path: `${leases}/${node}`, contentType, body: lease });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
      await this.#client.request({ method: 'POST', path: leases, body: lease });
    }
  }

  async #syncPods(node: string): Promise<void> {
    const { items } = await this.#client.request<{ items: readonly Pod[] }>({
      method: 'GET',
      path: `/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`,
    });
    for (const { metadata, status } of items) {
      if (isReady(status) || status?.phase !== 'Running' || !this.#timers.has(node)) continue;
      await this.#setReady(`${paths.pods(metadata.namespace)}/${metadata.name}`);
    }
  }

  async #syncNode(node: string): Promise<void> {
    const path = `${paths.nodes}/${node}`;
    const { status } = await this.#client.request<{ status?: Status }>({ method: 'GET', path });
    if (!isReady(status) && this.#timers.has(node)) await this.#setReady(path);
  }

  async #setReady(path: string): Promise<void> {
    await this.#client.request({
      method: 'PATCH',
      path: `${path}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Lab' }] } },
    });
  }
}
