/**
 * A whole Kubernetes on one machine, inside the world that `run` makes: the control plane of `lab/kubernetes/`, kube-scheduler, and nodes of the
 * lab's fabric with kubelet, containerd and kube-proxy. Bellman is not installed yet. Its image is on every node. Everything ends with the world.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/target.ts';
import { eventually } from '../../test/support/eventually.ts';
import { addresses, birdConfig, buildFabric, type Fabric, type LabNode } from '../fabric.ts';
import { startKubeProxy } from '../kubernetes/kube-proxy.ts';
import { Kubernetes } from '../kubernetes/kubernetes.ts';
import { Processes } from '../processes.ts';
import type { KubeletOptions } from './kubelet.ts';
import { ClusterNode } from './node.ts';
import { buildPauseImage } from './pause-image.ts';

/** Not below /run, because each node has a /run of its own. */
const folder = '/tmp/cluster';
const birdSocket = join(folder, 'bird.ctl');
const apiPort = 6443;

export interface ClusterOptions extends KubeletOptions {
  /** Archives of images that every node has, in addition to Bellman's. */
  readonly images?: readonly string[];
}

export class Cluster {
  readonly fabric: Fabric;
  readonly #processes: Processes;
  readonly #kubernetes: Kubernetes;

  private constructor(fabric: Fabric, processes: Processes, kubernetes: Kubernetes) {
    this.fabric = fabric;
    this.#processes = processes;
    this.#kubernetes = kubernetes;
  }

  /** Resolves once all nodes are Ready. */
  static async start(nodeCount: number, { images = [], ...kubelet }: ClusterOptions = {}): Promise<Cluster> {
    const { BELLMAN_KUBERNETES: programs, BELLMAN_CLUSTER_GROUP: group } = process.env;
    const { BELLMAN_CLUSTER_IMAGE: imageFolder } = process.env;
    if (programs === undefined || group === undefined || imageFolder === undefined)
      throw new Error(
        'a cluster needs programs, an image and a world of its own: start this with lab/cluster/run',
      );
    mkdirSync(folder, { recursive: true });
    const fabric = await buildFabric(nodeCount);
    for (const { index } of fabric.nodes)
      await fabric.control.ip('route', 'add', `10.244.${index}.0/24`, 'via', `10.255.0.${10 + index}`);
    const processes = new Processes(folder);
    const kubernetes = await Kubernetes.start({
      processes,
      host: fabric.control,
      address: addresses.control,
      port: apiPort,
      folder,
      programs,
      kubelets: fabric.nodes.map(({ name }) => name),
    });
    const cluster = new Cluster(fabric, processes, kubernetes);
    const image = readdirSync(imageFolder).find((file) => file.endsWith('.tar')) ?? '';
    const archives = [buildPauseImage(folder), join(imageFolder, image), ...images];
    await Promise.all(
      fabric.nodes.map((node) => cluster.#startNode(node, join(group, node.name), archives, kubelet)),
    );
    cluster.#startRouter();
    await cluster.until(
      'all nodes are Ready',
      async () =>
        (await cluster.kubectl('get', 'nodes', '--no-headers')).match(/ Ready /g)?.length === nodeCount,
    );
    return cluster;
  }

  async #startNode(
    host: LabNode,
    group: string,
    archives: readonly string[],
    kubelet: KubeletOptions,
  ): Promise<void> {
    const node = await ClusterNode.create(this.#processes, host, { folder: join(folder, host.name), group });
    await node.startContainerd(archives);
    node.startKubelet(this.#kubernetes, kubelet);
    startKubeProxy(this.#kubernetes, this.#processes, host, folder);
  }

  #startRouter(): void {
    const config = join(folder, 'bird.conf');
    writeFileSync(config, birdConfig(this.fabric));
    this.#processes.start('bird', this.fabric.router, 'bird', ['-f', '-c', config, '-s', birdSocket]);
  }

  /** The path of a kubeconfig of a user who may do everything. */
  get kubeconfig(): string {
    return this.#kubernetes.kubeconfig;
  }

  /** The path of one of the programs of Kubernetes. */
  program(name: string): string {
    return this.#kubernetes.program(name);
  }

  kubectl(...args: string[]): Promise<string> {
    const flags = ['--kubeconfig', this.kubeconfig, '--cache-dir', join(folder, 'kube-cache')];
    return this.fabric.control.exec(this.#kubernetes.kubectl, ...flags, ...args);
  }

  /** Starts the plugin of kubectl as a user does. `output` returns what the plugin has printed. */
  startPlugin(...args: string[]): { output(): string; stop(): Promise<void> } {
    const name = 'kubectl-bellman';
    this.#processes.start(
      name,
      this.fabric.control,
      join(root, 'bin/kubectl-bellman'),
      ['--kubeconfig', this.kubeconfig, ...args],
      { KUBECTL: this.#kubernetes.kubectl },
    );
    return { output: () => this.#processes.log(name), stop: () => this.#processes.stop(name) };
  }

  /** Creates or updates objects as `kubectl apply` does. */
  async apply(name: string, ...objects: readonly object[]): Promise<void> {
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    await this.kubectl('apply', '--filename', file);
  }

  birdc(...args: string[]): Promise<string> {
    return this.fabric.router.exec('birdc', '-r', '-s', birdSocket, ...args);
  }

  /** Waits for a condition. After the deadline it throws an error with the condition, the state of the Pods and the last lines of every log. */
  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    try {
      await eventually(what, holds);
    } catch (error) {
      const state = await this.#state().catch((reason: unknown) => String(reason));
      throw new Error(`${error}\n${state}\n${this.#processes.lastLines(15)}`, { cause: error });
    }
  }

  async #state(): Promise<string> {
    const everything = ['--all-namespaces', '--output', 'wide'];
    const [objects, events] = await Promise.all([
      this.kubectl('get', 'nodes,pods,services', ...everything),
      this.kubectl('get', 'events', '--all-namespaces', '--sort-by', '.lastTimestamp'),
    ]);
    return `${objects}\n${events.split('\n').slice(-40).join('\n')}`;
  }

  /**
   * A test calls this method before it removes the roles of Bellman. Pods of Bellman may still run then, and the API server refuses their requests.
   * From this call on, `audit-report.ts` excuses refusals.
   */
  expectRefusals(): void {
    this.#kubernetes.expectRefusals();
  }

  /** Ends all processes that this object has started. Containers end with the world. */
  async close(): Promise<void> {
    await this.#processes.stopAll();
  }
}
