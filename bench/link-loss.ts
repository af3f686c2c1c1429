/**
 * How soon a BGP session ends after its link loses the carrier, and after its local address is removed.
 *   lab/world .cache/bin/node bench/link-loss.ts [ROUNDS]
 * A speaker in the process of the bench has sessions with two BIRD routers on two links. In each round, the far end of the first link goes down and
 * comes up again. Then the local address of the link is removed and added again. For each loss, the bench measures two durations. Both end when
 * the session has ended. The first duration starts when a running `ip` program gets the order to make the change. It includes the wait of `ip` for
 * the CPU, which Bellman does not cause. The second duration starts at the kernel's report of the change, as `ip monitor` receives it. Fails when
 * the session with the other router ends too, or when a session ends more than 50 ms after the kernel's report.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchLinks } from '../src/link/link-watcher.ts';
import { createLogger } from '../src/log.ts';
import { Guard } from '../src/telemetry/guard.ts';
import { bird } from '../test/interop/daemons/bird.ts';
import { endProcess, ourIpv4, ourSide, peer, router, startRouter, wire } from '../test/interop/scenario.ts';
import { ip } from '../test/support/addresses.ts';
import { eventually } from '../test/support/eventually.ts';
import { now, realtime, watchKernel } from './support/realtime.ts';

const rounds = Number(process.argv[2] ?? 20);
const limitMs = 50;
const [otherOurs, otherTheirs] = ['198.18.0.1', '198.18.0.2'];

const cable = await wire();
const otherCable = await wire({ ours: [otherOurs], theirs: [otherTheirs] });
const daemons = [
  await startRouter(bird, cable, router()),
  await startRouter(
    bird,
    otherCable,
    router({ localAddress: otherTheirs, routerId: otherTheirs }, { address: otherOurs }),
  ),
];
const { speaker } = ourSide();
const links = watchLinks(new Guard({ logger: createLogger('links', 'error') }));
/** The time at which the session ended, in milliseconds since the epoch. */
let endedAt: number | undefined;
links.onChange(() => {
  speaker.interfacesChanged();
  noteEnd();
});
const [measured, other] = [peer(), peer({ name: 'other', address: ip(otherTheirs) })];
speaker.setPeers([measured, other]);
speaker.synced();
const stateOf = (name: string) => speaker.status().find((one) => one.name === name)?.state;
const sinceOf = (name: string) => speaker.status().find((one) => one.name === name)?.since;
const bothUp = () => stateOf('router') === 'Established' && stateOf('other') === 'Established';
await eventually('both sessions', bothUp);
const otherSince = sinceOf('other');

function noteEnd(): void {
  if (endedAt === undefined && stateOf('router') !== 'Established') endedAt = now();
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** `ip` runs all the time and reads orders from its standard input, so no loss waits for a process to start. */
const batch = ['ip', '-force', '-batch', '-'] as const;
const [program = '', ...programArgs] = realtime;
const stdio = ['pipe', 'ignore', 'inherit'] as const;
const atRouter = cable.namespace.spawn(program, [...programArgs, ...batch], { stdio: [...stdio] });
const atNode = spawn(program, [...programArgs, ...batch], { stdio: [...stdio] });
const order = ({ stdin }: ChildProcess, text: string) => void stdin?.write(`${text}\n`);
const kernel = watchKernel('link', 'address');

interface Loss {
  readonly at: ChildProcess;
  readonly lose: string;
  readonly restore: string;
  /** Matches the kernel's report of the loss. */
  readonly report: RegExp;
}

const local = `${ourIpv4}/24 dev ${cable.device}`;
const losses: Readonly<Record<string, Loss>> = {
  carrier: {
    at: atRouter,
    lose: 'link set eth0 down',
    restore: 'link set eth0 up',
    report: new RegExp(`${cable.device}.*state (DOWN|LOWERLAYERDOWN)`),
  },
  address: {
    at: atNode,
    lose: `address del ${local}`,
    restore: `address add ${local}`,
    report: new RegExp(`Deleted.* ${cable.device} .*${ourIpv4}/`),
  },
};

/** Times in milliseconds until the session has ended: from the order, and from the kernel's report. */
async function timesToEnd({ at, lose, restore, report }: Loss): Promise<readonly [number, number]> {
  endedAt = undefined;
  kernel.forget();
  const orderedAt = now();
  order(at, lose);
  const end = await eventually('the end of the session', () => {
    noteEnd();
    return endedAt;
  });
  const reportedAt = await eventually("the kernel's report", () => kernel.firstAt(report));
  // The kernel delays the report of a carrier that changes twice within a second.
  await sleep(1500);
  order(at, restore);
  // Each loss makes the speaker wait longer before it connects again. Removing and adding the peer ends this wait.
  speaker.setPeers([other]);
  speaker.setPeers([measured, other]);
  await eventually('the session again', bothUp);
  await sleep(1500);
  return [end - orderedAt, end - reportedAt];
}

// The `ip` programs need a moment to start. The report of this change shows that orders and reports get through.
await eventually('the first report of the kernel', () => {
  order(atNode, 'address replace 198.18.255.1/32 dev lo');
  return kernel.firstAt(/198\.18\.255\.1/);
});
let failures = 0;
const figures = new Map(Object.keys(losses).map((what) => [what, [] as (readonly [number, number])[]]));
for (let round = 0; round < rounds; round++)
  for (const [what, loss] of Object.entries(losses)) figures.get(what)?.push(await timesToEnd(loss));
for (const [what, times] of figures)
  for (const [index, from] of ['the order', "the kernel's report"].entries()) {
    const values = times.map((pair) => pair[index] ?? 0);
    const worst = Math.max(...values);
    console.log(
      `${what} lost → session ended, from ${from}: median ${median(values).toFixed(1)} ms, worst ${worst.toFixed(1)} ms of ${rounds}`,
    );
    if (index === 1 && worst > limitMs) failures++;
  }
if (sinceOf('other') !== otherSince) {
  console.error('the session over the other link ended too');
  failures++;
}
links.close();
kernel.stop();
for (const one of [atRouter, atNode]) one.kill('SIGKILL');
await speaker.stop({ kind: 'shutdown', reason: 'end of the bench' });
for (const daemon of daemons) await endProcess(daemon);
process.exit(failures === 0 ? 0 : 1);
