/**
 * Measures a speaker from its start until the router has the first route from it.
 *   lab/world .cache/bin/node bench/rivals/tables/start.ts [--rounds 3] [--out FILE] [--services 10]
 */
import { Lab } from '../../../lab/lab.ts';
import { usageOf } from '../../support/processes.ts';
import { BirdControl, RouteWatch } from '../bird.ts';
import { Figures } from '../figures.ts';
import { bgpConfig, configure, makePods, makeServices } from '../ground.ts';
import { progress, runTable } from '../run.ts';
import { bellman, metalLb } from '../system.ts';

await runTable({ services: '10' }, async ({ services }, rounds) => {
  const lab = await Lab.start({ nodes: 1, bellman: false });
  const node = lab.node('node-1');
  await makePods(lab);
  await configure(lab, bgpConfig);
  await makeServices(lab, {
    from: 0,
    to: Number(services),
    addressOf: (index) => `10.32.0.${index + 1}`,
    pods: ['10.244.1.2'],
    node,
  });
  const bird = await BirdControl.open();
  const watch = new RouteWatch(lab.fabric.router);
  const systems = [bellman(lab), metalLb(lab)];
  const figures = new Figures(systems.map(({ name }) => name));
  for (let round = 0; round < rounds; round++)
    for (const system of systems) {
      await lab.until('the router waits for a session', async () => (await bird.protocol(node)).isWaiting);
      const first = watch.next('added', 'any');
      const startedAt = performance.now();
      system.startSpeaker(node);
      const at = await first;
      const { cpuSeconds } = usageOf(system.pids.speaker());
      figures.add('first route after, s', system.name, (at - startedAt) / 1000);
      figures.add('CPU time of the speaker until then, s', system.name, cpuSeconds);
      progress(`${system.name}: ${Math.round(at - startedAt)} ms, ${cpuSeconds} s`);
      await lab.until('all routes', async () => (await bird.protocol(node)).routes === Number(services));
      await system.stopSpeaker(node);
      await lab.until('no route', async () => (await bird.protocol(node)).routes === 0);
    }
  watch.close();
  bird.close();
  await lab.close();
  return figures.table('Start of a speaker', [
    `One node, ${services} BGP Services, no controller. The time ends when the route is in the kernel's routing table of the router.`,
  ]);
});
