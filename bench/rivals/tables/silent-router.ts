/**
 * A router that falls silent, and returns.
 *   lab/world .cache/bin/node bench/rivals/tables/silent-router.ts [--rounds 3] [--out FILE] [--hold-seconds 9] [--silent-seconds 40]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '../../../lab/lab.ts';
import { BirdControl } from '../bird.ts';
import { Figures, unfinished } from '../figures.ts';
import { configure, makePods, makeServices } from '../ground.ts';
import { progress, runTable, secondsUntil } from '../run.ts';
import { bellman, metalLb, type System } from '../system.ts';

const services = 10;
const returnSeconds = 120;

await runTable({ 'hold-seconds': '9', 'silent-seconds': '40' }, async (values, rounds) => {
  const silentSeconds = Number(values['silent-seconds']);
  const lab = await Lab.start({ nodes: 1, bellman: false });
  const node = lab.node('node-1');
  await makePods(lab);
  await configure(
    lab,
    `peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, hold-time: ${values['hold-seconds']}s}
address-pools:
- {name: big, protocol: bgp, addresses: [10.32.0.0/16]}
`,
  );
  const addressOf = (index: number) => `10.32.0.${index + 1}`;
  await makeServices(lab, { from: 0, to: services, addressOf, pods: ['10.244.1.2'], node });
  const bird = await BirdControl.open();
  const systems = [bellman(lab), metalLb(lab)];
  const figures = new Figures(systems.map(({ name }) => name));
  const hasRoutes = async (count: number) => (await bird.protocol(node)).routes === count;

  const measure = async (system: System): Promise<void> => {
    await lab.until('the router waits for a session', async () => (await bird.protocol(node)).isWaiting);
    system.startSpeaker(node);
    await lab.until(
      'all routes',
      async () => (await hasRoutes(services)) && (await system.sessionIsUp(node)),
    );
    const undo = await lab.cut(node, 'tcp 179');
    const cutAt = performance.now();
    const noticed = await secondsUntil(async () => !(await system.sessionIsUp(node)), {
      deadlineSeconds: silentSeconds,
      pollMs: 100,
    });
    await sleep(Math.max(0, silentSeconds * 1000 - (performance.now() - cutAt)));
    await undo();
    const back = await secondsUntil(() => hasRoutes(services), { deadlineSeconds: returnSeconds });
    figures.add('the speaker reports the end of the session after, s', system.name, noticed);
    figures.add('the router is back: it has all routes after, s', system.name, back);
    progress(
      `${system.name}: noticed after ${noticed === unfinished ? noticed : `${noticed} s`}, back after ${back} s`,
    );
    await system.stopSpeaker(node);
    await lab.until('no route', () => hasRoutes(0));
  };

  for (let round = 0; round < rounds; round++) for (const system of systems) await measure(system);
  bird.close();
  await lab.close();
  return figures.table('Silent router', [
    `One node, ${services} BGP Services, hold time ${values['hold-seconds']} s. A firewall on the node drops all packets of the session for ${silentSeconds} s, so`,
    'no packet tells the speaker that the router is gone. The speaker reports the state of the session in its metrics.',
  ]);
});
