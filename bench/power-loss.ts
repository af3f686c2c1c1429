/**
 * How long requests fail after a node loses power, with and without `dead-nodes`.
 *   BELLMAN_KUBERNETES=$(lab/kubernetes/build.sh) lab/world .cache/bin/node bench/power-loss.ts [ROUNDS]
 * Five nodes run the kube-proxy, the EndpointSlice controller and the node-lifecycle controller of Kubernetes, and two Services with Pods on
 * four nodes: one with `externalTrafficPolicy: Local` and one with `Cluster`, both announced in layer 2. A client on the segment opens a
 * connection to each every 10 ms. In a round, the cables of a node are cut and its speaker and kubelet end. The figure is the time from then
 * until the last failed request before two seconds without a failure. Later failures do not count, because single requests fail on a busy
 * machine. The figure includes the failover of the address, if the node owned it. Without `dead-nodes`, the figure is that of Kubernetes itself,
 * with its default node-monitor-grace-period. Any other announcer that does not report dead nodes to Kubernetes has the same figure.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LabNode } from '../lab/fabric.ts';
import { Kubelets } from '../lab/kubelets.ts';
import { Lab } from '../lab/lab.ts';
import { isKubernetes } from '../lab/start-api-server.ts';
import { deathTiming } from '../src/controller/death-judge/death-judge.ts';

if (!isKubernetes)
  throw new Error('BELLMAN_KUBERNETES is not set: only Kubernetes itself judges which nodes live');

const rounds = Number(process.argv[2] ?? 5);
const policies = ['Local', 'Cluster'] as const;
/** Longer than Kubernetes takes by itself. */
const longestMs = { with: 15_000, without: 90_000 } as const;
const limitMs = 3000;
/** While Kubernetes sends requests to dead endpoints, more than one fails within this time. A longer pause ends the count. */
const calmMs = 2000;
const rights = fileURLToPath(new URL('../manifests/dead-nodes/', import.meta.url));

const lab = await Lab.start({ nodes: 5, hasNodeLifecycle: true });
const kubelets = new Kubelets(lab.client);
for (const { name } of lab.fabric.nodes) await kubelets.start(name);
for (const file of ['rbac', 'admission']) await lab.kubectl('apply', '-f', `${rights}${file}.yaml`);
const mortal = lab.fabric.nodes.slice(1);
for (const policy of policies) {
  const name = policy.toLowerCase();
  await lab.addPods(name, mortal);
  await lab.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: policy,
      selector: { app: name },
      ports: [{ port: 80, targetPort: 8080 }],
    },
  });
}

async function configure(isOn: boolean): Promise<void> {
  await lab.configure(`address-pools: [{name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.250]}]
dead-nodes: {mark-pods-not-ready: ${isOn}}
`);
}

/** The address of each Service. */
async function addresses(): Promise<string[]> {
  const found = await Promise.all(policies.map((policy) => lab.addressesOf(policy.toLowerCase())));
  return found.flat();
}

async function isSettled(): Promise<boolean> {
  const all = await addresses();
  if (all.length !== policies.length) return false;
  for (let i = 0; i < 20; i++) for (const address of all) await lab.curl(lab.fabric.near, address);
  const slices = JSON.parse(await lab.kubectl('get', 'endpointslices', '-o', 'json')).items as readonly {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly endpoints: readonly { readonly conditions: { readonly ready: boolean } }[] | null;
  }[];
  const own = slices.filter(({ metadata }) =>
    policies.some((policy) => metadata.labels['kubernetes.io/service-name'] === policy.toLowerCase()),
  );
  return own.every(
    ({ endpoints }) => endpoints?.filter(({ conditions }) => conditions.ready).length === mortal.length,
  );
}

async function owners(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { name, namespace } of lab.fabric.nodes) {
    const { announcing } = (await lab.status(namespace)) as { announcing: object };
    for (const address of Object.keys(announcing)) found.set(address, name);
  }
  return found;
}

/** Time from the cut to the last failed request before two seconds without a failure; 0 if none failed. */
function failingMs(failedAtMs: readonly number[], fromMs: number): number {
  let lastMs = fromMs;
  for (const atMs of failedAtMs.toSorted((a, b) => a - b)) {
    if (atMs - lastMs > calmMs) break;
    lastMs = Math.max(lastMs, atMs);
  }
  return lastMs - fromMs;
}

/** Cuts the node off, and returns for each Service how long requests failed. */
async function round(victim: LabNode, kind: 'with' | 'without'): Promise<number[]> {
  await lab.until('requests to all Services succeed', isSettled);
  await sleep(deathTiming.quietMs);
  const own = await owners();
  const all = await addresses();
  const probes = all.map((address) => lab.probe(lab.fabric.near, address));
  await Promise.all(probes.map(({ ready }) => ready));
  await sleep(1000);
  const fromMs = Date.now();
  kubelets.stop(victim.name);
  await lab.powerOff(victim);
  await sleep(longestMs[kind]);
  const results = await Promise.all(probes.map((probe) => probe.stop()));
  const times = results.map(({ failedAtMs }) => failingMs(failedAtMs, fromMs));
  const text = policies.map((policy, i) => {
    const { asked = 0, answered = 0 } = results[i] ?? {};
    const wasOwner = own.get(all[i] ?? '') === victim.name ? ', its owner died' : '';
    return `${policy} ${((times[i] ?? 0) / 1000).toFixed(1)} s (${asked - answered} of ${asked} failed${wasOwner})`;
  });
  console.log(`  ${kind} dead-nodes, ${victim.name}: ${text.join('; ')}`);
  await lab.powerOn(victim);
  await kubelets.start(victim.name);
  return times;
}

const times = { with: [] as number[][], without: [] as number[][] };
for (const kind of ['with', 'without'] as const) {
  await configure(kind === 'with');
  for (let i = 0; i < rounds; i++) {
    const victim = mortal[i % mortal.length];
    if (!victim) throw new Error('a lab without nodes');
    times[kind].push(await round(victim, kind));
    // The next leader does not remember that the node was marked, and may mark the next one at once.
    await lab.stop('controller');
    lab.startController();
  }
}
console.log('| requests fail for | Local, median (most) | Cluster, median (most) |\n|---|---|---|');
for (const kind of ['without', 'with'] as const) {
  const cells = policies.map((_, i) => {
    const sorted = times[kind].map((each) => each[i] ?? 0).sort((a, b) => a - b);
    const seconds = (ms = 0) => (ms / 1000).toFixed(1);
    return `${seconds(sorted[sorted.length >> 1])} (${seconds(sorted.at(-1))}) s`;
  });
  console.log(`| ${kind} \`dead-nodes\` | ${cells.join(' | ')} |`);
}
const worst = Math.max(...times.with.flat());
if (worst > limitMs) {
  console.log(`requests failed for ${worst} ms with dead-nodes, which is longer than ${limitMs} ms`);
  process.exitCode = 1;
}
await kubelets.close();
await lab.close();
