/**
 * All of Bellman on one machine, inside a private world (see `world`): the fabric, the API server, kube-proxy, BIRD on the router, and the
 * unmodified `bellman` processes. With the embedded API server, a stand-in plays kube-proxy, and `pods.ts` plays the EndpointSlice
 * controller. With Kubernetes (see `start-api-server.ts`), the real kube-proxy and the real EndpointSlice controller run. Files and namespaces end
 * with the world, so the lab does not remove them.
 */

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { V1Service } from '@kubernetes/client-node';
import { annotations } from '../src/cluster/names.ts';
import type { KubernetesClient } from '../src/kubernetes/client.ts';
import { paths } from '../src/kubernetes/write.ts';
import { eventually, patienceMs } from '../test/support/eventually.ts';
import { answerers } from './answerers.ts';
import type { Account, ApiServer, Knob } from './api-server.ts';
import { type AppliedObject, applyObject, collectionOf } from './apply.ts';
import { labClient } from './client.ts';
import { addresses, birdConfig, buildFabric, type Fabric, type LabNode } from './fabric.ts';
import { startKubeProxy } from './kubernetes/kube-proxy.ts';
import { Kubernetes } from './kubernetes/kubernetes.ts';
import { LateKubeProxies } from './kubernetes/late-kube-proxies.ts';
import { SecondServer } from './kubernetes/second-server.ts';
import type { NetworkNamespace } from './netns.ts';
import { Pods, podStatus, type TerminatingPods } from './pods.ts';
import {
  type DatagramOptions,
  type HttpProbeResult,
  type Probe,
  type ProbeResult,
  probeDatagrams,
  probeHttp,
} from './probe.ts';
import { Processes } from './processes.ts';
import { bellman } from './program.ts';
import { type NamedObject, put } from './put.ts';
import { podEnvironment, withServiceAccount, writeServiceAccount } from './service-account.ts';
import { startApiServer } from './start-api-server.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = '/run/lab';
const apiPort = 6443;
export const apiUrl = `https://${addresses.control}:${apiPort}`;
const apiToken = 'lab';
/** All processes of Bellman can use the same port, because each runs in its own network namespace. */
const metricsPort = 7472;
const servicesPath = '/api/v1/namespaces/default/services';

/** Credentials of a user who may do everything. */
export const kubeconfigPath = join(folder, 'admin.kubeconfig');
export const birdSocketPath = join(folder, 'bird.ctl');

export interface LabOptions {
  /** Number of nodes; 3 by default. */
  readonly nodes?: number;
  /** False for a lab without controller and speakers. */
  readonly bellman?: boolean;
  /**
   * Whether there is a second kube-apiserver on a host of its own. This needs Kubernetes. The processes of Bellman reach the servers at a virtual
   * address, which the second server has at first. See {@link Lab.secondServer}.
   */
  readonly hasSecondServer?: boolean;
  /** Delay that the lab adds before kube-proxy loads its rules after a change of pods; 0 by default. */
  readonly kubeProxyLateMs?: number;
  /** Whether the node-lifecycle controller runs. This needs Kubernetes. The nodes then need kubelets (`kubelets.ts`) within a minute. */
  readonly hasNodeLifecycle?: boolean;
  /** Whether Deployments and DaemonSets get their Pods. This needs Kubernetes. The test must then play the kubelets of these Pods. */
  readonly hasWorkloads?: boolean;
}

/** The Pod of a node's speaker, as a DaemonSet would create it. The lab itself starts the process. */
export function speakerPod(node: string): NamedObject {
  return podOf('speaker', `speaker-${node}`, node);
}

function podOf(account: Account, name: string, nodeName: string): NamedObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'bellman-system',
      labels: { 'app.kubernetes.io/name': 'bellman', 'app.kubernetes.io/component': account },
    },
    spec: {
      nodeName,
      hostNetwork: true,
      serviceAccountName: account,
      // No kubelet confirms the end of a Pod. Without a grace period, a deletion takes effect at once.
      terminationGracePeriodSeconds: 0,
      containers: [{ name: account, image: 'bellman' }],
    },
  };
}

