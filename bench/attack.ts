/**
 * Cost of hostile senders: three nodes share layer-2 addresses and hold sessions with BIRD, while one host of the segment attacks them.
 *   lab/world .cache/bin/node bench/attack.ts [--seconds 30] [--rate 10000] [--only NAME]
 * During each attack, another host sends 100 ARP requests per second for one of the addresses. Fails when a speaker is declared lost, an
 * address moves, a session with BIRD ends, a speaker's process ends, or the p99 of the ARP answers reaches 20 ms.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Lab } from '../lab/lab.ts';
import { NetworkNamespace, plug } from '../lab/netns.ts';
import type { FrameAttack } from './attackers/frames.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    /** Datagrams or ARP requests per second, to each node. */
    rate: { type: 'string', default: '10000' },
    only: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const p99LimitMs = 20;
const foeAddress = '192.0.2.101';
const foeMac = '02:00:00:00:00:66';
const services = ['a', 'b', 'c', 'd', 'e', 'f'];
const config = `peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, hold-time: 9s}
- {name: foe, my-asn: 64512, peer-asn: 64501, peer-address: ${foeAddress}}
- {name: absent, my-asn: 64512, peer-asn: 64502, peer-address: 192.0.2.102, passive: true}
address-pools:
- {name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.250]}
`;

const lab = await Lab.start({ nodes: 3 });
const { nodes, near, segment } = lab.fabric;
const foe = await NetworkNamespace.create('foe');
await plug(
  { namespace: foe, interface: 'eth0', addresses: [`${foeAddress}/24`], mac: foeMac },
  segment,
  'lan',
  'foe',
);
await lab.configure(config);
await lab.addPods('all', nodes);
await lab.apply(
  ...services.map((name) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', selector: { app: 'all' }, ports: [{ port: 80, targetPort: 8080 }] },
  })),
);
// Each Service needs an EndpointSlice with a ready endpoint, and the lab makes none for these Services.
await lab.apply(
  ...services.map((name) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ protocol: 'TCP', port: 8080 }],
    endpoints: nodes.map((node) => ({ addresses: [`10.244.${node.index}.2`], nodeName: node.name })),
  })),
);

/** The node that answers for each address. */
async function owners(): Promise<Map<string, string>> {
  const owner = new Map<string, string>();
  for (const { name, namespace } of nodes) {
    const { announcing } = (await lab.status(namespace)) as { announcing: Record<string, string> };
    for (const address of Object.keys(announcing)) owner.set(address, name);
  }
  return owner;
}

const established = async (): Promise<readonly string[]> => {
  const protocols = await lab.birdc('show', 'protocols');
  return protocols.match(/^node_\d.*Established/gm) ?? [];
};

await lab.until('every address has an owner', async () => (await owners()).size === services.length, 120_000);
await lab.until('every session is established', async () => (await established()).length === 3, 120_000);

const script = (name: string) => fileURLToPath(new URL(`attackers/${name}.ts`, import.meta.url));

async function record(): Promise<FrameAttack['recorded']> {
  const [node] = nodes;
  const lines = (await node?.namespace.exec(process.execPath, script('record'), 'eth0', '60')) ?? '';
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as FrameAttack['recorded'][number]);
}

const recorded = await record();
const targets = await Promise.all(
  nodes.map(async (node) => ({ mac: await lab.macOf(node), address: node.addresses[0] })),
);
const frames = (kind: FrameAttack['kind']) => [
  script('frames'),
  'eth0',
  JSON.stringify({
    kind,
    from: foeMac,
    targets,
    recorded,
    rate: Number(values.rate),
    seconds,
  } satisfies FrameAttack),
];
const attacks: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['none', []],
  ['random datagrams', frames('random')],
  ['forged datagrams', frames('forged')],
  ['replayed datagrams', frames('replayed')],
  ['ARP requests', frames('arp')],
  ['UPDATEs of 21,000 attributes', [script('updates'), foeAddress, '64501', String(seconds), '1000000']],
  [
    'TCP connections',
    [script('connections'), '1000', String(seconds), ...nodes.map(({ addresses }) => addresses[0])],
  ],
];

/** Runs the client that sends the ARP requests. Resolves to the client's measurements when it has ended. */
function askBeside(address: string): Promise<{ answered: number; p99Ms: number }> {
  const args = [
    ...[fileURLToPath(new URL('neighbour.ts', import.meta.url)), '--asker', '--service', address],
    ...['--requests', String(seconds * 100), '--pace', '100', '--seconds', '0'],
  ];
  const asker = near.spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  asker.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve) =>
    asker.once('close', () => {
      const [, p99 = 'NaN'] = /p99 (\S+) µs/.exec(output) ?? [];
      resolve({ answered: Number(/(\d+) round trips/.exec(output)?.[1] ?? 0), p99Ms: Number(p99) / 1000 });
    }),
  );
}

function countLost(): number {
  return nodes.reduce(
    (sum, { name }) => sum + (lab.log(`speaker-${name}`).match(/"msg":"speaker lost"/g)?.length ?? 0),
    0,
  );
}

async function runAttack(args: readonly string[]): Promise<string> {
  if (args.length === 0) return '';
  const attacker = foe.spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  attacker.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await new Promise((resolve) => attacker.once('close', resolve));
  return output.replace('ready\n', '').trim();
}

console.log('| attack | inputs sent | false deaths | moves | sessions lost | ARP p99 ms | processes ended |');
console.log('|---|---|---|---|---|---|---|');
for (const [name, args] of attacks) {
  if (values.only !== undefined && values.only !== name) continue;
  const before = { owners: await owners(), sessions: await established(), lost: countLost() };
  const [address = ''] = before.owners.keys();
  const [asked, sent] = await Promise.all([askBeside(address), runAttack(args)]);
  const after = await owners();
  const moves = [...before.owners].filter(([each, owner]) => after.get(each) !== owner).length;
  // Each line shows when its session started, so a line that is missing afterwards means that this session was lost.
  const now = await established();
  const sessionsLost = before.sessions.filter((line) => !now.includes(line)).length;
  const deaths = countLost() - before.lost;
  const ended = nodes.filter((node) => !lab.isRunning(`speaker-${node.name}`)).length;
  console.log(
    `| ${name} | ${sent || 0} | ${deaths} | ${moves} | ${sessionsLost} | ${asked.p99Ms.toFixed(2)} | ${ended} |`,
  );
  if (deaths + moves + sessionsLost + ended > 0 || !(asked.p99Ms < p99LimitMs)) process.exitCode = 1;
}
if (process.exitCode === 1) console.log('OVER a bound');
await lab.close();
process.exit();
