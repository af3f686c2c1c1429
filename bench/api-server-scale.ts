/**
 * What speakers cost kube-apiserver: requests, octets and CPU time per speaker and per event, beside many Services on many nodes. The speakers
 * are simulated in this process: each has its own connections and runs the watches of the real speaker, with parts that ignore the objects.
 *   BELLMAN_KUBERNETES=$(lab/kubernetes/build.sh) lab/world .cache/bin/node bench/api-server-scale.ts [--services N] [--nodes N] [--speakers N] [--events N] [--idle-seconds N]
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { kubeconfigText } from '../lab/apiserver/kubeconfig.ts';
import { Kubernetes } from '../lab/kubernetes/kubernetes.ts';
import { countRequests } from '../lab/kubernetes/request-counts.ts';
import { ownHost, Processes } from '../lab/processes.ts';
import { systemClock } from '../src/clock.ts';
import { connect, type KubernetesClient } from '../src/kubernetes/client.ts';
import { paths } from '../src/kubernetes/write.ts';
import { createLogger } from '../src/log.ts';
import { AcceptedConfigTracker } from '../src/speaker/accepted-config-tracker.ts';
import type { AwaitedKind } from '../src/speaker/initial-sync.ts';
import { SpeakerWatches } from '../src/speaker/watches.ts';
import { Guard } from '../src/telemetry/guard.ts';
import { Turns } from '../src/turns.ts';
import { eventually } from '../test/support/eventually.ts';
import { freePort } from '../test/support/free-port.ts';
import { usageOf } from './processes.ts';

const run = promisify(execFile);
const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '1000' },
    speakers: { type: 'string', default: '50' },
    events: { type: 'string', default: '200' },
    'idle-seconds': { type: 'string', default: '300' },
  },
});
const counts = {
  services: Number(values.services),
  nodes: Number(values.nodes),
  speakers: Number(values.speakers),
  events: Number(values.events),
};
const { BELLMAN_KUBERNETES: programs = '' } = process.env;
const deadlineMs = 3_600_000;
/** A kubelet reports up to 50 images, which make most of a Node. */
const imagesPerNode = 50;

const folder = await mkdtemp(join(tmpdir(), 'bellman-scale-'));
const processes = new Processes(folder);
const port = await freePort();
const server = await Kubernetes.start({
  processes,
  host: ownHost,
  address: '127.0.0.1',
  port,
  folder,
  programs,
});
const admin = await connect(server.kubeconfig, 'bench');
const pid = (await run('pgrep', ['--full', '--newest', 'kube-apiserver --etcd-servers'])).stdout.trim();

/** Runs the work for 0 … count-1 with 24 workers. */
async function each(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 24 }, worker));
}

function node(i: number): object {
  return {
    metadata: {
      name: `node-${i}`,
      labels: { 'kubernetes.io/hostname': `node-${i}`, 'topology.kubernetes.io/zone': 'a' },
    },
    status: {
      conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
        type,
        status: type === 'Ready' ? 'True' : 'False',
        lastHeartbeatTime: new Date().toISOString().replace(/\.\d+/, ''),
        reason: `Kubelet${type}`,
        message: 'the kubelet reports this condition of the node',
      })),
      addresses: [{ type: 'InternalIP', address: `10.1.${i >> 8}.${i & 255}` }],
      images: Array.from({ length: imagesPerNode }, (_, n) => ({
        names: [
          `registry.example/team/program-${n}@sha256:${'0123456789abcdef'.repeat(4)}`,
          `registry.example/team/program-${n}:v1.2.${n}`,
        ],
        sizeBytes: 50_000_000 + n,
      })),
    },
  };
}

