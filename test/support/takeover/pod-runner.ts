/**
 * Plays kube-scheduler and the kubelets for the Pods of one namespace: binds each Pod to a node, runs a process of the lab for it, reports it as
 * ready, and ends the process when the Pod is deleted. Needs Kubernetes, whose controllers make and delete the Pods.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../../../lab/lab.ts';
import { podStatus } from '../../../lab/pods.ts';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { paths } from '../../../src/kubernetes/write.ts';

export interface RunnerPod {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string; readonly affinity?: Affinity };
}

interface Affinity {
  readonly nodeAffinity?: {
    readonly requiredDuringSchedulingIgnoredDuringExecution?: {
      readonly nodeSelectorTerms: readonly {
        readonly matchFields?: readonly { readonly key: string; readonly values: readonly string[] }[];
      }[];
    };
  };
}

export interface PodProcess {
  /** Name of the process in the lab. */
  readonly name: string;
  readonly ips: readonly string[];
  start(): Promise<void>;
}

const pollMs = 100;

export class PodRunner {
  readonly #lab: Lab;
  readonly #pods: string;
  readonly #processOf: (pod: RunnerPod) => PodProcess;
  /** Processes by the names of their Pods. */
  readonly #running = new Map<string, PodProcess>();
  /** Names of the Pods that have been reported as ready. */
  readonly #reported = new Set<string>();
  #isClosed = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(lab: Lab, namespace: string, processOf: (pod: RunnerPod) => PodProcess) {
    this.#lab = lab;
    this.#pods = paths.pods(namespace);
    this.#processOf = processOf;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#sync();
      } catch (error) {
        // A controller may change or delete a Pod at the same time. The next round sees that.
        if (!(error instanceof ApiError)) throw error;
      }
      await sleep(pollMs);
    }
  }

  async #sync(): Promise<void> {
    const { client } = this.#lab;
    const { items } = await client.request<{ items: readonly RunnerPod[] }>({
      method: 'GET',
      path: this.#pods,
    });
    // A Pod that was deleted without a grace period is gone at once.
    const present = new Set(items.map(({ metadata }) => metadata.name));
    for (const name of this.#running.keys()) if (!present.has(name)) await this.#stop(name);
    for (const pod of items) {
      const { name, deletionTimestamp } = pod.metadata;
      if (deletionTimestamp !== undefined) await this.#end(name);
      else if (pod.spec.nodeName === undefined) await this.#bind(pod);
      else if (!this.#reported.has(name)) await this.#begin(pod);
    }
  }

  async #bind(pod: RunnerPod): Promise<void> {
    const { name } = pod.metadata;
    await this.#lab.client.request({
      method: 'POST',
      path: `${this.#pods}/${name}/binding`,
      body: {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeOf(pod) ?? this.#lab.fabric.nodes[0]?.name },
      },
    });
  }

  /** When the report fails, the next round repeats only the report. */
  async #begin(pod: RunnerPod): Promise<void> {
    const { name, labels } = pod.metadata;
    const process = this.#running.get(name) ?? this.#processOf(pod);
    if (!this.#running.has(name)) await process.start();
    this.#running.set(name, process);
    const container = { name: labels.component ?? 'container', image: 'metallb' };
    await this.#lab.client.request({
      method: 'PATCH',
      path: `${this.#pods}/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: podStatus(process.ips, container) },
    });
    this.#reported.add(name);
  }

  async #stop(name: string): Promise<void> {
    const process = this.#running.get(name);
    if (process) await this.#lab.stop(process.name);
    this.#running.delete(name);
    this.#reported.delete(name);
  }

  async #end(name: string): Promise<void> {
    await this.#stop(name);
    await this.#lab.client.request({
      method: 'DELETE',
      path: `${this.#pods}/${name}`,
      body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 },
    });
  }
}

/** The node for which the DaemonSet controller has made the Pod. */
function nodeOf({ spec: { affinity } }: RunnerPod): string | undefined {
  const { nodeSelectorTerms = [] } =
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? {};
  return nodeSelectorTerms
    .flatMap(({ matchFields = [] }) => matchFields)
    .find(({ key }) => key === 'metadata.name')?.values[0];
}
