/**
 * How long requests fail after a node loses power: with Bellman without `dead-nodes`, with Bellman and `dead-nodes`, and with MetalLB.
 *   BELLMAN_KUBERNETES=$(lab/kubernetes/build.sh) BELLMAN_METALLB=$(lab/metallb/build.sh --folder) \
 *     lab/world .cache/bin/node bench/power-loss.ts [ROUNDS] [KINDS]
 * The lab has five nodes, the kube-proxy, the EndpointSlice controller and the node-lifecycle controller of Kubernetes, and Services with Pods on
 * four nodes. For each externalTrafficPolicy there is a layer-2 Service, with a client on the segment, and a BGP Service, with a client behind BIRD.
 * The clients open a connection to each Service every 20 ms. In a round, the cables of a node are cut and its speaker and kubelet end. The figure is
 * the time from the cut until the last failed request. After two seconds without a failure, later failures do not count, because single requests fail
 * on a busy machine. If the node owned a layer-2 address, the figure of this address includes its failover. The bench fails when requests with
 * `dead-nodes` fail for more than 3 s.
 *
 * Bellman has BFD (300 ms × 3) with the router. The native BGP of MetalLB v0.12.1 has no BFD, so it gets the shortest hold time, 3 s. MetalLB is
 * measured when `lab/metallb/build.sh v0.12.1` has built it. The regular expression KINDS chooses from `Bellman without dead-nodes`,
 * `Bellman with dead-nodes` and `MetalLB v0.12.1`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { addresses, type LabNode } from '../lab/fabric.ts';
import { Kubelets } from '../lab/kubelets.ts';
import { Lab } from '../lab/lab.ts';
import { metalLbMissing, metalLbPrograms } from '../lab/metallb/programs.ts';
import type { NetworkNamespace } from '../lab/netns.ts';
import { isKubernetes } from '../lab/start-api-server.ts';
import { ownerOf } from '../lab/steps.ts';
import { deathTiming } from '../src/controller/death-judge/death-judge.ts';
import { bfdProfile, startBird } from '../test/support/upgrade.ts';
import { configureMetalLb, makeMetalLbPods } from './rivals/ground.ts';
import { metalLbVersion } from './rivals/paths.ts';
import { bellman, metalLb, type System } from './rivals/system.ts';
import { matching } from './support/choice.ts';

if (!isKubernetes)
  throw new Error('BELLMAN_KUBERNETES is not set: only Kubernetes itself judges which nodes live');

const rounds = Number(process.argv[2] ?? 5);
const intervalMs = 20;
const limitMs = 3000;
/** While kube-proxy sends requests to dead endpoints, several requests fail within this time. A longer time without a failure ends the count. */
const calmMs = 2000;
const bfd = { intervalMs: 300, multiplier: 3 };
const rights = fileURLToPath(new URL('../manifests/dead-nodes/', import.meta.url));

const lab = await Lab.start({ nodes: 5, hasNodeLifecycle: true });
const { nodes, near, far } = lab.fabric;
const mortal = nodes.slice(1);
const kubelets = new Kubelets(lab.client);

interface Target {
  readonly name: string;
  readonly client: NetworkNamespace;
  readonly policy: 'Local' | 'Cluster';
  readonly pool: 'office' | 'public';
}

const targets: readonly Target[] = (['Local', 'Cluster'] as const).flatMap((policy) => [
  { name: `${policy}, layer 2`, client: near, policy, pool: 'office' },
  { name: `${policy}, BGP`, client: far, policy, pool: 'public' },
]);

function serviceName({ policy, pool }: Target): string {
  return `${policy.toLowerCase()}-${pool}`;
}

interface Kind {
  readonly name: string;
  readonly system: System;
  /** How long a round goes on. Where nothing reports the death, this is longer than Kubernetes takes to notice it by itself. */
  readonly watchedMs: number;
  readonly marksDeadNodes?: boolean;
}

