/**
 * Measures the cost of speakers for kube-apiserver in a large cluster, for each start of a speaker, for each event, and at rest. The cost is the
 * octets that kube-apiserver sends to a speaker, and its CPU time. For starts and at rest, the bench also counts requests. It prints tables for
 * docs/design/scale.md.
 *   GOGC=100 BELLMAN_KUBERNETES=$(lab/kubernetes/build.sh) lab/world .cache/bin/node bench/api-server-scale.ts
 *     [--services 10000] [--nodes 1000] [--events 200] [--minutes 5]
 * The cluster has five nodes with speakers. All other nodes are objects only. The bench measures the cost of an event without speakers, and then
 * with five. A fifth of the difference is the cost for one speaker. BELLMAN_PROGRAM names the program that the speakers run. GOGC=100 is the
 * default of kube-apiserver; labs use a larger value.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { LabNode } from '../lab/fabric.ts';
import { Kubernetes } from '../lab/kubernetes/kubernetes.ts';
import { countRequests } from '../lab/kubernetes/request-counts.ts';
import { Lab } from '../lab/lab.ts';
import { paths } from '../src/kubernetes/write.ts';
import { inParallel, servedServices } from './support/many-requests.ts';
import { processesOf, usageOf } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '1000' },
    events: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '5' },
  },
});
const [services, nodes, events, minutes] = [values.services, values.nodes, values.events, values.minutes].map(
  Number,
) as [number, number, number, number];
const speakers = 5;
const patienceMs = 600_000;
/** Longer than a speaker needs to handle an event, including its writes to the API server. */
const quietMs = 10_000;
const servicesPath = '/api/v1/namespaces/default/services';
const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

const lab = await Lab.start({ nodes: speakers });
const { server } = lab;
if (!(server instanceof Kubernetes))
  throw new Error('BELLMAN_KUBERNETES is not set: this bench measures kube-apiserver');
const serverPids = processesOf(server.program('kube-apiserver'), () => true);
const names = lab.fabric.nodes.map(({ name }) => name);

const post = (path: string, body: object) => lab.client.request({ method: 'POST', path, body });
const patch = (path: string, body: object) =>
  lab.client.request({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body });

/** The octets that the node has received from the API server since {@link countOctets} ran. */
async function receivedBy(node: LabNode): Promise<number> {
  const text = await node.namespace.exec('nft', 'list', 'table', 'inet', 'octets');
  return Number(/counter packets \d+ bytes (\d+)/.exec(text)?.[1] ?? 0);
}

const countOctets = (node: LabNode) =>
  node.namespace.exec(
    'nft',
    [
      'add table inet octets',
      'add chain inet octets in { type filter hook input priority 0; }',
      'add rule inet octets in tcp sport 6443 counter',
    ].join('; '),
  );

/** The status of a Node, as large as one that a kubelet writes: with conditions, addresses and a list of images. */
const status = (i: number, at: Date) => ({
  capacity: { cpu: '32', memory: '131072000Ki', pods: '110' },
  allocatable: { cpu: '31', memory: '129024000Ki', pods: '110' },
  conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
    type,
    status: type === 'Ready' ? 'True' : 'False',
    reason: 'Bench',
    message: 'kubelet is posting this condition',
    lastHeartbeatTime: at.toISOString().replace(/\.\d+/, ''),
  })),
  addresses: [{ type: 'InternalIP', address: `172.16.${i >> 8}.${i & 255}` }],
  images: Array.from({ length: 25 }, (_, image) => ({
    names: [
      `registry.example/team/image-${image}@sha256:${'0123456789abcdef'.repeat(4)}`,
      `registry.example/team/image-${image}:v1`,
    ],
    sizeBytes: 100_000_000 + image,
  })),
});
const far = (i: number) => `far-${String(i).padStart(5, '0')}`;
const service = (i: number) => `s${i}`;
/** Two endpoints on two nodes without speakers. The first one is ready if `isReady`, the second one always. */
const endpoints = (i: number, isReady: boolean) =>
  [0, 1].map((each) => ({
    addresses: [`10.${200 + each}.${i >> 8}.${i & 255}`],
    nodeName: far((i * 7 + each) % (nodes - speakers)),
    conditions: { ready: each === 1 || isReady, serving: each === 1 || isReady, terminating: false },
  }));

for (const name of names) {
  await lab.stop(`kube-proxy-${name}`);
  await lab.stop(`speaker-${name}`);
}
await Promise.all(lab.fabric.nodes.map(countOctets));
await lab.configure(`peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}
address-pools:
- {name: big, protocol: bgp, addresses: [10.64.0.0/15]}
`);
const madeFrom = performance.now();
await inParallel(nodes - speakers, async (i) => {
  await post(paths.nodes, { metadata: { name: far(i), labels: { 'kubernetes.io/hostname': far(i) } } });
  await patch(`${paths.nodes}/${far(i)}/status`, { status: status(i, new Date()) });
});
await inParallel(services, async (i) => {
  await post(servicesPath, {
    metadata: { name: service(i), labels: { app: service(i), team: 'bench' } },
    spec: {
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      ports: [{ port: 80, protocol: 'TCP' }],
    },
  });
  await post(slicesPath, {
    metadata: { name: service(i), labels: { 'kubernetes.io/service-name': service(i) } },
    addressType: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: endpoints(i, true),
  });
});
await lab.until(
  'every Service has an address',
  async () => {
    await sleep(2000);
    return (await servedServices(lab.client, servicesPath)) === services;
  },
  patienceMs,
);
console.log(
  `${services} Services and ${nodes} nodes are made after ${((performance.now() - madeFrom) / 1000).toFixed(0)} s\n`,
);