export class Lab {
  readonly fabric: Fabric;
  readonly client: KubernetesClient;
  readonly processes: Processes;
  readonly server: ApiServer;
  /** The second kube-apiserver; `undefined` if the lab has none. */
  readonly secondServer: SecondServer | undefined;
  readonly #pods: Pods;
  #lateKubeProxies: LateKubeProxies | undefined;

  private constructor(
    fabric: Fabric,
    processes: Processes,
    server: ApiServer,
    client: KubernetesClient,
    secondServer: SecondServer | undefined,
  ) {
    this.secondServer = secondServer;
    this.podEnvironment = podEnvironment({
      host: secondServer ? addresses.virtualControl : addresses.control,
      port: apiPort,
    });
    this.fabric = fabric;
    this.processes = processes;
    this.server = server;
    this.client = client;
    this.#pods = new Pods(this.client, this.processes, { publishes: !(server instanceof Kubernetes) });
  }

  /** Resolves once the API server answers and the processes of Bellman are started. */
  static async start(options: LabOptions = {}): Promise<Lab> {
    mkdirSync(folder, { recursive: true });
    const fabric = await buildFabric(options.nodes ?? 3);
    const processes = new Processes(folder);
    try {
      return await Lab.#start(fabric, processes, options);
    } catch (error) {
      await processes.stopAll();
      throw error;
    }
  }

  static async #start(fabric: Fabric, processes: Processes, options: LabOptions): Promise<Lab> {
    const server = await startApiServer({
      processes,
      host: fabric.control,
      address: addresses.control,
      otherAddresses: [addresses.secondControl, addresses.virtualControl],
      port: apiPort,
      folder,
      embeddedFlags: ['--tls', '--token', apiToken],
      ...(options.hasNodeLifecycle === undefined ? {} : { hasNodeLifecycle: options.hasNodeLifecycle }),
      ...(options.hasWorkloads === undefined ? {} : { hasWorkloads: options.hasWorkloads }),
    });
    copyFileSync(server.kubeconfig, kubeconfigPath);
    const secondServer =
      options.hasSecondServer && server instanceof Kubernetes
        ? await SecondServer.start(server, processes, fabric)
        : undefined;
    const lab = new Lab(fabric, processes, server, labClient(kubeconfigPath, 'lab'), secondServer);
    writeFileSync(join(folder, 'bird.conf'), birdConfig(fabric));
    lab.processes.start('bird', fabric.router, 'bird', [
      '-f',
      '-c',
      join(folder, 'bird.conf'),
      '-s',
      birdSocketPath,
    ]);
    await Promise.all(fabric.nodes.map((node) => lab.registerNode(node)));
    if (server instanceof Kubernetes) await lab.#joinNodes(server, options.kubeProxyLateMs ?? 0);
    else await lab.#standIn(options.kubeProxyLateMs ?? 0);
    await Promise.all([lab.#issueToken('controller'), lab.#issueToken('speaker')]);
    if (options.bellman ?? true) {
      await lab.makeSpeakerPods();
      lab.startController();
      for (const node of fabric.nodes) lab.startSpeaker(node);
    }
    return lab;
  }

  /** Makes the Pod of each node's speaker, with its token. */
  async makeSpeakerPods(): Promise<void> {
    const { nodes } = this.fabric;
    await Promise.all(
      nodes.map(async ({ name, addresses: own }) => {
        await put(this.client, paths.pods('bellman-system'), speakerPod(name));
        await this.#setPodStatus('speaker', `speaker-${name}`, own);
      }),
    );
    await Promise.all(nodes.map(({ name }) => this.#issueToken('speaker', `speaker-${name}`)));
  }

  /**
   * Makes the Pod of the controller. The holder of the leader's Lease is `HOSTNAME_UUID`, and commands look for the leader's Pod under the name
   * `HOSTNAME`. So the name of this Pod is the host name.
   */
  async makeControllerPod(): Promise<void> {
    const name = hostname();
    await put(this.client, paths.pods('bellman-system'), podOf('controller', name, 'node-1'));
    await this.#setPodStatus('controller', name, [addresses.control]);
  }

  /** Makes the objects that a lab with the embedded API server lacks, and starts the stand-in for kube-proxy. */
  async #standIn(kubeProxyLateMs: number): Promise<void> {
    await put(this.client, paths.namespaces, { metadata: { name: 'bellman-system' } });
    for (const name of ['controller', 'speaker', 'viewer', 'capturer'])
      await put(this.client, `${paths.namespaces}/bellman-system/serviceaccounts`, { metadata: { name } });
    this.processes.start('kube-proxy', this.fabric.control, process.execPath, [
      join(root, 'lab/kube-proxy.ts'),
      ...['--kubeconfig', kubeconfigPath, '--late', String(kubeProxyLateMs)],
      ...this.fabric.nodes.flatMap(({ name }) => ['--node', name]),
    ]);
  }

  /** Starts kube-proxy on the nodes. Removes the taint `node.kubernetes.io/not-ready`, which a new Node has until its kubelet reports. */
  async #joinNodes(kubernetes: Kubernetes, kubeProxyLateMs: number): Promise<void> {
    const kubeProxies: string[] = [];
    for (const node of this.fabric.nodes) {
      kubeProxies.push(startKubeProxy(kubernetes, this.processes, node, folder));
      await this.client.request({
        method: 'PATCH',
        path: `${paths.nodes}/${node.name}`,
        contentType: 'application/merge-patch+json',
        body: { spec: { taints: null } },
      });
    }
    if (kubeProxyLateMs > 0)
      this.#lateKubeProxies = new LateKubeProxies(this.processes, kubeProxies, kubeProxyLateMs);
  }

  /** Makes a change of pods. With Kubernetes, kube-proxy learns of the change late if the lab has `kubeProxyLateMs`. */
  #changePods<T>(change: () => Promise<T>): Promise<T> {
    return this.#lateKubeProxies ? this.#lateKubeProxies.during(change) : change();
  }

