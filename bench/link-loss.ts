/**
 * How soon a BGP session ends after its link loses the carrier, and after its local address is removed.
 *   lab/world .cache/bin/node bench/link-loss.ts [ROUNDS]
 * A speaker has sessions with two BIRD routers on two links. In each round, the far end of the first link goes down, or the local address of
 * the link is removed. The figure is the time from the start of the command `ip` to the end of the session, so it includes the start of a
 * process. The median time of an `ip` command that changes nothing is printed beside it. The bench fails when the session with the other router
 * ends too, or when the median of a loss exceeds the median of that command by more than 50 ms.
 */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { watchLinks } from '../src/link/link-watcher.ts';
import { createLogger } from '../src/log.ts';
import { Guard } from '../src/telemetry/guard.ts';
import { bird } from '../test/interop/daemons/bird.ts';
import {
  address,
  endProcess,
  ourIpv4,
  ourSide,
  peer,
  router,
  startRouter,
  wire,
} from '../test/interop/scenario.ts';
import { eventually } from '../test/support/eventually.ts';

const run = promisify(execFile);
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
links.onChange(() => speaker.interfacesChanged());
speaker.setPeers([peer(), peer({ name: 'other', address: address(otherTheirs) })]);
speaker.synced();
const stateOf = (name: string) => speaker.status().find((one) => one.name === name)?.state;
const bothUp = () => stateOf('router') === 'Established' && stateOf('other') === 'Established';
await eventually('both sessions', bothUp);
const otherSince = speaker.status()[1]?.since;

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const inRouter = (...args: string[]) => ['-n', cable.namespace.name, ...args];

async function timeOfCommand(): Promise<number> {
  const startedAt = performance.now();
  await run('ip', inRouter('link', 'show', 'eth0'));
  return performance.now() - startedAt;
}

/** Time from the start of the command to the end of the session. */
async function timeToEnd(lose: readonly string[], restore: readonly (readonly string[])[]): Promise<number> {
  const startedAt = performance.now();
  const command = run('ip', [...lose]);
  while (stateOf('router') === 'Established') await sleep(1);
  const endedAfterMs = performance.now() - startedAt;
  await command;
  // The kernel delays the report of a carrier that changes twice within a second.
  await sleep(1500);
  for (const args of restore) await run('ip', [...args]);
  await eventually('the session again', bothUp);
  await sleep(1500);
  return endedAfterMs;
}

const commands: number[] = [];
const figures: Record<string, number[]> = { carrier: [], address: [] };
for (let round = 0; round < rounds; round++) {
  commands.push(await timeOfCommand());
  figures.carrier?.push(
    await timeToEnd(inRouter('link', 'set', 'eth0', 'down'), [inRouter('link', 'set', 'eth0', 'up')]),
  );
  const local = ['address', 'del', `${ourIpv4}/24`, 'dev', cable.device];
  figures.address?.push(await timeToEnd(local, [['address', 'add', ...local.slice(2)]]));
}

const commandMs = median(commands);
console.log(`the command alone: median ${commandMs.toFixed(1)} ms`);
let failures = 0;
for (const [what, values] of Object.entries(figures)) {
  console.log(
    `${what} lost → session ended: median ${median(values).toFixed(1)} ms, worst ${Math.max(...values).toFixed(1)} ms of ${rounds}`,
  );
  if (median(values) > commandMs + limitMs) failures++;
}
if (speaker.status()[1]?.since !== otherSince) {
  console.error('the session over the other link ended too');
  failures++;
}
links.close();
await speaker.stop({ kind: 'shutdown', reason: 'end of the bench' });
for (const daemon of daemons) await endProcess(daemon);
process.exit(failures === 0 ? 0 : 1);
