/**
 * A lab in which MetalLB v0.12.1 announces Services, and the parts of Kubernetes that a takeover needs and the lab lacks: the Deployments and
 * DaemonSets of both programs. `run` plays what their controllers and kubelets do after a command of `bellman takeover status`.
 */

import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { makePods } from '../../bench/rivals/ground.ts';
import { buildMetalLb, goVersion } from '../../bench/rivals/metallb-build.ts';
import { parseArping } from '../../bench/rivals/parse.ts';
import { metalLb, metalLbNamespace, metalLbPodLabels, type System } from '../../bench/rivals/system.ts';
import { addresses, type LabNode } from '../../lab/fabric.ts';
import { kubeconfigPath, Lab } from '../../lab/lab.ts';
import { podStatus } from '../../lab/pods.ts';
import { put } from '../../lab/put.ts';
import type { Step } from '../../src/cli/takeover/next-step.ts';
import { serviceNameLabel } from '../../src/kubernetes/model.ts';
import { paths } from '../../src/kubernetes/write.ts';

const bellman = fileURLToPath(new URL('../../bin/bellman', import.meta.url));
/** MetalLB has the usual ports, so Bellman gets others, as the guide says. */
const speakerPort = 7482;
const speakerFlags = ({ addresses: [v4] }: LabNode) => [
  ...['--membership-port', '7956', '--metrics-address', `127.0.0.1:${speakerPort},${v4}`],
];

const pools = `address-pools:
- {name: public, protocol: bgp, addresses: [198.51.100.0/24]}
- {name: office, protocol: layer2, addresses: [192.0.2.150-192.0.2.220]}
`;
const peer = `{my-asn: 64512, peer-asn: 64500, peer-address: ${addresses.router[0]}}`;
const metalLbConfig = `peers:\n- ${peer}\n${pools}`;

/** Why MetalLB cannot be built here; `undefined` when it can. */
export function metalLbMissing(): string | undefined {
  if (goVersion() === undefined) return 'Go is not installed, so MetalLB cannot be built';
  try {
    buildMetalLb();
    return undefined;
  } catch (error) {
    return `MetalLB cannot be built: ${String(error)}`;
  }
}

export interface TakeoverLabOptions {
  /** Services of each protocol. */
  readonly services: number;
  readonly nodes?: number;
}

export class TakeoverLab {
  readonly lab: Lab;
  /** Addresses by BGP and in layer 2. */
  readonly routed: string[] = [];
  readonly local: string[] = [];
  readonly #metalLb: System;
  #adoptsOnly = { controller: true, speakers: true };

  private constructor(lab: Lab) {
    this.lab = lab;
    this.#metalLb = metalLb(lab, { controllerPort: 7473 });
  }