  /** The variables with which a Pod finds the API server. */
  readonly podEnvironment: Readonly<Record<string, string>>;

  node(name: string): LabNode {
    const node = this.fabric.nodes.find((each) => each.name === name);
    if (!node) throw new Error(`the lab has no node ${name}`);
    return node;
  }

  startController(...flags: readonly string[]): void {
    const args = ['controller', '--metrics-address', `:${metricsPort}`, ...flags];
    this.#startInPod('controller', this.fabric.control, [bellman, ...args]);
  }

  startSpeaker(node: LabNode, ...flags: readonly string[]): void {
    // As in manifests/speaker.yaml.
    const listen = ['--metrics-address', `127.0.0.1:${metricsPort},${node.addresses[0]}`];
    const args = ['speaker', '--node-name', node.name, ...listen, ...flags];
    this.#startInPod(`speaker-${node.name}`, node.namespace, [bellman, ...args]);
  }

  /** Starts another command in the place of a node's speaker, with the variables and the token of its Pod. */
  startSpeakerAs(node: LabNode, ...command: readonly string[]): void {
    this.#startInPod(`speaker-${node.name}`, node.namespace, command);
  }

  /**
   * Replaces the speaker of a node as a DaemonSet with `maxSurge` does: a second speaker starts beside the first one, and the lab ends
   * the first one when the second one knows the cluster. Resolves when the first one has ended.
   */
  async upgradeSpeaker(node: LabNode, ...flags: readonly string[]): Promise<void> {
    const name = `speaker-${node.name}`;
    const earlier = `earlier-${name}`;
    const inSync = () => this.processes.log(name).split('"in sync"').length;
    const before = inSync();
    this.processes.rename(name, earlier);
    this.startSpeaker(node, ...flags);
    await this.until(`the second speaker of ${node.name} is in sync`, async () => inSync() > before);
    await this.stop(earlier);
  }