function slice(i: number, isReady = true): object {
  const endpoint = (n: number) => ({
    addresses: [`10.${100 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`],
    nodeName: `node-${n % counts.nodes}`,
    conditions: { ready: isReady, serving: isReady, terminating: false },
    targetRef: {
      kind: 'Pod',
      namespace: 'default',
      name: `s${i}-${n}`,
      uid: '01234567-89ab-cdef-0123-456789abcdef',
    },
  });
  return {
    metadata: { name: `s${i}`, labels: { 'kubernetes.io/service-name': `s${i}` } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [endpoint(3 * i), endpoint(3 * i + 1), endpoint(3 * i + 2)],
  };
}

const post = (path: string, body: object) => admin.request({ method: 'POST', path, body });
const services = '/api/v1/namespaces/default/services';
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

async function fill(): Promise<void> {
  await post(paths.configMaps('bellman-system'), {
    metadata: { name: 'config' },
    data: { config: 'address-pools:\n- {name: big, protocol: bgp, addresses: [10.64.0.0/14]}\n' },
  });
  const controllerConfig = join(folder, 'controller.kubeconfig');
  const { url, certificate } = server;
  await writeFile(
    controllerConfig,
    kubeconfigText({ url, certificate, token: await server.token('controller') }),
  );
  processes.start(
    'controller',
    ownHost,
    process.execPath,
    [
      fileURLToPath(new URL('../src/main.ts', import.meta.url)),
      'controller',
      '--metrics-address',
      '127.0.0.1:0',
    ],
    { KUBECONFIG: controllerConfig },
  );
  await each(counts.nodes, (i) => post(paths.nodes, node(i)));
  await each(counts.services, async (i) => {
    await post(services, {
      metadata: { name: `s${i}` },
      spec: {
        type: 'LoadBalancer',
        allocateLoadBalancerNodePorts: false,
        ports: [{ name: 'http', port: 80 }],
      },
    });
    await post(slices, slice(i));
  });
  await eventually(
    'every Service has an address',
    async () => {
      const { items } = await admin.request<{
        items: { status: { loadBalancer: { ingress?: object[] } } }[];
      }>({
        method: 'GET',
        path: services,
        timeoutMs: 120_000,
      });
      // The Service `kubernetes` is in the same namespace.
      return items.filter(({ status }) => status.loadBalancer.ingress).length === counts.services;
    },
    { deadlineMs },
  );
  await processes.stop('controller');
}

/** A speaker as kube-apiserver sees it. Resolves once it has read everything. */
async function startSpeaker(kubeconfig: string, signal: AbortSignal): Promise<KubernetesClient> {
  const client = await connect(kubeconfig, 'bellman-speaker/simulated');
  const logger = createLogger('bench', 'error');
  const kinds = new Set<AwaitedKind>(['services', 'endpoints', 'nodes', 'secrets']);
  const ignore = () => {};
  await new Promise<void>((resolve) => {
    const watches = new SpeakerWatches({
      namespace: 'bellman-system',
      client,
      clock: systemClock,
      turns: new Turns(systemClock),
      logger,
      guard: new Guard({ logger }),
      signal,
      services: new Map(),
      accepted: new AcceptedConfigTracker(),
      knownSpeakers: { setNode: ignore, setPod: ignore, speakers: () => [] } as never,
      memory: { save: () => undefined, recall: () => undefined },
      speaker: {
        setConfig: ignore,
        setService: ignore,
        setEndpointSlice: ignore,
        setNode: ignore,
        setSecret: ignore,
        reached: ignore,
      },
      layer2: { setSpeakers: ignore, setKeys: ignore },
      reconciler: { serviceChanged: ignore },
      arrived: (kind) => {
        kinds.delete(kind);
        if (kinds.size === 0) resolve();
      },
    });
    void watches.run();
  });
  return client;
}

interface Cost {
  readonly cpuSeconds: number;
  readonly octets: number;
  readonly requests: number;
  readonly seconds: number;
}

async function octetsSent(): Promise<number> {
  const { stdout } = await run('nft', ['list', 'table', 'inet', 'scale']);
  return Number(/bytes (\d+)/.exec(stdout)?.[1]);
}

/** What kube-apiserver spends while the work runs, and for two seconds more. The octets are those that it sends, with TCP and IP headers. */
async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const before = { cpu: usageOf([Number(pid)]).cpuSeconds, octets: await octetsSent(), ms: Date.now() };
  await work();
  await sleep(2000);
  const toMs = Date.now();
  return {
    cpuSeconds: usageOf([Number(pid)]).cpuSeconds - before.cpu,
    octets: (await octetsSent()) - before.octets,
    requests: countRequests(server.auditEvents(), { fromMs: before.ms, toMs }).reduce(
      (sum, { total }) => sum + total,
      0,
    ),
    seconds: (toMs - before.ms) / 1000,
  };
}