  /** Resolves when MetalLB has assigned and announces the addresses of all Services. */
  static async start({ services, nodes = 3 }: TakeoverLabOptions): Promise<TakeoverLab> {
    const lab = await Lab.start({ nodes, bellman: false });
    const takeover = new TakeoverLab(lab);
    await makePods(lab);
    await put(lab.client, `/api/v1/namespaces/${metalLbNamespace}/configmaps`, {
      metadata: { name: 'config', namespace: metalLbNamespace },
      data: { config: metalLbConfig },
    });
    await takeover.#setMetalLbController(true);
    for (const node of lab.fabric.nodes) takeover.#metalLb.startSpeaker(node);
    await lab.addPods('all', lab.fabric.nodes);
    for (const pool of ['public', 'office'])
      for (let i = 0; i < services; i++) await takeover.#makeService(`${pool}-${i}`, pool);
    await lab.until('MetalLB assigns all addresses', () => takeover.#readAddresses(services));
    await takeover.announced();
    return takeover;
  }

  async #makeService(name: string, pool: string): Promise<void> {
    const { lab } = this;
    const port = { protocol: 'UDP', port: 8080 };
    const pods = lab.fabric.nodes.map(({ name: nodeName, index }) => ({
      nodeName,
      // `addPods` numbers the pods of all nodes from 2.
      ip: `10.244.${index}.${index + 1}`,
    }));
    await put(lab.client, '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      metadata: { name, labels: { [serviceNameLabel]: name } },
      addressType: 'IPv4',
      ports: [port],
      endpoints: pods.map(({ ip, nodeName }) => ({
        addresses: [ip],
        nodeName,
        conditions: { ready: true, serving: true },
      })),
    });
    // MetalLB v0.12 knows only the beta of EndpointSlices, which the API server lacks, so it falls back to Endpoints.
    await put(lab.client, '/api/v1/namespaces/default/endpoints', {
      metadata: { name },
      subsets: [{ addresses: pods, ports: [port] }],
    });
    await put(lab.client, '/api/v1/namespaces/default/services', {
      metadata: { name, annotations: { 'metallb.universe.tf/address-pool': pool } },
      spec: {
        type: 'LoadBalancer',
        ports: [{ port: 80, targetPort: 8080, protocol: 'UDP' }],
        selector: { app: name },
      },
    });
  }

  async #readAddresses(services: number): Promise<boolean> {
    const all = await this.addressesByService();
    const of = (pool: string) => [...all].flatMap(([name, ip]) => (name.startsWith(pool) && ip ? [ip] : []));
    this.routed.splice(0, Number.POSITIVE_INFINITY, ...of('public'));
    this.local.splice(0, Number.POSITIVE_INFINITY, ...of('office'));
    return this.routed.length === services && this.local.length === services;
  }

  /** The address of each Service. */
  async addressesByService(): Promise<Map<string, string>> {
    const { items } = await this.lab.client.request<{
      items: { metadata: { name: string }; status?: { loadBalancer?: { ingress?: { ip: string }[] } } }[];
    }>({ method: 'GET', path: '/api/v1/namespaces/default/services' });
    return new Map(
      items.map(({ metadata, status }) => [
        metadata.name,
        (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip).join(),
      ]),
    );
  }

  /** Waits until clients reach every address, and every node announces every routed address. */
  async announced(): Promise<void> {
    const { router } = this.lab.fabric;
    const count = this.lab.fabric.nodes.length;
    await this.lab.until('the router has the routes of all nodes', async () => {
      const routes = JSON.parse(await router.ip('-j', 'route', 'show')) as {
        dst: string;
        nexthops?: unknown[];
      }[];
      return this.routed.every((ip) => routes.find(({ dst }) => dst === ip)?.nexthops?.length === count);
    });
    await this.lab.until('a node answers for each address', async () =>
      [...(await this.macs()).values()].every((mac) => mac !== undefined),
    );
  }

  /** The MAC that answers the client for each layer-2 address. */
  async macs(): Promise<Map<string, string | undefined>> {
    const macs = new Map<string, string | undefined>();
    for (const ip of this.local) {
      const output = await this.lab.fabric.near
        .exec('arping', '-c', '1', '-w', '1', '-I', 'eth0', ip)
        .catch(() => '');
      macs.set(ip, parseArping(output));
    }
    return macs;
  }

  /** Installs Bellman beside MetalLB, with the configuration that the guide writes. */
  async installBellman(): Promise<void> {
    const { lab } = this;
    await lab.configure(metalLbConfig);
    const name = hostname();
    await put(lab.client, paths.pods('bellman-system'), {
      metadata: { name, namespace: 'bellman-system' },
      spec: { containers: [{ name: 'controller', image: 'bellman' }] },
    });
    await lab.client.request({
      method: 'PATCH',
      path: `${paths.pods('bellman-system')}/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: podStatus([addresses.control], { name: 'controller', image: 'bellman' }) },
    });
    this.#adoptsOnly = { controller: true, speakers: true };
    this.#startController();
    for (const node of lab.fabric.nodes) this.#startSpeaker(node);
  }

  #startController(): void {
    this.lab.startController(...(this.#adoptsOnly.controller ? ['--adopt-only'] : []));
  }

  #startSpeaker(node: LabNode): void {
    this.lab.startSpeaker(
      node,
      ...speakerFlags(node),
      ...(this.#adoptsOnly.speakers ? ['--adopt-only'] : []),
    );
  }

  /** The answer of `bellman takeover status`. */
  async status(output: 'json' | 'text' = 'json'): Promise<{ readonly step: Step; readonly text: string }> {
    const args = ['takeover', 'status', '--kubeconfig', kubeconfigPath, '-o', output];
    const ports = ['--speaker-port', String(speakerPort), '--controller-port', '7472'];
    const text = await this.lab.fabric.control
      .exec(bellman, ...args, ...ports)
      .catch((error: { stdout?: string }) => error.stdout ?? String(error));
    const { step } = output === 'json' ? (JSON.parse(text) as { step: Step }) : { step: noStep };
    return { step, text };
  }

  /** Waits until `bellman takeover status` gives a command, or says that nothing is left. */
  async next(): Promise<Step> {
    let step = noStep;
    await this.lab.until('the takeover can go on', async () => {
      ({ step } = await this.status());
      if (step.kind === 'wait' || step.kind === 'repair') throw new Error(`${step.kind}: ${step.text}`);
      return true;
    });
    return step;
  }

  /** Runs a command that `bellman takeover status` has printed. */
  async run(command: string): Promise<void> {
    const { lab } = this;
    const scale = /scale deployment controller --replicas=(\d)$/.exec(command);
    const env = /set env (deployment\/controller|daemonset\/speaker) BELLMAN_ADOPT_ONLY(-|=true)$/.exec(
      command,
    );
    if (scale) return this.#setMetalLbController(scale[1] === '1');
    if (env?.[1] === 'deployment/controller') {
      this.#adoptsOnly.controller = env[2] !== '-';
      await lab.stop('controller');
      return this.#startController();
    }
    if (env) return this.#restartSpeakers(env[2] !== '-');
    await lab.kubectl(...command.split(' ').slice(1));
    const label = /^kubectl label node (\S+) \S+?(-|=true)$/.exec(command);
    if (label) await this.#setMetalLbSpeaker(lab.node(label[1] ?? ''), label[2] === '-');
  }

  /** A rolling restart, as a DaemonSet makes it: the next Pod stops when the one before is ready. */
  async #restartSpeakers(adoptsOnly: boolean): Promise<void> {
    const { lab } = this;
    this.#adoptsOnly.speakers = adoptsOnly;
    for (const node of lab.fabric.nodes) {
      await lab.stop(`speaker-${node.name}`);
      this.#startSpeaker(node);
      await lab.until(`the speaker of ${node.name} is ready`, async () =>
        node.namespace
          .exec('curl', '-sSf', `http://127.0.0.1:${speakerPort}/readyz`)
          .then(() => true)
          .catch(() => false),
      );
    }
  }

  async #setMetalLbController(runs: boolean): Promise<void> {
    const { lab } = this;
    const pods = `/api/v1/namespaces/${metalLbNamespace}/pods`;
    if (!runs) {
      await this.#metalLb.stopController();
      await lab.client.request({ method: 'DELETE', path: `${pods}/controller` });
      return;
    }
    await put(lab.client, pods, {
      metadata: {
        name: 'controller',
        namespace: metalLbNamespace,
        labels: { ...metalLbPodLabels, component: 'controller' },
      },
      spec: { containers: [{ name: 'controller', image: 'metallb' }] },
    });
    this.#metalLb.startController();
  }

  async #setMetalLbSpeaker(node: LabNode, runs: boolean): Promise<void> {
    const { lab } = this;
    const pods = `/api/v1/namespaces/${metalLbNamespace}/pods`;
    const name = `speaker-${node.name}`;
    if (!runs) {
      await this.#metalLb.stopSpeaker(node);
      await lab.client.request({ method: 'DELETE', path: `${pods}/${name}` });
      return;
    }
    await put(lab.client, pods, {
      metadata: { name, namespace: metalLbNamespace, labels: metalLbPodLabels },
      spec: { nodeName: node.name, containers: [{ name: 'speaker', image: 'metallb' }] },
    });
    await lab.client.request({
      method: 'PATCH',
      path: `${pods}/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { phase: 'Running', podIP: node.addresses[0] } },
    });
    this.#metalLb.startSpeaker(node);
  }

  /**
   * Counts datagrams without an answer while the work is done. For each protocol, a client sends one in each interval. In a test they are far
   * apart, because a busy machine may not read a socket for a while, and its buffer must hold them.
   */
  async counted<T>(
    work: () => Promise<T>,
    intervalMs = 10,
  ): Promise<{ readonly result: T; readonly asked: number; readonly lost: number; readonly detail: string }> {
    const { near, far } = this.lab.fabric;
    const probes = [
      this.lab.probeDatagrams(far, this.routed, intervalMs),
      this.lab.probeDatagrams(near, this.local, intervalMs),
    ];
    await Promise.all(probes.map(({ ready }) => ready));
    const result = await work();
    const results = (await Promise.all(probes.map((probe) => probe.stop()))).flat();
    const sum = (of: (one: (typeof results)[number]) => number) =>
      results.reduce((total, one) => total + of(one), 0);
    const bad = results.filter(({ asked, answered }) => answered < asked);
    return {
      result,
      asked: sum(({ asked }) => asked),
      lost: sum(({ asked, answered }) => asked - answered),
      detail: bad
        .map(
          ({ address, asked, answered, longestGapMs }) =>
            `${address}: ${asked - answered} of ${asked}, gap ${longestGapMs} ms`,
        )
        .join('; '),
    };
  }

  /**
   * Goes on with the takeover until nothing is left. Returns the MACs that answer before the last step: in that step all speakers restart, and
   * hand addresses over.
   */
  async takeOver(): Promise<ReadonlyMap<string, string | undefined>> {
    let macs = new Map<string, string | undefined>();
    for (;;) {
      const { kind, command } = await this.next();
      if (kind === 'done') return macs;
      if (command === undefined) throw new Error(`a step of kind ${kind} without a command`);
      if (command.includes('daemonset/speaker')) macs = await this.macs();
      await this.run(command);
    }
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

const noStep: Step = { kind: 'wait', text: 'not asked' };
