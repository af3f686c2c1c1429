/**
 * The pods of a lab. This file plays Deployment and kubelet: a pod is an HTTP server in its own network namespace and a Pod in the API. With
 * the embedded API server, this file plays the EndpointSlice controller too.
 */
import { join } from 'node:path';
import type { KubernetesClient } from '../src/kubernetes/client.ts';
import { serviceNameLabel } from '../src/kubernetes/model.ts';
import { paths } from '../src/kubernetes/write.ts';
import { eventually } from '../test/support/eventually.ts';
import { buildPod, type LabNode } from './fabric.ts';
import type { Processes } from './processes.ts';
import { put } from './put.ts';

const namespace = 'default';
const port = 8080;
const families = ['IPv4', 'IPv6'] as const;

interface Pod {
  readonly name: string;
  readonly service: string;
  readonly node: LabNode;
  /** One address of each family, in the order of `families`. */
  readonly addresses: readonly [v4: string, v6: string];
}

/** The pods of one Service on one node, while they terminate and still serve. */
export interface TerminatingPods {
  readonly addresses: readonly string[];
  /** Ends the processes, and then removes the endpoints. */
  end(): Promise<void>;
}

interface Slice {
  /** `null` without endpoints. */
  readonly endpoints: readonly { readonly addresses: readonly string[] }[] | null;
}

export class Pods {
  readonly #client: KubernetesClient;
  readonly #processes: Processes;
  readonly #publishes: boolean;
  #pods: readonly Pod[] = [];
  readonly #terminating = new Set<Pod>();
  #made = 0;

  /** `publishes`: whether this object writes the EndpointSlices. Otherwise the cluster has a controller that does. */
  constructor(client: KubernetesClient, processes: Processes, options: { readonly publishes: boolean }) {
    this.#client = client;
    this.#processes = processes;
    this.#publishes = options.publishes;
  }

