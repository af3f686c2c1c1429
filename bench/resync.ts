/**
 * A whole speaker beside its duties: ARP requests answered while 10,000 Services are resynced again and again, and a BGP session with
 * BIRD, hold time 3 s, while 20,000 requests a second come.
 *   lab/world .cache/bin/node bench/resync.ts [SERVICES]
 */
import { Lab } from '../lab/lab.ts';

const count = Number(process.argv[2] ?? 10_000);
const service = '192.0.2.240';
const kernel = '192.0.2.11';
const lab = await Lab.start({ nodes: 1 });
const [node] = lab.fabric.nodes;
if (!node) throw new Error('a lab without nodes');
await lab.configure(`peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, hold-time: 3s}
address-pools:
- {name: office, protocol: layer2, auto-assign: false, addresses: [${service}/32]}
- {name: big, protocol: bgp, addresses: [10.32.0.0/15]}
`);
// The stand-in for kube-proxy is not made for so many Services, and no packet goes through them here.
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
const routes = async () =>
  Number(/(\d+) of \d+ routes for/.exec(await lab.birdc('show', 'route', 'count'))?.[1] ?? 0);
await lab.until('BIRD has a route for each', async () => (await routes()) >= count, 60_000);

async function statusOfAllocation(): Promise<string> {
  const { services } = (await lab.status(lab.fabric.control)) as { services: { addresses: object[] }[] };
  return `services":${services.filter(({ addresses }) => addresses.length > 0).length},`;
}

/** Runs the asker on the near client's link, and something beside it again and again until it ends. */
async function asking(flags: readonly string[], beside: () => Promise<void>): Promise<void> {
  const script = new URL('neighbour.ts', import.meta.url).pathname;
  const asker = lab.fabric.near.spawn(
    process.execPath,
    [script, '--asker', '--kernel', kernel, '--service', service, ...flags],
    { stdio: 'inherit' },
  );
  let isOver = false;
  const over = new Promise<void>((resolve) =>
    asker.once('exit', () => {
      isOver = true;
      resolve();
    }),
  );
  while (!isOver) await Promise.race([over, beside()]);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

console.log('idle:');
await asking(['--requests', '5000', '--seconds', '0'], () => pause(100));
console.log(`while ${count} Services are resynced:`);
const lists = async () =>
  Object.entries(await lab.requests())
    .filter(([request]) => request.includes('bellman-speaker') && /LIST services/.test(request))
    .reduce((sum, [, times]) => sum + times, 0);
const before = await lists();
await asking(['--requests', '5000', '--seconds', '0'], async () => {
  await lab.api('compact');
  await lab.api('cut-watches');
  await pause(500);
});
console.log(`resyncs meanwhile: ${(await lists()) - before}`);

console.log('BGP session with hold time 3 s, keepalives every second, meanwhile 20,000 requests a second:');
const left: number[] = [];
await asking(['--requests', '0', '--rate', '20000', '--seconds', '10'], async () => {
  const [, remaining] = /Hold timer:\s*([\d.]+)\//.exec(await lab.birdc('show', 'protocols', 'all')) ?? [];
  left.push(Number(remaining ?? 0));
  await pause(20);
});
console.log(
  `BIRD's hold timer, seen ${left.length} times: never below ${Math.min(...left)} s of 3 s, or ${((3 - Math.min(...left)) * 1000).toFixed(0)} ms between two messages at most`,
);
await lab.close();
process.exit(0);
