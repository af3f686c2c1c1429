/**
 * Runs membership and ownership of a large cluster together, in virtual time: restarts, many deaths at once, and the end of a partition.
 *   .cache/bin/node --max-old-space-size=16384 bench/membership-scale.ts [--members 1000] [--addresses 50000] [--rack 10] [--loss PERCENT]
 * The membership record of each member holds some 230 octets about its three links. A rack is a group of nodes. Only the nodes of one rack may
 * answer for an address, but every member has the claims on all addresses. The bench fails when an address has two answerers for more than 1.5 s,
 * when the cluster does not settle within 20 s, or when the members send too many datagrams.
 */
import { parseArgs } from 'node:util';
import type { Claim } from '../src/layer2/ownership/claim.ts';
import { addressOf, MemorySpeakers } from '../test/support/memory-speakers.ts';

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '1000' },
    addresses: { type: 'string', default: '50000' },
    rack: { type: 'string', default: '10' },
    loss: { type: 'string', default: '0' },
  },
});
const [members, addresses, rack] = [Number(values.members), Number(values.addresses), Number(values.rack)];
/**
 * How long an address may have two answerers. One of them stops when the claim of the elected successor reaches it. The successor may take a second
 * to claim, and its claim half a second to arrive.
 */
const longestDoubledMs = 1500;
const longestSettleMs = 20_000;
/**
 * The largest permitted number of datagrams per member in one second, as a mean over the members: `always`, plus `perNode` for each node that
 * the event kills, starts or reconnects.
 */
const mostDatagrams = { always: 100, perNode: 40 };

const racks = Math.ceil(members / rack);
const held = Array.from({ length: addresses }, (_, i): Claim => {
  const owner = `node-${(i % racks) * rack + (Math.floor(i / racks) % rack)}`;
  return { address: addressOf(i), owner, epoch: 3, from: '', observedVersion: 1, inConflict: false };
});
const speakers = new MemorySpeakers({
  ...{ nodes: members, addresses, rack, seed: members, startsEmpty: true },
  loss: Number(values.loss) / 100,
});
const { net, ledger } = speakers;

const conditions = {
  /** Exactly one node answers for each address. */
  answered: () => ledger.answered === addresses && ledger.doubled === 0,
  /** Every member sees all running members as alive, and no others. */
  agreed: () => net.allAgree(),
  synced: () => {
    for (const [name, { ownership }] of speakers.all)
      if (!ownership.isStarted || !net.machine(name)?.isSynced) return false;
    return true;
  },
};

const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);
const stepMs = 100;
const leastMs = 2000;

/**
 * Causes the event, which changes `changedNodes` nodes. Then runs for at least `leastMs`, until all conditions hold or `longestSettleMs` have
 * passed. Prints a row.
 */
function measure(what: string, changedNodes: number, event: () => void): void {
  const startedAt = net.now;
  const cpuBefore = process.cpuUsage();
  ledger.reset();
  let [mostUnanswered, peak, packets] = [0, 0, net.packets];
  const settledMs = { answered: 0, agreed: 0, synced: 0 };
  event();
  for (let secondAt = startedAt; ; net.run(stepMs)) {
    const elapsedMs = net.now - startedAt;
    mostUnanswered = Math.max(mostUnanswered, addresses - ledger.answered);
    if (net.now - secondAt >= 1000) {
      peak = Math.max(peak, ((net.packets - packets) * 1000) / (net.now - secondAt));
      [secondAt, packets] = [net.now, net.packets];
    }
    let isSettled = true;
    for (const name of ['answered', 'agreed', 'synced'] as const)
      if (!conditions[name]()) {
        settledMs[name] = elapsedMs + stepMs;
        isSettled = false;
      }
    if ((isSettled && elapsedMs >= leastMs) || elapsedMs >= longestSettleMs) break;
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpuSeconds = (user + system) / 1e6;
  row(
    what,
    ...Object.values(settledMs).map((ms) =>
      ms > longestSettleMs ? `not in ${longestSettleMs / 1000}` : (ms / 1000).toFixed(1),
    ),
    mostUnanswered,
    ledger.mostDoubled,
    Math.round(ledger.longestDoubledMs),
    (peak / members).toFixed(0),
    cpuSeconds.toFixed(1),
    ((cpuSeconds * 1e6) / members / (net.now - startedAt)).toFixed(2),
  );
  const isRight =
    Math.max(...Object.values(settledMs)) <= longestSettleMs &&
    ledger.longestDoubledMs <= longestDoubledMs &&
    peak / members <= mostDatagrams.always + mostDatagrams.perNode * changedNodes;
  if (!isRight) process.exitCode = 1;
  net.run(3000);
}

function restart(names: readonly string[]): void {
  for (const name of names) speakers.kill(name);
  net.run(500);
  for (const name of names) speakers.start(name);
}

console.log(`${members} members, ${addresses} addresses, racks of ${rack}, loss ${values.loss} %`);
row(
  ...['event', 'one answerer each after, s', 'all agree after, s', 'all synced after, s'],
  ...['most unanswered', 'most answered by several nodes', 'for at most, ms'],
  ...['datagrams/member in the busiest second', 'CPU, s', 'CPU per member, ms/s'],
);
row(...Array.from({ length: 10 }, () => '---'));
const every = (step: number, from: number) => net.names.filter((_, i) => i % step === from);
const [one = '', ...more] = every(Math.max(2, Math.floor(members / 12)), 1);

net.run(4000);
measure('at rest', 0, () => {
  speakers.place(held);
  net.run(3000);
});
measure('one restarts', 1, () => restart([one]));
const upToTen = more.slice(0, 10);
measure(`${upToTen.length} restart`, upToTen.length, () => restart(upToTen));
const tenth = every(10, 3);
measure('10 % die', tenth.length, () => {
  for (const name of tenth) speakers.kill(name);
});
measure('they return', tenth.length, () => {
  for (const name of tenth) speakers.start(name);
});
const lone = every(10, 7);
net.part(lone);
net.run(10_000);
measure('a partition of 10 % heals', lone.length, () => net.part([]));
