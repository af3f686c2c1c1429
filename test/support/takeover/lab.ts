/**
 * A lab in which MetalLB announces Services, and Bellman takes over by the commands of `bellman takeover status`. The lab plays the Deployment and
 * the DaemonSet of Bellman: when a command changes one of them, the lab restarts the controller or the speakers.
 */

import { hostname } from 'node:os';
import { dump, load } from 'js-yaml';
import { metalLbNamespace } from '../../../bench/rivals/system.ts';
import { addresses, type LabNode } from '../../../lab/fabric.ts';
import { kubeconfigPath, Lab } from '../../../lab/lab.ts';
import { podStatus } from '../../../lab/pods.ts';
import { bellman } from '../../../lab/program.ts';
import { put } from '../../../lab/put.ts';
import { isKubernetes } from '../../../lab/start-api-server.ts';
import type { Step } from '../../../src/cli/takeover/next-step.ts';
import { takeoverStatus } from '../../../src/cli/takeover/run.ts';
import { takeoverKey } from '../../../src/cluster/names.ts';
import type { SpeakerStatus } from '../../../src/cluster/status.ts';
import { serviceNameLabel } from '../../../src/kubernetes/model.ts';
import { paths } from '../../../src/kubernetes/write.ts';
import { closeOnFailure } from '../close-on-failure.ts';
import { bird, type Router } from '../drain.ts';
import { labSource } from '../status-report.ts';
import type { Incumbent } from './incumbent.ts';

/** MetalLB's speakers have the usual ports, so Bellman's speakers get others, as the guide says. */
const speakerPort = 7482;
const speakerFlags = ({ addresses: [v4] }: LabNode) => [
  ...['--membership-port', '7956', '--metrics-address', `127.0.0.1:${speakerPort},${v4}`],
];
/** All Services have the same Pods. */
const podLabel = 'all';

export interface TakeoverLabOptions {
  readonly metalLb: Incumbent;
  /** Number of Services of each protocol. */
  readonly services: number;
  readonly nodes?: number;
}

/** A step that has been taken, with the command that undoes it. */
interface TakenStep {
  readonly command: string;
  readonly back: string;
}

export interface Takeover {
  /** The steps in their order. */
  readonly steps: readonly TakenStep[];
  /** The MAC that answers for each layer-2 address before the last step. In the last step, all speakers restart and hand addresses over. */
  readonly macs: ReadonlyMap<string, string>;
  /** A sentence for each address that got another MAC before the last step. */
  readonly moves: readonly string[];
}

export class TakeoverLab {
  readonly lab: Lab;
  /** Addresses that are announced by BGP. */
  readonly routed: string[] = [];
  /** Addresses that are announced in layer 2. */
  readonly local: string[] = [];
  /** The routing daemon of the router. */
  router: Router = bird;
  readonly #metalLb: Incumbent;
  #adoptsOnly = { controller: true, speakers: true };

  private constructor(lab: Lab, metalLb: Incumbent) {
    this.lab = lab;
    this.#metalLb = metalLb;
  }