const serverCpu = () => usageOf(serverPids).cpuSeconds;
const kilobytes = (octets: number) => (octets / 1000).toFixed(1);
const speakerRequests = (fromMs: number) =>
  countRequests(server.auditEvents(), { fromMs, toMs: Date.now() }).filter(({ process }) =>
    process.startsWith('bellman-speaker '),
  );
const sumOctets = async () => {
  const all = await Promise.all(lab.fabric.nodes.map(receivedBy));
  return all.reduce((sum, received) => sum + received, 0);
};

const wasReady: boolean[] = [];

type EventKind = readonly [name: string, event: (i: number) => Promise<unknown>];
const kinds: readonly EventKind[] = [
  [
    'a label of a Service changes',
    (i) => patch(`${servicesPath}/${service(i)}`, { metadata: { labels: { round: `r${Date.now()}` } } }),
  ],
  [
    'an endpoint turns ready or not ready',
    async (i) => {
      wasReady[i] = !(wasReady[i] ?? true);
      await patch(`${slicesPath}/${service(i)}`, { endpoints: endpoints(i, wasReady[i]) });
    },
  ],
  [
    'a Node reports its status',
    (i) => patch(`${paths.nodes}/${far(i % (nodes - speakers))}/status`, { status: status(i, new Date()) }),
  ],
];

interface Cost {
  readonly cpuMs: number;
  readonly octets: number;
}

/** The mean cost of one event of each kind. The cost of the same time at rest is subtracted. */
async function costs(): Promise<ReadonlyMap<string, Cost>> {
  const measure = async (run: () => Promise<unknown>) => {
    const [cpu, octets, from] = [serverCpu(), await sumOctets(), performance.now()];
    await run();
    return {
      cpuMs: (serverCpu() - cpu) * 1000,
      octets: (await sumOctets()) - octets,
      elapsedMs: performance.now() - from,
    };
  };
  const rest = await measure(() => sleep(3 * quietMs));
  const result = new Map<string, Cost>();
  for (const [name, event] of kinds) {
    const { elapsedMs, cpuMs, octets } = await measure(async () => {
      for (let i = 0; i < events; i++) await event(i);
      await sleep(quietMs);
    });
    const share = elapsedMs / rest.elapsedMs;
    result.set(name, {
      cpuMs: (cpuMs - share * rest.cpuMs) / events,
      octets: (octets - share * rest.octets) / events,
    });
  }
  return result;
}

const routesFrom = async (node: LabNode) =>
  Number(
    /(\d+) of \d+ routes for/.exec(
      await lab.birdc('show', 'route', 'where', `from = ${node.addresses[0]}`, 'count'),
    )?.[1] ?? 0,
  );

const without = await costs();

console.log('| start of a speaker | requests | octets received | CPU of kube-apiserver | seconds |');
console.log('|---|---|---|---|---|');
for (const node of lab.fabric.nodes) {
  const [cpu, received, fromMs, from] = [serverCpu(), await receivedBy(node), Date.now(), performance.now()];
  lab.startSpeaker(node);
  await lab.until(
    `${node.name} announces every address`,
    async () => {
      await sleep(500);
      return (await routesFrom(node)) >= services;
    },
    patienceMs,
  );
  const seconds = (performance.now() - from) / 1000;
  const [request] = speakerRequests(fromMs).filter(({ byKind }) =>
    [...byKind.keys()].some((kind) => kind.startsWith('list')),
  );
  const kindsOf = [...(request?.byKind ?? [])].map(([kind, count]) => `${count} ${kind}`).join(', ');
  const megabytes = ((await receivedBy(node)) - received) / 1e6;
  console.log(
    `| ${node.name} | ${request?.total} (${kindsOf}) | ${megabytes.toFixed(1)} MB | ${(serverCpu() - cpu).toFixed(2)} s | ${seconds.toFixed(1)} |`,
  );
}
await sleep(3 * quietMs);

const withAll = await costs();
console.log(`\nOne event, mean of ${events}:\n`);
console.log(
  '| event | CPU of kube-apiserver without speakers | for each speaker | octets to each speaker |\n|---|---|---|---|',
);
for (const [name, alone] of without) {
  const all = withAll.get(name) ?? alone;
  const cpuMs = (all.cpuMs - alone.cpuMs) / speakers;
  const octets = (all.octets - alone.octets) / speakers;
  console.log(
    `| ${name} | ${alone.cpuMs.toFixed(2)} ms | ${cpuMs.toFixed(3)} ms | ${kilobytes(octets)} KB |`,
  );
}

const fromMs = Date.now();
const [restCpu, restOctets] = [serverCpu(), await sumOctets()];
await sleep(minutes * 60_000);
const perMinute = (value: number) => value / minutes;
const requests = speakerRequests(fromMs).reduce((sum, { total }) => sum + total, 0);
console.log(`\nAt rest, in a minute, over ${minutes} minutes:\n`);
console.log(`- requests of each speaker: ${perMinute(requests / speakers).toFixed(1)}`);
console.log(
  `- octets to each speaker: ${kilobytes(perMinute(((await sumOctets()) - restOctets) / speakers))} KB`,
);
console.log(
  `- CPU of kube-apiserver, with controller and control plane: ${perMinute(serverCpu() - restCpu).toFixed(2)} s`,
);
await lab.close();
process.exit();