const patch = (path: string, body: object) =>
  admin.request({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body });
const kinds = {
  Service: (i: number) => patch(`${services}/s${i}`, { metadata: { labels: { turn: String(Date.now()) } } }),
  EndpointSlice: (i: number) => patch(`${slices}/s${i}`, slice(i, i % 2 === 0)),
  Node: (i: number) =>
    patch(`${paths.nodes}/node-${i % counts.nodes}/status`, {
      status: (node(i) as { status: object }).status,
    }),
} as const;

/** The events come one after another, so that the queues stay short. */
async function events(kind: keyof typeof kinds): Promise<void> {
  for (let i = 0; i < counts.events; i++) {
    await kinds[kind](i);
    await sleep(20);
  }
}

const stop = new AbortController();
const clients: KubernetesClient[] = [];
try {
  await run('nft', [
    `add table inet scale; add chain inet scale out { type filter hook output priority 0; }; add rule inet scale out tcp sport ${port} counter`,
  ]);
  await fill();
  const rss = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  console.log(
    `${counts.services} Services, ${counts.nodes} Nodes; kube-apiserver has ${Math.round(Number(rss) / 1024)} MiB`,
  );

  const alone = new Map<string, Cost>();
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[])
    alone.set(kind, await costOf(() => events(kind)));

  const kubeconfig = join(folder, 'speaker.kubeconfig');
  const { url, certificate } = server;
  await writeFile(kubeconfig, kubeconfigText({ url, certificate, token: await server.token('speaker') }));
  const started = await costOf(async () => {
    for (let i = 0; i < counts.speakers; i++) clients.push(await startSpeaker(kubeconfig, stop.signal));
  });
  const perSpeaker = (value: number, digits = 1) => (value / counts.speakers).toFixed(digits);
  console.log(
    '\n| one speaker | requests | octets sent by kube-apiserver | CPU of kube-apiserver |\n|---|---|---|---|',
  );
  console.log(
    `| start | ${perSpeaker(started.requests)} | ${perSpeaker(started.octets / 1e6)} MB | ${perSpeaker(started.cpuSeconds, 2)} s |`,
  );
  const idle = await costOf(() => sleep(Number(values['idle-seconds']) * 1000));
  const minute = 60 / idle.seconds;
  console.log(
    `| one minute without an event | ${perSpeaker(idle.requests * minute)} | ${perSpeaker((idle.octets * minute) / 1e3)} kB | ${perSpeaker(idle.cpuSeconds * minute, 4)} s |`,
  );
  console.log(
    '\n| one event | octets per speaker | CPU per speaker | CPU of the event itself |\n|---|---|---|---|',
  );
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    const cost = await costOf(() => events(kind));
    const base = alone.get(kind);
    if (!base) continue;
    const more = (a: number, b: number) => (a - b) / counts.events / counts.speakers;
    console.log(
      `| ${kind} | ${more(cost.octets, base.octets).toFixed(0)} | ${(more(cost.cpuSeconds, base.cpuSeconds) * 1e6).toFixed(0)} µs | ${((base.cpuSeconds / counts.events) * 1e3).toFixed(1)} ms |`,
    );
  }
} finally {
  stop.abort();
  for (const client of clients) client.close();
  admin.close();
  await processes.stopAll();
}