  #startInPod(name: string, host: NetworkNamespace, command: readonly string[]): void {
    const own = tokenFolder(name);
    // A speaker that a test starts under a made-up name has no Pod, so it takes the token that is not bound to a Pod.
    const [first = '', ...args] = withServiceAccount(existsSync(own) ? own : tokenFolder('speaker'), command);
    this.processes.start(name, host, first, args, this.podEnvironment);
  }

  /**
   * Runs a command on a host with the variables of a Pod and a token of this account, like `kubectl exec`. The token is bound to no Pod. Resolves to
   * the standard output of the command.
   */
  execAs(account: Account, host: NetworkNamespace, ...command: readonly string[]): Promise<string> {
    const variables = Object.entries(this.podEnvironment).map(([name, value]) => `${name}=${value}`);
    return host.exec('env', ...variables, ...withServiceAccount(tokenFolder(account), command));
  }

  /**
   * Writes a token of the account into the place where the process reads it, as the kubelet does. `pod` names the Pod to which the token is bound.
   * With Kubernetes, the token lives for `lifeSeconds`, by default two hours. A token of the embedded server never expires.
   */
  async #issueToken(account: Account, pod?: string, lifeSeconds?: number): Promise<void> {
    const { server } = this;
    const token =
      lifeSeconds !== undefined && server instanceof Kubernetes
        ? await server.tokenFor(lifeSeconds, account, pod)
        : await server.token(account, pod);
    writeServiceAccount(tokenFolder(pod ?? account), { token, certificate: this.server.certificate });
  }

  /**
   * Replaces the token of the controller, and that of each node's speaker Pod, by tokens that live for `lifeSeconds`. The token of speakers without
   * a Pod stays as it is.
   */
  async rotateTokens(lifeSeconds?: number): Promise<void> {
    await this.#issueToken('controller', undefined, lifeSeconds);
    for (const { name } of this.fabric.nodes)
      await this.#issueToken('speaker', `speaker-${name}`, lifeSeconds);
  }

  /** Reports a Pod as the kubelet does. */
  async #setPodStatus(account: Account, name: string, ips: readonly string[]): Promise<void> {
    await this.client.request({
      method: 'PATCH',
      path: `${paths.pods('bellman-system')}/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: podStatus(ips, { name: account, image: 'bellman' }) },
    });
  }

  /** Ends a process of the lab and waits for its exit. */
  stop(name: string, signal?: NodeJS.Signals): Promise<void> {
    return this.processes.stop(name, signal);
  }

  /**
   * Kills a node as the network sees it: the speaker gets SIGKILL, and Service traffic that arrives is lost. The pods keep running and answer
   * requests that come through other nodes, so that a test sees only the failover of the addresses.
   */
  async killNode(node: LabNode): Promise<void> {
    const dropping =
      'add table inet dead; add chain inet dead lost { type filter hook prerouting priority -400; }; add rule inet dead lost iifname "eth0" th dport 80 drop';
    await node.namespace.exec('nft', dropping);
    await this.stop(`speaker-${node.name}`, 'SIGKILL');
  }

  /** Undoes {@link killNode}. */
  async reviveNode(node: LabNode): Promise<void> {
    await node.namespace.exec('nft', 'delete table inet dead');
    this.startSpeaker(node);
  }

  /** Pulls a node's cable out of the segment, or plugs it in. The node keeps its link to the API server. */
  async plugNode(node: LabNode, plugged: boolean): Promise<void> {
    await this.fabric.segment.ip('link', 'set', node.name, plugged ? 'up' : 'down');
  }

  /**
   * A node loses power, as the network sees it: its cables are dead, and its speaker is gone. The control host reaches the segment through
   * `node-1`, which must keep its power. `killSpeaker` ends the speaker of the node. Pass it when the speaker is not Bellman's.
   */
  async powerOff(
    node: LabNode,
    killSpeaker = () => this.stop(`speaker-${node.name}`, 'SIGKILL'),
  ): Promise<void> {
    await Promise.all([this.plugNode(node, false), this.fabric.control.ip('link', 'set', node.name, 'down')]);
    await killSpeaker();
  }

  /** Undoes {@link powerOff}. */
  async powerOn(node: LabNode, startSpeaker = () => this.startSpeaker(node)): Promise<void> {
    await Promise.all([this.plugNode(node, true), this.fabric.control.ip('link', 'set', node.name, 'up')]);
    startSpeaker();
  }

  /** Drops a node's traffic to and from a port, e.g. `udp 7946`. The returned function undoes it. */
  async cut(
    node: LabNode,
    what: 'udp 7946' | 'tcp 6443' | 'tcp 179' | 'udp 3784',
  ): Promise<() => Promise<void>> {
    const [protocol = '', port = ''] = what.split(' ');
    const table = `cut-${port}`;
    const dropping = ['input', 'output'].flatMap((hook) => [
      `add chain inet ${table} ${hook} { type filter hook ${hook} priority 0; }`,
      ...['dport', 'sport'].map((end) => `add rule inet ${table} ${hook} ${protocol} ${end} ${port} drop`),
    ]);
    await node.namespace.exec('nft', [`add table inet ${table}`, ...dropping].join('; '));
    return async () => {
      if (what === 'tcp 6443' && this.server instanceof Kubernetes) this.server.expectReturn();
      await node.namespace.exec('nft', `delete table inet ${table}`);
    };
  }

  /** Sends a signal to the layer-2 process of a node. */
  async signalLayer2(node: LabNode, signal: NodeJS.Signals): Promise<void> {
    for (const pid of await this.layer2Processes(node)) process.kill(pid, signal);
  }

  /** Process ids of the layer-2 processes of a node. */
  async layer2Processes(node: LabNode): Promise<number[]> {
    const pids = await this.fabric.control.exec('ip', 'netns', 'pids', node.name);
    return pids.trim().split('\n').map(Number).filter(isLayer2Process);
  }

  isRunning(name: string): boolean {
    return this.processes.isRunning(name);
  }

  /** Everything that a process has logged. */
  log(name: string): string {
    return this.processes.log(name);
  }

  kubectl(...args: string[]): Promise<string> {
    const flags = ['--kubeconfig', kubeconfigPath, '--cache-dir', join(folder, 'kube-cache')];
    return this.fabric.control.exec(this.server.kubectl, ...flags, ...args);
  }

  birdc(...args: string[]): Promise<string> {
    return this.fabric.router.exec('birdc', '-r', '-s', birdSocketPath, ...args);
  }

  /** Fetches `http://ADDRESS/` from a host and returns the body. */
  curl(host: NetworkNamespace, address: string): Promise<string> {
    return host.exec(
      'curl',
      '-sS',
      '-g',
      '--max-time',
      '2',
      `http://${address.includes(':') ? `[${address}]` : address}/`,
    );
  }

  /** MAC address in the neighbour table of a host; `undefined` before the host has resolved the address. */
  async neighbourOf(host: NetworkNamespace, address: string): Promise<string | undefined> {
    const [entry] = JSON.parse(await host.ip('-j', 'neigh', 'show', address)) as { lladdr?: string }[];
    return entry?.lladdr;
  }

  async macOf(node: LabNode): Promise<string> {
    const [link] = JSON.parse(await node.namespace.ip('-j', 'link', 'show', 'eth0')) as { address: string }[];
    return link?.address ?? '';
  }

  /** The MAC addresses, in lower case, of all hosts that answer the near client for the address within a second. */
  answerers(address: string): Promise<ReadonlySet<string>> {
    return answerers(this.fabric, address);
  }

  /** Creates or updates objects as `kubectl apply` does. */
  async apply(...objects: readonly object[]): Promise<void> {
    const all = (objects as AppliedObject[]).map((object) => ({ object, collection: collectionOf(object) }));
    // The objects that need kubectl come first, because Namespaces are among them, and the rest may belong to these Namespaces.
    const others = all.filter(({ collection }) => collection === undefined).map(({ object }) => object);
    if (others.length > 0) {
      const file = join(folder, `apply-${process.pid}-${Math.random().toString(36).slice(2)}.json`);
      writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: others }));
      // Before a validation, kubectl loads the schemas of all kinds of objects, for which a busy server needs too long.
      await this.kubectl('apply', '--validate=false', '-f', file);
    }
    for (const { object, collection } of all)
      if (collection !== undefined) await applyObject(this.client, collection, object);
  }

  /** Writes a configuration into the ConfigMap. */
  async configure(text: string): Promise<void> {
    await this.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'config', namespace: 'bellman-system' },
      data: { config: text },
    });
  }

  /** Adds a pod on each of the nodes: an HTTP server behind the Service's EndpointSlices. */
  addPods(service: string, nodes: readonly LabNode[]): Promise<void> {
    return this.#changePods(() => this.#pods.add(service, nodes));
  }

  /** Removes the Service's pods from a node. */
  removePods(service: string, node: LabNode): Promise<void> {
    return this.#changePods(() => this.#pods.remove(service, node));
  }

  /** Lets the Service's pods on a node terminate. See {@link Pods.terminate}. */
  terminatePods(service: string, node: LabNode): Promise<TerminatingPods> {
    return this.#changePods(() => this.#pods.terminate(service, node));
  }

  /** Applies one of `lab/examples`. */
  applyExample(name: string): Promise<string> {
    return this.kubectl('apply', '--validate=false', '-f', join(root, 'lab/examples', `${name}.yaml`));
  }

  /** The addresses in a Service's status. */
  async addressesOf(service: string): Promise<string[]> {
    const { status } = await this.#service(service);
    return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  }

  /** The Service's announcing record; empty without one. */
  async announcingRecordOf(service: string): Promise<string> {
    return (await this.#service(service)).metadata?.annotations?.[annotations.announcing] ?? '';
  }

  /** A Service of the namespace `default`. Tests poll it, and a request needs far less CPU time than a process of `kubectl`. */
  #service(name: string): Promise<V1Service> {
    return this.client.request<V1Service>({ method: 'GET', path: `${servicesPath}/${name}` });
  }

  /** Writes the Node object of a node, as its kubelet does when it starts. */
  async registerNode(node: LabNode): Promise<void> {
    await put(this.client, paths.nodes, nodeObject(node));
  }

  async markReady(node: LabNode, ready = true): Promise<void> {
    await this.client.request({
      method: 'PATCH',
      path: `${paths.nodes}/${node.name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { conditions: [readiness(ready)] } },
    });
  }

  /** Turns a knob of the API server. */
  async api(knob: Knob): Promise<void> {
    await this.server.turn(knob);
  }

  /** Requests since the last reset, by user agent, verb and resource. */
  requests(): Promise<ReadonlyMap<string, number>> {
    return this.server.requests();
  }

  /** The `/status` of a process. */
  async status(host: NetworkNamespace): Promise<unknown> {
    return JSON.parse(await host.exec('curl', '-sS', `http://127.0.0.1:${metricsPort}/status`));
  }

  metrics(host: NetworkNamespace): Promise<string> {
    return host.exec('curl', '-sS', `http://127.0.0.1:${metricsPort}/metrics`);
  }

  /** Sends HTTP requests to an address from a host, each on a new connection, until stopped. */
  probe(host: NetworkNamespace, address: string, intervalMs?: number): Probe<HttpProbeResult> {
    return probeHttp(host, address, intervalMs);
  }

  /** Sends datagrams from a host to one address after another, until stopped. */
  probeDatagrams(
    host: NetworkNamespace,
    addresses: readonly string[],
    intervalMs = 1,
    options: DatagramOptions = {},
  ): Probe<readonly (ProbeResult & { readonly address: string })[]> {
    return probeDatagrams(host, addresses, intervalMs, options);
  }

  /** As `eventually`. The error after the deadline also has the last lines of every log. */
  until<T>(what: string, check: () => Promise<T | undefined | false>, deadlineMs = patienceMs): Promise<T> {
    return eventually(what, check, { deadlineMs, explain: () => `\n${this.processes.lastLines(15)}` });
  }

  /** Ends all processes. The namespaces end with the world. */
  async close(): Promise<void> {
    this.client.close();
    await this.processes.stopAll();
  }
}

function tokenFolder(name: string): string {
  return join(folder, 'tokens', name);
}

function isLayer2Process(pid: number): boolean {
  try {
    return /layer2.process\.[jt]s/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    // The process has ended.
    return false;
  }
}

function nodeObject({ name, index, addresses: own }: LabNode) {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: { podCIDRs: [`10.244.${index}.0/24`, `fd00:244:${index}::/64`], podCIDR: `10.244.${index}.0/24` },
    status: {
      conditions: [readiness(true)],
      addresses: own.map((address) => ({ type: 'InternalIP', address })),
      nodeInfo: { kubeletVersion: 'v1.32.0' },
    },
  };
}

function readiness(ready: boolean) {
  return { type: 'Ready', status: ready ? 'True' : 'False', reason: 'Lab' };
}
