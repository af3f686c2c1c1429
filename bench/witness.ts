/**
 * Counts the questions that witnesses send, and measures how long they take to notice that the answers of an owner are dropped.
 *   lab/world .cache/bin/node bench/witness.ts [SERVICES] [SECONDS]
 * Each Service has one IPv4 address, which one of three nodes owns. For each node, a filter on its port of the switch counts the ARP requests that
 * the node sends for these addresses. Then another filter drops all ARP answers that one node sends for them. The bench fails when the nodes together
 * send more than 200 questions a second on average, when the fault is not noticed within ten seconds, or when an address of that node does not move.
 */
import { Lab } from '../lab/lab.ts';
import { systemClock } from '../src/clock.ts';
import { makeManyServices } from './support/many-services.ts';

const serviceCount = Number(process.argv[2] ?? 100);
const seconds = Number(process.argv[3] ?? 30);
const pool = '10.99.0.0/16';
const perSecondLimit = 200;
const noticeLimitMs = 10_000;
const settleMs = 15_000;
const patienceMs = 300_000;

interface SpeakerView {
  readonly announcing: Readonly<Record<string, string>>;
  readonly unverified: Readonly<Record<string, string>>;
}

const lab = await Lab.start();
const { nodes, segment } = lab.fabric;
const [home] = nodes;
if (!home) throw new Error('a lab without nodes');

const pause = (ms: number) => new Promise<void>((resolve) => void systemClock.after(ms, resolve));
const view = async (node: (typeof nodes)[number]) => (await lab.status(node.namespace)) as SpeakerView;
const owned = async (node: (typeof nodes)[number]) => Object.keys((await view(node)).announcing).length;
const total = async () => {
  const counts = await Promise.all(nodes.map(owned));
  return counts.reduce((sum, count) => sum + count, 0);
};

/** Questions that all nodes have sent since the counters were made. */
async function questions(): Promise<number> {
  const text = await segment.exec('nft', 'list', 'table', 'netdev', 'questions');
  return [...text.matchAll(/counter packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function perSecond(): Promise<number> {
  const [before, fromMs] = [await questions(), systemClock.now()];
  await pause(seconds * 1000);
  return ((await questions()) - before) / ((systemClock.now() - fromMs) / 1000);
}

await lab.configure(`address-pools:
- {name: many, protocol: layer2, addresses: [${pool}], l2-advertisements: [{interfaces: [eth0]}]}
`);
await makeManyServices(lab, home, { from: 0, to: serviceCount });
await lab.until('every address has an owner', async () => (await total()) === serviceCount, patienceMs);
await pause(settleMs);
for (const { name } of nodes)
  await segment.exec(
    'nft',
    `add table netdev questions; add chain netdev questions ${name} { type filter hook ingress device ${name} priority 0; }; add rule netdev questions ${name} arp operation request arp saddr ip != ${pool} arp daddr ip ${pool} counter`,
  );
const calm = await perSecond();
console.log(`${serviceCount} addresses: ${calm.toFixed(1)} questions a second`);

const victim = nodes[1] ?? home;
const lost = await owned(victim);
await victim.namespace.exec(
  'nft',
  `add table netdev mute; add chain netdev mute out { type filter hook egress device eth0 priority 0; }; add rule netdev mute out arp saddr ip ${pool} drop`,
);
const droppedAtMs = systemClock.now();
await lab.until(
  'the fault is noticed',
  async () => Object.keys((await view(victim)).unverified).length > 0,
  patienceMs,
);
const noticedMs = systemClock.now() - droppedAtMs;
await lab.until('all addresses have moved', async () => (await owned(victim)) === 0, patienceMs);
const movedMs = systemClock.now() - droppedAtMs;
console.log(
  `noticed after ${noticedMs.toFixed(0)} ms; ${lost} addresses moved after ${movedMs.toFixed(0)} ms`,
);
const after = await perSecond();
console.log(`with the fault: ${after.toFixed(1)} questions a second`);
const isComplete = (await total()) === serviceCount;
await lab.close();
if (Math.max(calm, after) > perSecondLimit || noticedMs > noticeLimitMs || !isComplete) process.exitCode = 1;