const ours = bellman(lab);
const theirs = metalLb(lab);
const kinds: readonly Kind[] = [
  { name: 'Bellman without dead-nodes', system: ours, watchedMs: 90_000 },
  { name: 'Bellman with dead-nodes', system: ours, watchedMs: 15_000, marksDeadNodes: true },
  { name: `MetalLB ${metalLbVersion}`, system: theirs, watchedMs: 90_000 },
];

const chosen = matching('KINDS', process.argv[3] ?? '', kinds, ({ name }) => name);

const pools = [
  { name: 'office', protocol: 'layer2', addresses: ['192.0.2.240-192.0.2.250'] },
  { name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] },
];
const peer = { 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': addresses.router[0] };

async function configure({ system, marksDeadNodes = false }: Kind): Promise<void> {
  const config =
    system === ours
      ? {
          peers: [{ ...peer, 'bfd-profile': 'fast' }],
          'bfd-profiles': [bfdProfile('fast', bfd)],
          'address-pools': pools,
          'dead-nodes': { 'mark-pods-not-ready': marksDeadNodes },
        }
      : { peers: [{ ...peer, 'hold-time': '3s' }], 'address-pools': pools };
  const text = JSON.stringify(config);
  await (system === ours ? lab.configure(text) : configureMetalLb(lab, text));
}

/** The system whose processes run. */
let running: System = ours;

async function use(system: System): Promise<void> {
  if (running === system) return;
  await running.stopController();
  for (const node of nodes) await running.stopSpeaker(node);
  running = system;
  running.startController();
  for (const node of nodes) running.startSpeaker(node);
}

async function addressOf(target: Target): Promise<string> {
  const [address] = await lab.addressesOf(serviceName(target));
  if (address === undefined) throw new Error(`${serviceName(target)} has no address yet`);
  return address;
}

/** Whether requests to all Services are answered, and each Service has a ready Pod on every node that may lose power. */
async function isSettled(): Promise<boolean> {
  for (const target of targets) {
    const address = await addressOf(target);
    for (let i = 0; i < 20; i++) await lab.curl(target.client, address);
  }
  const slices = JSON.parse(await lab.kubectl('get', 'endpointslices', '-o', 'json')).items as readonly {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly endpoints: readonly { readonly conditions: { readonly ready: boolean } }[] | null;
  }[];
  return targets.every((target) =>
    slices
      .filter(({ metadata }) => metadata.labels['kubernetes.io/service-name'] === serviceName(target))
      .some(({ endpoints }) => endpoints?.filter((one) => one.conditions.ready).length === mortal.length),
  );
}

/** Time from the cut to the last failed request that counts; 0 if none failed. */
function failingMs(failedAtMs: readonly number[], fromMs: number): number {
  let lastMs = fromMs;
  for (const atMs of failedAtMs.toSorted((a, b) => a - b)) {
    if (atMs - lastMs > calmMs) break;
    lastMs = Math.max(lastMs, atMs);
  }
  return lastMs - fromMs;
}

/** Cuts the node off, and returns for each target how long requests failed. */
async function round({ name, system, watchedMs, marksDeadNodes }: Kind, victim: LabNode): Promise<number[]> {
  await lab.until('requests to all Services succeed', isSettled);
  // When the previous victim returned, this round's victim may have written its death report again, without that node. For `quietMs` after that
  // write, reports that this round's victim is dead do not count. Without this pause, the controller could mark this round's victim late.
  await sleep(deathTiming.quietMs);
  const all = await Promise.all(targets.map(addressOf));
  const owners = await Promise.all(all.map((address) => ownerOf(lab, address)));
  const probes = targets.map(({ client }, i) => lab.probe(client, all[i] ?? '', intervalMs));
  await Promise.all(probes.map(({ ready }) => ready));
  await sleep(1000);
  const fromMs = Date.now();
  kubelets.stop(victim.name);
  await lab.powerOff(victim, () => system.stopSpeaker(victim, 'SIGKILL'));
  await sleep(watchedMs);
  const results = await Promise.all(probes.map((probe) => probe.stop()));
  const times = results.map(({ failedAtMs }) => failingMs(failedAtMs, fromMs));
  const text = targets.map((target, i) => {
    const { asked = 0, failedAtMs = [] } = results[i] ?? {};
    const wasOwner = owners[i] === victim ? ', its owner died' : '';
    const seconds = ((times[i] ?? 0) / 1000).toFixed(1);
    return `${target.name} ${seconds} s (${failedAtMs.length} of ${asked} failed${wasOwner})`;
  });
  console.log(`  ${name}, ${victim.name}: ${text.join('; ')}`);
  if (marksDeadNodes) console.log(`    ${markingOf(fromMs)}`);
  await lab.powerOn(victim, () => system.startSpeaker(victim));
  await kubelets.start(victim.name);
  return times;
}

/** Reads from the log of the controller when it decided that the node is dead, and when it had marked all Pods of the node. */
function markingOf(fromMs: number): string {
  const lines = lab
    .log('controller')
    .split('\n')
    .flatMap((line) => (/^{.*}$/.test(line) ? [JSON.parse(line) as { ts: string; msg: string }] : []));
  const seconds = (start: string) => {
    const found = lines.find(({ ts, msg }) => msg.startsWith(start) && Date.parse(ts) >= fromMs);
    return found ? `${((Date.parse(found.ts) - fromMs) / 1000).toFixed(1)} s` : 'never';
  };
  return `decided after ${seconds('node is dead')}, all Pods set to not ready after ${seconds('Pods of a dead node were set to not ready')}`;
}

function cell(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const seconds = (ms = 0) => (ms / 1000).toFixed(1);
  return `${seconds(sorted[sorted.length >> 1])} (${seconds(sorted.at(-1))}) s`;
}

const rows: string[] = [];
let worstMs = 0;
try {
  await lab.stop('bird');
  startBird(lab, { gracefulRestart: false, bfd });
  for (const { name } of nodes) await kubelets.start(name);
  for (const file of ['rbac', 'admission']) await lab.kubectl('apply', '-f', `${rights}${file}.yaml`);
  await makeMetalLbPods(lab);
  await lab.addPods('echo', mortal);
  for (const target of targets)
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: serviceName(target),
        namespace: 'default',
        // Both programs read this annotation.
        annotations: { 'metallb.universe.tf/address-pool': target.pool },
      },
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: target.policy,
        selector: { app: 'echo' },
        ports: [{ port: 80, targetPort: 8080 }],
      },
    });
  const missing = metalLbMissing(metalLbPrograms(metalLbVersion));
  for (const kind of chosen) {
    if (kind.system === theirs && missing !== undefined) {
      console.log(`${kind.name} is not measured: ${missing}`);
      continue;
    }
    await configure(kind);
    await use(kind.system);
    const times: number[][] = [];
    for (let i = 0; i < rounds; i++) {
      const victim = mortal[i % mortal.length];
      if (!victim) throw new Error('a lab without nodes');
      times.push(await round(kind, victim));
      // A leader marks at most one node a minute. A new leader does not know of this mark, so it may mark the node of the next round at once.
      await kind.system.stopController();
      kind.system.startController();
    }
    const cells = targets.map((_, i) => cell(times.map((each) => each[i] ?? 0)));
    rows.push(`| ${kind.name} | ${cells.join(' | ')} |`);
    if (kind.marksDeadNodes) worstMs = Math.max(...times.flat());
  }
  console.log(`| requests fail for, median (most) | ${targets.map(({ name }) => name).join(' | ')} |`);
  console.log(`|---${'|---'.repeat(targets.length)}|\n${rows.join('\n')}`);
} finally {
  await kubelets.close();
  await lab.close();
}
if (worstMs > limitMs) {
  console.log(`requests failed for ${worstMs} ms with dead-nodes, which is longer than ${limitMs} ms`);
  process.exitCode = 1;
}
