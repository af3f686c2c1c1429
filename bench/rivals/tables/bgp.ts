/**
 * BGP: all routes of a new session, changes of one Service, and an outage of the API server.
 *   lab/world .cache/bin/node bench/rivals/tables/bgp.ts [--rounds 3] [--out FILE] [--services 1000,3000] [--changes 50] [--restarts 3]
 *     [--outage-seconds 8] [--deadline-seconds 300]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '../../../lab/lab.ts';
import { ascending } from '../../support/choice.ts';
import { usageOf } from '../../support/processes.ts';
import { BirdControl, RouteWatch } from '../bird.ts';
import { type Figure, Figures, quantile, unfinished } from '../figures.ts';
import { bgpConfig, configure, makePods, makeServices, setAddress } from '../ground.ts';
import { progress, runTable, secondsUntil } from '../run.ts';
import { bellman, metalLb, type System } from '../system.ts';

const flags = {
  services: '1000,3000',
  changes: '50',
  restarts: '3',
  'outage-seconds': '8',
  'deadline-seconds': '300',
};
const pauseBetweenChangesMs = 50;

await runTable(flags, async (values, rounds) => {
  const deadline = { deadlineSeconds: Number(values['deadline-seconds']), pollMs: 2 };
  const lab = await Lab.start({ nodes: 1, bellman: false });
  await lab.stop('kube-proxy');
  const node = lab.node('node-1');
  await makePods(lab);
  await configure(lab, bgpConfig);
  const addressOf = (index: number) => `10.32.${index >> 8}.${index & 255}`;
  const bird = await BirdControl.open();
  const watch = new RouteWatch(lab.fabric.router);
  const systems = [bellman(lab), metalLb(lab)];
  const figures = new Figures(systems.map(({ name }) => name));

  const hasRoutes = (count: number) => async () => (await bird.protocol(node)).routes === count;

  /** Restarts the session at the router. Resolves to the milliseconds from the new session until the router has all routes. */
  const sessionUpToRoutes = async (count: number): Promise<Figure> => {
    await bird.restart(node);
    await lab.until('the old session ends', async () => !(await bird.protocol(node)).isEstablished);
    const up = await secondsUntil(async () => (await bird.protocol(node)).isEstablished, deadline);
    if (up === unfinished) return unfinished;
    const seconds = await secondsUntil(hasRoutes(count), deadline);
    return seconds === unfinished ? unfinished : seconds * 1000;
  };

  /** Writes the status of one Service. Resolves to the time from the request until the route has changed. */
  const change = async (index: number, to: 'added' | 'removed'): Promise<number> => {
    const address = addressOf(index);
    const changed = watch.next(to, address);
    const sentAt = performance.now();
    await setAddress(lab, index, to === 'added' ? address : undefined);
    return (await changed) - sentAt;
  };

  const measure = async (system: System, count: number): Promise<void> => {
    const add = (what: string, figure: Figure) =>
      figures.add(`${count.toLocaleString('en')} Services: ${what}`, system.name, figure);
    await lab.until('the router waits for a session', async () => (await bird.protocol(node)).isWaiting);
    system.startSpeaker(node);
    const started = await secondsUntil(hasRoutes(count), { ...deadline, pollMs: 20 });
    add('speaker started until all routes, s', started);
    if (started === unfinished) return system.stopSpeaker(node);
    add('CPU time of the speaker until then, s', usageOf(system.pids.speaker()).cpuSeconds);
    // Bellman's BGP warm-up runs some seconds after the start (docs/design/footprint.md). The measurements below come after it.
    await sleep(10_000);
    for (let i = 0; i < Number(values.restarts); i++)
      add('session up to all routes, ms', await sessionUpToRoutes(count));
    await sleep(2000);
    const cpuBefore = usageOf(system.pids.speaker()).cpuSeconds;
    const removed: number[] = [];
    const added: number[] = [];
    for (let i = 0; i < Number(values.changes); i++) {
      const index = (i * 7919) % count;
      removed.push(await change(index, 'removed'));
      await sleep(pauseBetweenChangesMs);
      added.push(await change(index, 'added'));
      await sleep(pauseBetweenChangesMs);
    }
    for (const [what, list] of [
      ['announced', added],
      ['withdrawn', removed],
    ] as const) {
      add(`one Service ${what}, p50, ms`, quantile(list, 0.5));
      add(`one Service ${what}, p99, ms`, quantile(list, 0.99));
    }
    add(
      'CPU time of the speaker for each change, ms',
      ((usageOf(system.pids.speaker()).cpuSeconds - cpuBefore) * 1000) / (2 * Number(values.changes)),
    );
    await lab.api('refuse');
    await sleep(Number(values['outage-seconds']) * 1000);
    add('API server away: routes lost', count - (await bird.protocol(node)).routes);
    await lab.api('serve');
    const servedAt = performance.now();
    const changed = watch.next('removed', addressOf(0));
    await setAddress(lab, 0, undefined);
    add('API server back until a change takes effect, s', ((await changed) - servedAt) / 1000);
    await change(0, 'added');
    const stoppedAt = performance.now();
    const stop = system.stopSpeaker(node);
    const gone = await secondsUntil(hasRoutes(0), deadline);
    add('SIGTERM until no route, ms', gone === unfinished ? unfinished : performance.now() - stoppedAt);
    await stop;
    progress(`${system.name}, ${count}: started ${started} s`);
  };

  let made = 0;
  for (const count of ascending(values.services)) {
    await makeServices(lab, { from: made, to: count, addressOf, pods: ['10.244.1.2'], node });
    made = count;
    for (let round = 0; round < rounds; round++) for (const system of systems) await measure(system, count);
  }
  watch.close();
  bird.close();
  await lab.close();
  return figures.table('BGP', [
    'One node, one session with BIRD 2, hold time 90 s, no controller. *Session up* is the state that BIRD shows. A change of one Service counts from the',
    `request to the API server until the kernel's routing table of the router has changed. In the rows about the API server, it refuses`,
    `connections for ${values['outage-seconds']} s.`,
  ]);
});
