/**
 * Many layer-2 addresses on five nodes with real processes. The addresses are placed, then one speaker restarts, and then one node dies and returns.
 *   lab/world .cache/bin/node bench/layer2-scale.ts [--addresses 20000] [--per-second 5000]
 * A client on the segment asks by ARP for every address, round after round. After each step, exactly one node must answer for each address. The
 * bench fails when this is not so within ten minutes, or when one of the other three nodes has given an address away by the time the dead node
 * returns. It counts the rounds in which more than one node answers for an address.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LabNode } from '../lab/fabric.ts';
import { Lab } from '../lab/lab.ts';
import { formatIp, type IpAddress } from '../src/address/index.ts';
import type { CensusRound } from './support/arp-census.ts';
import { makeManyServices } from './support/many-services.ts';
import { usageOf } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    addresses: { type: 'string', default: '20000' },
    'per-second': { type: 'string', default: '5000' },
  },
});
const count = Number(values.addresses);
const deadlineMs = 600_000;
const firstIp: IpAddress = { family: 4, value: 0x0a200000n };
const lastIp: IpAddress = { family: 4, value: firstIp.value + BigInt(count - 1) };

const lab = await Lab.start({ nodes: 5 });
const [home, restarting, dying] = lab.fabric.nodes;
if (!home || !restarting || !dying) throw new Error('the lab has fewer than three nodes');
// The stand-in for kube-proxy cannot handle so many Services, and this bench sends no packets to them.
await lab.stop('kube-proxy');
await lab.configure(`address-pools:
- name: big
  protocol: layer2
  l2-advertisements: [{interfaces: [eth0]}]
  addresses: [${formatIp(firstIp)}-${formatIp(lastIp)}]
`);

/** Rounds of the census, in order. */
const rounds: CensusRound[] = [];
const asker = lab.fabric.near.spawn(
  process.execPath,
  [
    fileURLToPath(new URL('support/arp-census.ts', import.meta.url)),
    ...['eth0', formatIp(firstIp), String(count), values['per-second']],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
if (!asker.stdout) throw new Error('the census has no output');
createInterface(asker.stdout).on('line', (line) => rounds.push(JSON.parse(line)));

async function owned(node: LabNode): Promise<string[]> {
  const { announcing } = (await lab.status(node.namespace).catch(() => ({ announcing: {} }))) as {
    announcing: Record<string, string>;
  };
  return Object.keys(announcing);
}

async function cpuSeconds(node: LabNode): Promise<number> {
  const pids = (await lab.fabric.control.exec('ip', 'netns', 'pids', node.name)).trim().split('\n');
  return usageOf(pids.filter((pid) => pid !== '').map(Number)).cpuSeconds;
}

function fail(what: string): void {
  console.log(`  FAILED: ${what}`);
  process.exitCode = 1;
}

/** Whether the speaker of the node runs and sees all other speakers. */
async function hasJoined(node: LabNode): Promise<boolean> {
  const { members } = (await lab.status(node.namespace)) as { members: readonly { state: string }[] };
  return members.filter(({ state }) => state === 'alive').length === lab.fabric.nodes.length - 1;
}

/**
 * Waits for two consecutive rounds in which exactly one node answers for each address. One round is not enough, because an answer that arrives
 * late counts in the next round. With `joins`, both rounds begin after that node has joined the members again. The other nodes may answer for all
 * addresses before that.
 */
async function settle(step: string, beganAtMs: number, joins?: LabNode): Promise<void> {
  let fromMs = beganAtMs;
  const isRight = (round: CensusRound | undefined) =>
    round !== undefined && round.answeredByOne === count && round.beganAtMs >= fromMs;
  const since = () => rounds.filter((round) => round.beganAtMs >= beganAtMs);
  const rightInARow = () => {
    const all = since();
    return isRight(all.at(-1)) && isRight(all.at(-2));
  };
  try {
    if (joins) {
      await lab.until(`${step}: ${joins.name} has joined`, () => hasJoined(joins), deadlineMs);
      fromMs = Date.now();
    }
    await lab.until(`${step}: one node answers for each address`, async () => rightInARow(), deadlineMs);
  } catch {
    fail(`${step}: not settled after ${deadlineMs / 1000} s: ${JSON.stringify(rounds.at(-1))}`);
  }
  const all = since();
  const first = all.find(isRight);
  const most = (of: (round: CensusRound) => number) => Math.max(0, ...all.map(of));
  const doubled = all.filter(({ answeredByMore }) => answeredByMore > 0);
  const cells = [
    step,
    first ? ((first.endedAtMs - beganAtMs) / 1000).toFixed(1) : 'never',
    most(({ unanswered }) => unanswered),
    most(({ answeredByMore }) => answeredByMore),
    `${doubled.length} of ${all.length}`,
    (await Promise.all(lab.fabric.nodes.map(owned))).map((addresses) => addresses.length).join(' '),
    (await Promise.all(lab.fabric.nodes.map(cpuSeconds))).map((seconds) => seconds.toFixed(0)).join(' '),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

console.log(
  `${count} addresses, five nodes, a request for each address every ${(count / Number(values['per-second']) + 1).toFixed(1)} s`,
);
console.log(
  '| step | settled after, s | most unanswered | most answered by several nodes | rounds with several answerers | addresses per node | CPU per node, s |',
);
console.log('|---|---|---|---|---|---|---|');

let beganAtMs = Date.now();
await makeManyServices(lab, home, { from: 0, to: count });
await settle('made and placed', beganAtMs);

const before = await Promise.all(lab.fabric.nodes.map(owned));
beganAtMs = Date.now();
await lab.stop(`speaker-${restarting.name}`, 'SIGKILL');
lab.startSpeaker(restarting);
await settle('one restarts', beganAtMs, restarting);

beganAtMs = Date.now();
await lab.plugNode(dying, false);
await lab.stop(`speaker-${dying.name}`, 'SIGKILL');
await settle('one dies', beganAtMs);

const survivors = lab.fabric.nodes.filter((node) => node !== restarting && node !== dying);
for (const node of survivors) {
  const now = new Set(await owned(node));
  const lost = before[node.index - 1]?.filter((address) => !now.has(address)) ?? [];
  if (lost.length > 0) fail(`${node.name} gave ${lost.length} addresses away: ${lost.slice(0, 5)}`);
}

beganAtMs = Date.now();
await lab.plugNode(dying, true);
lab.startSpeaker(dying);
await settle('the dead node returns', beganAtMs, dying);

asker.kill();
await once(asker, 'exit');
await lab.close();
process.exit();
