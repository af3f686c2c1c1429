/**
 * Measures the controller in two cases. In the first, it starts in a cluster where many Services have addresses. In the second,
 * many Services wait for an address.
 *   lab/world .cache/bin/node bench/rivals/tables/controller.ts [--rounds 3] [--out FILE] [--services 5000] [--waiting 10000]
 *     [--waiting-seconds 45] [--deadline-seconds 400]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '../../../lab/lab.ts';
import { usageOf } from '../../support/processes.ts';
import { type Figure, Figures, unfinished } from '../figures.ts';
import {
  addressesGiven,
  configure,
  deleteServices,
  hasAddress,
  makeMetalLbPods,
  makeServices,
  setAddress,
  untilNoWrites,
} from '../ground.ts';
import { progress, runTable, secondsUntil } from '../run.ts';
import { bellman, metalLb, type System } from '../system.ts';

const flags = {
  services: '5000',
  waiting: '10000',
  'waiting-seconds': '45',
  'deadline-seconds': '400',
};
/** Large enough that MetalLB's search, which takes longer in a full pool, does not decide the result. */
const pool = 'address-pools:\n- {name: big, protocol: bgp, addresses: [10.32.0.0/15]}\n';

await runTable(flags, async (values, rounds) => {
  const count = Number(values.services);
  const waiting = Number(values.waiting);
  const waitingSeconds = Number(values['waiting-seconds']);
  const deadline = { deadlineSeconds: Number(values['deadline-seconds']), pollMs: 5 };
  const lab = await Lab.start({ nodes: 1, bellman: false });
  await lab.stop('kube-proxy');
  await makeMetalLbPods(lab);
  await configure(lab, pool);
  const node = lab.node('node-1');
  const pods = ['10.244.1.2'];
  const addressOf = (index: number) => `10.32.${1 + (index >> 8)}.${index & 255}`;
  const systems = [bellman(lab), metalLb(lab)];
  const figures = new Figures(systems.map(({ name }) => name));

  /** Makes a Service without an address. Resolves to the seconds until it has one. */
  const served = async (index: number): Promise<Figure> => {
    await makeServices(lab, { from: index, to: index + 1, pods, node });
    return secondsUntil(() => hasAddress(lab, index), deadline);
  };

  const start = async (system: System): Promise<void> => {
    const add = (what: string, figure: Figure) =>
      figures.add(`start with ${count.toLocaleString('en')} Services: ${what}`, system.name, figure);
    await makeServices(lab, { from: count, to: count + 1, pods, node });
    system.startController();
    const first = await secondsUntil(() => hasAddress(lab, count), deadline);
    const { cpuSeconds } = usageOf(system.pids.controller());
    const next = await served(count + 1);
    add('a waiting Service has an address after, s', first);
    add('CPU time until then, s', first === unfinished ? unfinished : cpuSeconds);
    add('the next Service has an address after, ms', next === unfinished ? unfinished : next * 1000);
    progress(`${system.name}: a waiting Service after ${first} s, the next one after ${next} s`);
    await system.stopController();
    await deleteServices(lab, count, count + 2);
  };

  const wait = async (system: System): Promise<void> => {
    system.startController();
    await sleep(waitingSeconds * 1000);
    await system.stopController();
    const given = await addressesGiven(lab);
    const row = `${waiting.toLocaleString('en')} waiting Services: addresses given in ${waitingSeconds} s`;
    figures.add(row, system.name, given.length);
    progress(`${system.name}: ${given.length} of ${waiting}`);
    for (const index of given) await setAddress(lab, index, undefined);
  };

  await makeServices(lab, { from: 0, to: count, addressOf, pods, node });
  // Each controller writes to Services that it sees for the first time, so these writes are made before the first round.
  for (const system of systems) {
    system.startController();
    await untilNoWrites(lab);
    await system.stopController();
  }
  for (let round = 0; round < rounds; round++) for (const system of systems) await start(system);
  for (let index = 0; index < count; index++) await setAddress(lab, index, undefined);
  await makeServices(lab, { from: count, to: waiting, pods, node });
  for (let round = 0; round < rounds; round++) for (const system of systems) await wait(system);
  await lab.close();
  return figures.table('Controller', [
    'No speaker. A *waiting* Service exists without an address before the controller starts. Both controllers have their default limits for requests',
    'to the API server. In the rows about the start, the given number of Services have addresses, and one more Service waits.',
    `With ${waiting.toLocaleString('en')} waiting Services, the time runs from the start of the controller.`,
  ]);
});