  /** Resolves when MetalLB has assigned and announces the addresses of all Services. */
  static async start({ metalLb, services, nodes = 3 }: TakeoverLabOptions): Promise<TakeoverLab> {
    const lab = await Lab.start({ nodes, bellman: false, hasWorkloads: isKubernetes });
    const takeover = new TakeoverLab(lab, metalLb);
    await closeOnFailure(takeover, () => takeover.#start(services));
    return takeover;
  }

  async #start(services: number): Promise<void> {
    const { lab } = this;
    // The lab itself starts the processes of Bellman.
    if (isKubernetes)
      await lab.kubectl('-n', 'bellman-system', 'delete', 'deployment/controller', 'daemonset/speaker');
    await this.#metalLb.start(lab);
    await lab.addPods(podLabel, lab.fabric.nodes);
    for (const pool of ['public', 'office'])
      for (let i = 0; i < services; i++) await this.#makeService(`${pool}-${i}`, pool);
    await lab.until('MetalLB assigns all addresses', () => this.#readAddresses(services));
    await this.announced();
  }

  async #makeService(name: string, pool: string): Promise<void> {
    const { lab } = this;
    if (!isKubernetes) await this.#makeEndpoints(name);
    await put(lab.client, '/api/v1/namespaces/default/services', {
      metadata: { name, annotations: { [this.#metalLb.poolAnnotation]: pool } },
      spec: {
        type: 'LoadBalancer',
        ports: [{ port: 80, targetPort: 8080, protocol: 'UDP' }],
        selector: { app: podLabel },
      },
    });
  }

  /** Plays the controllers of endpoints. */
  async #makeEndpoints(name: string): Promise<void> {
    const { lab } = this;
    const port = { protocol: 'UDP', port: 8080 };
    const pods = lab.fabric.nodes.map(({ name: nodeName, index }) => ({
      nodeName,
      // `addPods` numbers the pods of all nodes in one sequence, from 2.
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

  /**
   * Waits until exactly one node answers for each layer-2 address, and the router uses the routes of all nodes. Call it only when all nodes are to
   * announce by the same program, MetalLB or Bellman. Otherwise, the router may use only the routes of one program.
   */
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
    // MetalLB's speakers start one after another. Several of them answer for an address until they know each other.
    await this.lab.until('one node answers for each address', async () => {
      const answers = await Promise.all(this.local.map((ip) => this.lab.answerers(ip)));
      return answers.every(({ size }) => size === 1);
    });
  }

  /** The MAC that answers the client for each layer-2 address; all of them when several answer, and an empty text when none does. */
  async macs(): Promise<Map<string, string>> {
    return new Map(
      await Promise.all(
        this.local.map(async (ip) => [ip, [...(await this.lab.answerers(ip))].join(' and ')] as const),
      ),
    );
  }

  /**
   * Installs Bellman beside MetalLB, with MetalLB's configuration converted as the guide says. MetalLB v0.12 has no graceful restart, so the
   * converted configuration does not enable it. If `gracefulRestart` is true, it is enabled for every peer.
   */
  async installBellman({ gracefulRestart = false } = {}): Promise<void> {
    const { lab } = this;
    await lab.makeSpeakerPods();
    const text = await this.#metalLb.convert(lab);
    await lab.configure(gracefulRestart ? withGracefulRestart(text) : text);
    const name = hostname();
    await put(lab.client, paths.pods('bellman-system'), {
      metadata: { name, namespace: 'bellman-system' },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'controller', image: 'bellman' }] },
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

  /** Removes Bellman with its configuration and its keys. Call it after `goBack`. The Services keep Bellman's annotations. */
  async removeBellman(): Promise<void> {
    const { lab } = this;
    for (const { name } of lab.fabric.nodes) await lab.stop(`speaker-${name}`);
    await lab.stop('controller');
    await lab.kubectl('-n', 'bellman-system', 'delete', 'configmaps,secrets,pods', '--all', '--wait=false');
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

  /**
   * The next step, as `bellman takeover status` names it. The code of the command runs in this process, because that costs less CPU time than a
   * process of its own.
   */
  async #computeStep(): Promise<Step> {
    const source = { ...labSource, speakerPort };
    const { text } = await takeoverStatus({ source, metalLbNamespace, output: 'json' });
    return stepOf(text);
  }

  /** The answer of `bellman takeover status`. */
  async status(output: 'json' | 'text' = 'json'): Promise<{ readonly step: Step; readonly text: string }> {
    const args = ['takeover', 'status', '--kubeconfig', kubeconfigPath, '-o', output];
    const ports = ['--speaker-port', String(speakerPort), '--controller-port', '7472'];
    const text = await this.lab.fabric.control
      .exec(bellman, ...args, ...ports)
      .catch((error: { stdout?: string }) => error.stdout ?? String(error));
    return { step: output === 'json' ? stepOf(text) : noStep, text };
  }

  /** Waits until `bellman takeover status` gives a command, or says that nothing is left. */
  async next(): Promise<Step> {
    let step = noStep;
    await this.lab.until('the takeover can go on', async () => {
      if (!mayGoOn(await this.#computeStep())) return false;
      ({ step } = await this.status());
      return mayGoOn(step);
    });
    return step;
  }

  /** Waits until the takeover can go on, and the command of the next step fulfils a condition. */
  async #untilNext(what: string, holds: (command: string | undefined) => boolean): Promise<void> {
    await this.lab.until(what, async () => {
      const step = await this.#computeStep();
      return mayGoOn(step) && holds(step.command);
    });
  }

  /** Runs a command that `bellman takeover status` has printed. */
  async #run(command: string): Promise<void> {
    const { lab } = this;
    const env = /set env (deployment\/controller|daemonset\/speaker) BELLMAN_ADOPT_ONLY(-|=true)$/.exec(
      command,
    );
    if (!env) return this.#metalLb.run(lab, command);
    const adoptsOnly = env[2] !== '-';
    if (env[1] !== 'deployment/controller') return this.#restartSpeakers(adoptsOnly);
    this.#adoptsOnly.controller = adoptsOnly;
    await lab.stop('controller');
    this.#startController();
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

  /** Takes a step, and waits until `bellman takeover status` goes on. */
  async #take({ command }: TakenStep): Promise<void> {
    await this.#run(command);
    await this.#untilNext(`the step is done: ${command}`, (next) => next !== command);
  }

  /** Undoes a step, and waits until MetalLB works as before the step and `bellman takeover status` asks for the step again. */
  async #undo({ command, back }: TakenStep): Promise<void> {
    await this.#run(back);
    const node = new RegExp(`^kubectl label node (\\S+) ${takeoverKey}-$`).exec(back)?.[1];
    if (node !== undefined) await this.#metalLbSpeaks(this.lab.node(node));
    await this.#untilNext(`the step is undone: ${command}`, (next) => next === command);
  }

  /** Waits until MetalLB announces by BGP from the node. The router need not use the routes: it may prefer those of nodes that run Bellman. */
  async #metalLbSpeaks(node: LabNode): Promise<void> {
    await this.lab.until(`MetalLB has a session on ${node.name}`, async () => {
      const text = await node.namespace.exec('curl', '-sS', `http://127.0.0.1:${speakerPort}/status`);
      const { adoption } = JSON.parse(text) as SpeakerStatus;
      return adoption?.bgp === 'held' && adoption.otherSessions.length > 0;
    });
    await this.lab.until(`the router has the routes of ${node.name}`, async () => {
      const have = await Promise.all(this.routed.map((ip) => this.router.hasRoute(this.lab, ip, node)));
      return have.every(Boolean);
    });
  }

  /**
   * Counts the datagrams that get no answer during the work. For each protocol, a client sends one datagram in each interval. The default is long,
   * for tests: a busy machine may not read a socket for a while, and the buffer of the socket must hold all datagrams that arrive meanwhile.
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
    const stop = () => Promise.all(probes.map((probe) => probe.stop()));
    const result = await closeOnFailure({ close: stop }, async () => {
      await Promise.all(probes.map(({ ready }) => ready));
      return work();
    });
    const results = (await stop()).flat();
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
   * Goes on with the takeover until nothing is left. With `undoes`, each step is also undone and taken again.
   */
  async takeOver({ undoes = false } = {}): Promise<Takeover> {
    const steps: TakenStep[] = [];
    const moves: string[] = [];
    let macs = await this.macs();
    for (;;) {
      const { kind, text, command, back } = await this.next();
      if (kind === 'done') return { steps, macs, moves };
      if (command === undefined || back === undefined) throw new Error(`no command: ${kind}: ${text}`);
      if (!steps.at(-1)?.command.includes('daemonset/speaker')) {
        const now = await this.macs();
        moves.push(...movesBetween(macs, now, steps.at(-1)?.command ?? 'the installation'));
        macs = now;
      }
      const step = { command, back };
      await this.#take(step);
      if (undoes) {
        await this.#undo(step);
        await this.#take(step);
      }
      steps.push(step);
    }
  }

  /** Undoes all steps, the last one first. MetalLB then announces everything. */
  async goBack({ steps }: Takeover): Promise<void> {
    for (const step of [...steps].reverse()) await this.#undo(step);
  }

  async close(): Promise<void> {
    try {
      await this.#metalLb.close();
    } finally {
      await this.lab.close();
    }
  }
}

function movesBetween(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
  command: string,
): string[] {
  return [...now].flatMap(([ip, mac]) =>
    mac === before.get(ip) ? [] : [`${ip} moved from ${before.get(ip)} to ${mac} after: ${command}`],
  );
}

const noStep: Step = { kind: 'wait', text: 'not asked' };

function stepOf(json: string): Step {
  return (JSON.parse(json) as { step: Step }).step;
}

/** Throws when something must be waited for or repaired first, so that the message of a failed wait says why. */
function mayGoOn({ kind, text }: Step): boolean {
  if (kind === 'wait' || kind === 'repair') throw new Error(`${kind}: ${text}`);
  return true;
}

function withGracefulRestart(text: string): string {
  const config = load(text) as { peers: object[] };
  return dump({ ...config, peers: config.peers.map((each) => ({ ...each, 'graceful-restart': true })) });
}
