/**
 * A complete speaker under load with 10,000 Services, which it first announces by BGP and then in layer 2.
 *   lab/world .cache/bin/node bench/resync.ts [SERVICES] [bgp|layer2]
 * In a resync, the API server has forgotten its history and breaks all watches, so the speaker lists all Services again. The BGP part first measures
 * answers to ARP requests during one resync after another. Then it watches the hold timer of a BGP session with BIRD (hold time 3 s) under
 * 20,000 ARP requests per second. The layer-2 part sends 1,000 ARP requests per second for an address that already has an owner. It measures the
 * answers while all other addresses are placed, during resyncs, and while edits of the configuration change the links of these addresses. Fails when
 * the p99 of the answers exceeds 10 ms, when less than 99.9 % of the 20,000 requests per second are answered, or when BIRD's hold timer falls to
 * 0.5 s.
 */
import type { LabNode } from '../lab/fabric.ts';
import { Lab } from '../lab/lab.ts';
import { askDuring, paced } from './support/asker.ts';
import { bgpRoutes } from './support/bgp-routes.ts';

const count = Number(process.argv[2] ?? 10_000);
const only = process.argv[3];
const p99LimitMs = 10;
const service = '192.0.2.240';
const kernel = '192.0.2.11';
const lab = await Lab.start({ nodes: 1 });
const [node] = lab.fabric.nodes;
if (!node) throw new Error('a lab without nodes');
const configuration = (big: string) => `peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, hold-time: 3s}
address-pools:
- {name: office, protocol: layer2, auto-assign: false, addresses: [${service}/32]}
- {name: big, ${big}, addresses: [10.32.0.0/15]}
`;
const onLinks = (...links: string[]) => `protocol: layer2, l2-advertisements: [{interfaces: [${links}]}]`;
await lab.configure(configuration('protocol: bgp'));
// The stand-in for kube-proxy cannot handle so many Services, and this bench sends no packets to them.
await lab.stop('kube-proxy');
await lab.addPods('printer', [node]);
const serviceObject = (name: string, annotations: Readonly<Record<string, string>> = {}) => ({
  metadata: { name, annotations },
  spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], selector: { app: 'printer' } },
});
const sliceObject = (name: string) => ({
  metadata: { name, labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [{ protocol: 'TCP', port: 8080 }],
  endpoints: [{ addresses: ['10.244.1.2'], nodeName: node.name, conditions: { ready: true, serving: true } }],
});
const post = (path: string, body: object) => lab.client.request({ method: 'POST', path, body });
const make = async (body: { readonly metadata: { readonly name: string } }) => {
  await post('/api/v1/namespaces/default/services', body);
  await post('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', sliceObject(body.metadata.name));
};
await post(
  '/api/v1/namespaces/default/services',
  serviceObject('printer', { 'bellman.dev/address-pool': 'office' }),
);
for (let i = 0; i < count; i += 50)
  await Promise.all(
    Array.from({ length: Math.min(50, count - i) }, (_, j) => make(serviceObject(`s${i + j}`))),
  );
await lab.until(
  'every Service has an address',
  async () => new RegExp(`services":${count + 1},`).test(await statusOfAllocation()),
  300_000,
);
await lab.until('the address is answered', async () =>
  /Received 1 response/.test(
    await lab.fabric.near.exec('arping', '-c', '1', '-w', '1', '-I', 'eth0', service),
  ),
);
await lab.until('BIRD has all routes', async () => (await bgpRoutes(lab)) >= count, 60_000);

async function statusOfAllocation(): Promise<string> {
  const { services } = (await lab.status(lab.fabric.control)) as { services: { addresses: object[] }[] };
  return `services":${services.filter(({ addresses }) => addresses.length > 0).length},`;
}

/** Runs the client on the near host, and repeats an action until the client ends. */
async function measureDuring(flags: readonly string[], action: () => Promise<void>): Promise<void> {
  const asker = { host: lab.fabric.near, kernel, service, limitMs: p99LimitMs };
  if (!(await askDuring(asker, flags, action))) process.exitCode = 1;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const inTurn = ['--requests', '5000', '--seconds', '0'];
const lists = async () =>
  [...(await lab.requests())]
    .filter(([request]) => request.includes('bellman-speaker') && /LIST services/.test(request))
    .reduce((sum, [, times]) => sum + times, 0);

async function askingWhileResynced(flags: readonly string[]): Promise<void> {
  const before = await lists();
  await measureDuring(flags, async () => {
    await lab.api('compact');
    await lab.api('cut-watches');
    await pause(500);
  });
  const resyncs = (await lists()) - before;
  console.log(`resyncs in this time: ${resyncs}`);
  if (resyncs === 0) process.exitCode = 1;
}

async function bgpBesideAnswers(): Promise<void> {
  console.log('idle:');
  await measureDuring(inTurn, () => pause(100));
  console.log(`while ${count} Services are resynced:`);
  await askingWhileResynced(inTurn);

  console.log('BGP session with hold time 3 s, keepalives every second, under 20,000 requests per second:');
  const left: number[] = [];
  await measureDuring(['--requests', '0', '--rate', '20000', '--seconds', '10'], async () => {
    const [, remaining] = /Hold timer:\s*([\d.]+)\//.exec(await lab.birdc('show', 'protocols', 'all')) ?? [];
    left.push(Number(remaining ?? 0));
    await pause(20);
  });
  const least = Math.min(...left);
  console.log(
    `BIRD's hold timer, seen ${left.length} times: never below ${least} s of 3 s, so at most ${((3 - least) * 1000).toFixed(0)} ms passed between two messages`,
  );
  if (!(least > 0.5)) process.exitCode = 1;
}

async function layer2BesideAnswers(on: LabNode): Promise<void> {
  const answered = async () =>
    Object.keys(((await lab.status(on.namespace)) as { announcing: object }).announcing).length;
  console.log(`while ${count} addresses are placed in layer 2, probed, and recorded in the API server:`);
  const began = performance.now();
  await lab.configure(configuration(onLinks('eth0')));
  await measureDuring(paced(30), () => pause(1000));
  await lab.until('every address is answered', async () => (await answered()) === count + 1, 120_000);
  console.log(
    `all addresses were answered within ${((performance.now() - began) / 1000).toFixed(0)} s after the edit`,
  );
  console.log(`idle, with ${count} addresses:`);
  await measureDuring(paced(10), () => pause(1000));
  console.log('while all addresses are resynced:');
  await askingWhileResynced(paced(15));
  console.log('while edits of the configuration change the links of all addresses:');
  let edits = 0;
  await measureDuring(paced(15), async () => {
    await lab.configure(configuration(onLinks('eth0', ...(edits++ % 2 === 0 ? ['eth9'] : []))));
    await pause(2000);
  });
  console.log(`edits in this time: ${edits}`);
}

if (only !== 'layer2') await bgpBesideAnswers();
if (only !== 'bgp') await layer2BesideAnswers(node);
await lab.close();
process.exit();
