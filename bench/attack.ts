/**
 * Cost of hostile senders: three nodes share layer-2 addresses and hold sessions with BIRD, while one host of the segment attacks them.
 *   lab/world .cache/bin/node bench/attack.ts [--seconds 30] [--rate 10000] [--only NAME]
 * During each attack, another host sends 100 ARP requests per second for one of the addresses. Fails when a speaker is declared lost, an
 * address moves, a session with BIRD ends, a process of a speaker ends, or the p99 of the ARP answers reaches 20 ms. Also fails when the attacker
 * fails or sends less than half of what it should.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Lab } from '../lab/lab.ts';
import { NetworkNamespace, plug } from '../lab/netns.ts';
import type { FrameAttack } from './attackers/frames.ts';
import { type Sent, sentBy } from './support/attacker.ts';
import { childProcesses, layer2Processes, speakerProcesses } from './support/bellman-processes.ts';
import { knownNames } from './support/choice.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    /** Datagrams or ARP requests per second, to each node. */
    rate: { type: 'string', default: '10000' },
    only: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const nodeCount = 3;
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

/** UPDATEs on each session, in octets per second. */
const updateRate = 1_000_000;
const updateOctets = 63_000;
const connectionRate = 1000;

interface Attack {
  readonly name: string;
  /** Inputs per second that the attacker should send. */
  readonly perSecond: number;
  /** The program and its arguments; empty for no attack. */
  args(): readonly string[];
}

const flood = Number(values.rate);
const attacks: readonly Attack[] = [
  { name: 'none', perSecond: 0, args: () => [] },
  { name: 'random datagrams', perSecond: nodeCount * flood, args: () => frames('random') },
  { name: 'forged datagrams', perSecond: nodeCount * flood, args: () => frames('forged') },
  { name: 'replayed datagrams', perSecond: nodeCount * flood, args: () => frames('replayed') },
  { name: 'ARP requests', perSecond: flood, args: () => frames('arp') },
  {
    name: 'UPDATEs of 21,000 attributes',
    perSecond: (nodeCount * updateRate) / updateOctets,
    args: () => [script('updates'), foeAddress, '64501', String(seconds), String(updateRate)],
  },
  {
    name: 'TCP connections',
    perSecond: connectionRate,
    args: () => [
      ...[script('connections'), String(connectionRate), String(seconds)],
      ...nodes.map(({ addresses }) => addresses[0]),
    ],
  },
];
const names = attacks.map(({ name }) => name);
const chosen = values.only === undefined ? names : knownNames('--only', [values.only], names);

const lab = await Lab.start({ nodes: nodeCount });
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
await lab.until(
  'every session is established',
  async () => (await established()).length === nodeCount,
  120_000,
);

/**
 * The process ids of the speakers and of their child processes. The child processes take the hostile frames. A speaker replaces a child process
 * that ends, and the new one has another id.
 */
const daemons = () => [...speakerProcesses(), ...childProcesses()];
await lab.until(
  'each speaker has a layer-2 process',
  async () => speakerProcesses().length === nodeCount && layer2Processes().length === nodeCount,
  120_000,
);

function script(name: string): string {
  return fileURLToPath(new URL(`attackers/${name}.ts`, import.meta.url));
}

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
  nodes.map(async (node) => ({ mac: await lab.macOf(node), addresses: node.addresses })),
);
function frames(kind: FrameAttack['kind']): readonly string[] {
  const attack: FrameAttack = { kind, from: foeMac, targets, recorded, rate: flood, seconds };
  return [script('frames'), 'eth0', JSON.stringify(attack)];
}

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

async function runAttack({ args, perSecond }: Attack): Promise<Sent> {
  const words = args();
  if (words.length === 0) return { sent: 0, isEnough: true };
  const attacker = foe.spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  return sentBy(attacker, perSecond * seconds);
}

console.log('| attack | inputs sent | false deaths | moves | sessions lost | ARP p99 ms | processes ended |');
console.log('|---|---|---|---|---|---|---|');
const weak: string[] = [];
for (const attack of attacks.filter(({ name }) => chosen.includes(name))) {
  const before = {
    owners: await owners(),
    sessions: await established(),
    lost: countLost(),
    daemons: daemons(),
  };
  const [address = ''] = before.owners.keys();
  const [asked, { sent, isEnough }] = await Promise.all([askBeside(address), runAttack(attack)]);
  const after = await owners();
  const moves = [...before.owners].filter(([each, owner]) => after.get(each) !== owner).length;
  // Each line shows when its session started, so a line that is missing afterwards means that this session was lost.
  const now = await established();
  const sessionsLost = before.sessions.filter((line) => !now.includes(line)).length;
  const deaths = countLost() - before.lost;
  const running = daemons();
  const ended = before.daemons.filter((pid) => !running.includes(pid)).length;
  console.log(
    `| ${attack.name} | ${sent} | ${deaths} | ${moves} | ${sessionsLost} | ${asked.p99Ms.toFixed(2)} | ${ended} |`,
  );
  if (!isEnough) weak.push(attack.name);
  if (deaths + moves + sessionsLost + ended > 0 || !(asked.p99Ms < p99LimitMs)) process.exitCode = 1;
}
if (process.exitCode === 1) console.log('OVER a bound');
if (weak.length > 0) {
  console.log(`attacks that failed or sent less than half of what they should: ${weak.join(', ')}`);
  process.exitCode = 1;
}
await lab.close();
process.exit();