  /** Adds a pod of the Service on each of the nodes. Resolves once the pods listen and the API server has their Pods. */
  async add(service: string, nodes: readonly LabNode[]): Promise<void> {
    const made = await Promise.all(nodes.map((node) => this.#make(service, node)));
    this.#pods = [...this.#pods, ...made];
    await Promise.all(
      made.map(async (pod) => {
        const object = podObject(pod);
        await put(this.#client, podsPath, object);
        // The API server ignores the status in a request that creates a Pod.
        await this.#client.request({
          method: 'PATCH',
          path: `${podsPath}/${pod.name}/status`,
          contentType: 'application/merge-patch+json',
          body: { status: podStatus(pod.addresses) },
        });
      }),
    );
    if (this.#publishes) await this.#publish(service);
  }

  /** Removes the Service's pods from a node: first the endpoints, then the processes. */
  async remove(service: string, node: LabNode): Promise<void> {
    const gone = this.#pods.filter((pod) => pod.service === service && pod.node === node);
    this.#pods = this.#pods.filter((pod) => !gone.includes(pod));
    if (this.#publishes) await this.#publish(service);
    await this.#deleteNow(gone);
    await eventually('the endpoints are gone', async () => !(await this.#arePublished(service, gone)));
    for (const { name } of gone) await this.#processes.stop(name);
  }

  /**
   * Lets the Service's pods on a node terminate like a deleted Pod with a `preStop` hook. Their endpoints are no longer ready, but the pods serve
   * until {@link TerminatingPods.end} is called.
   */
  async terminate(service: string, node: LabNode): Promise<TerminatingPods> {
    const gone = this.#pods.filter((pod) => pod.service === service && pod.node === node);
    if (this.#publishes) {
      for (const pod of gone) this.#terminating.add(pod);
      await this.#publish(service);
    } else
      for (const { name } of gone)
        await this.#client.request({ method: 'DELETE', path: `${podsPath}/${name}` });
    return {
      addresses: gone.flatMap((pod) => pod.addresses),
      end: async () => {
        for (const { name } of gone) await this.#processes.stop(name);
        this.#pods = this.#pods.filter((pod) => !gone.includes(pod));
        for (const pod of gone) this.#terminating.delete(pod);
        if (this.#publishes) await this.#publish(service);
        await this.#deleteNow(gone);
      },
    };
  }

  /** Deletes Pods with a grace period of 0, so that they disappear at once. The kubelet does so when the processes of a Pod have ended. */
  async #deleteNow(pods: readonly Pod[]): Promise<void> {
    for (const { name } of pods)
      await this.#client.request({ method: 'DELETE', path: `${podsPath}/${name}?gracePeriodSeconds=0` });
  }

  /** Whether a slice of the Service has the address of one of the pods. */
  async #arePublished(service: string, pods: readonly Pod[]): Promise<boolean> {
    const { items } = await this.#client.request<{ items: readonly Slice[] }>({
      method: 'GET',
      path: `${slicesPath}?labelSelector=${encodeURIComponent(`${serviceNameLabel}=${service}`)}`,
    });
    const published = new Set(
      items.flatMap(({ endpoints }) => endpoints ?? []).flatMap((each) => each.addresses),
    );
    return pods.some(({ addresses }) => addresses.some((address) => published.has(address)));
  }

  async #make(service: string, node: LabNode): Promise<Pod> {
    const hostNumber = ++this.#made + 1;
    const name = `${service}-${hostNumber}`;
    const { namespace: host, addresses } = await buildPod(node, name, hostNumber);
    const script = join(import.meta.dirname, 'pod.ts');
    this.#processes.start(name, host, process.execPath, [script, name, node.name, String(port)]);
    while (!this.#processes.log(name).includes('listening')) {
      if (!this.#processes.isRunning(name))
        throw new Error(`pod ${name} ended: ${this.#processes.log(name)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return { name, service, node, addresses };
  }

  async #publish(service: string): Promise<void> {
    const own = this.#pods.filter((pod) => pod.service === service);
    const slices = families.map((family, index) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${service}-${family.toLowerCase()}`,
        namespace,
        labels: { [serviceNameLabel]: service },
      },
      addressType: family,
      ports: [{ name: '', port, protocol: 'TCP' }],
      endpoints: own.map((pod) => ({
        addresses: [pod.addresses[index]],
        nodeName: pod.node.name,
        conditions: {
          ready: !this.#terminating.has(pod),
          serving: true,
          terminating: this.#terminating.has(pod),
        },
        targetRef: { kind: 'Pod', namespace, name: pod.name },
      })),
    }));
    // Old versions of `kubectl describe service` show Endpoints, which hold one family.
    const endpoints = {
      metadata: { name: service, namespace },
      subsets:
        own.length === 0
          ? []
          : [{ addresses: own.map(({ addresses: [ip] }) => ({ ip })), ports: [{ port, protocol: 'TCP' }] }],
    };
    await Promise.all([
      ...slices.map((slice) => put(this.#client, slicesPath, slice)),
      put(this.#client, endpointsPath, endpoints),
    ]);
  }
}

const podsPath = `/api/v1/namespaces/${namespace}/pods`;
const endpointsPath = `/api/v1/namespaces/${namespace}/endpoints`;
const slicesPath = paths.endpointSlices.replace(/(\w+)$/, `namespaces/${namespace}/$1`);

function podObject({ name, service, node }: Pod) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: service } },
    spec: {
      nodeName: node.name,
      // A real Kubernetes keeps a deleted Pod in Terminating until the lab deletes it again with a grace period of 0. No test takes an hour.
      terminationGracePeriodSeconds: 3600,
      containers: [{ name: 'server', image: 'pod.ts' }],
    },
  };
}

/** The status that the kubelet reports of a ready Pod with one container. */
export function podStatus(ips: readonly string[], container = { name: 'server', image: 'pod.ts' }): object {
  const state = { running: { startedAt: new Date().toISOString() } };
  return {
    containerStatuses: [{ ...container, imageID: '', ready: true, restartCount: 0, state }],
    phase: 'Running',
    podIP: ips[0],
    podIPs: ips.map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: 'True' }],
  };
}
