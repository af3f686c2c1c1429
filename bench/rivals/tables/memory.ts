/**
 * Memory and CPU time of controller and speaker.
 *   lab/world .cache/bin/node bench/rivals/tables/memory.ts [--rounds 3] [--out FILE] [--cases layer2:5000,bgp:0,bgp:1000,bgp:10000]
 *     [--idle-seconds 60] [--deadline-seconds 300]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '../../../lab/lab.ts';
import { ascending } from '../../support/choice.ts';
import { usageOf } from '../../support/processes.ts';
import { BirdControl } from '../bird.ts';
import { type Figure, Figures, unfinished } from '../figures.ts';
import { configure, deleteServices, makePods, makeServices, untilNoWrites } from '../ground.ts';
import { progress, runTable, secondsUntil } from '../run.ts';
import { bellman, metalLb, type System } from '../system.ts';

const flags = {
  cases: 'layer2:5000,bgp:0,bgp:1000,bgp:10000',
  'idle-seconds': '60',
  'deadline-seconds': '300',
};
const roles = ['speaker', 'controller'] as const;

function configText(protocol: string): string {
  const peers = 'peers:\n- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}\n';
  return `${protocol === 'bgp' ? peers : ''}address-pools:
- {name: big, protocol: ${protocol}, addresses: [10.32.0.0/15]}
`;
}

await runTable(flags, async (values, rounds) => {
  const idleSeconds = Number(values['idle-seconds']);
  const deadlineSeconds = Number(values['deadline-seconds']);
  const lab = await Lab.start({ nodes: 1, bellman: false });
  // The stand-in for kube-proxy cannot handle so many Services, and nothing sends packets to them.
  await lab.stop('kube-proxy');
  const node = lab.node('node-1');
  // Bellman answers only on links whose subnet contains the address.
  await node.namespace.ip('address', 'add', '10.32.0.1/15', 'dev', 'eth0');
  await makePods(lab);
  const bird = await BirdControl.open();
  const systems = [bellman(lab), metalLb(lab)];
  const figures = new Figures(systems.map(({ name }) => name));
  const addressOf = (index: number) => `10.${32 + (index >> 14)}.${1 + ((index >> 8) & 63)}.${index & 255}`;

  const announced = async (system: System, protocol: string): Promise<number> =>
    protocol === 'bgp' ? (await bird.protocol(node)).routes : system.answering(node);

  const measure = async (system: System, protocol: string, count: number): Promise<void> => {
    const label = `${protocol === 'bgp' ? 'BGP' : 'layer 2'}, ${count.toLocaleString('en')} Services`;
    const add = (what: string, figure: Figure) => figures.add(`${label}: ${what}`, system.name, figure);
    const usage = () => roles.map((role) => usageOf(system.pids[role]()));
    if (protocol === 'bgp')
      await lab.until('the router waits for a session', async () => (await bird.protocol(node)).isWaiting);
    system.startController();
    system.startSpeaker(node);
    const isReady = async () => {
      if (roles.some((role) => system.pids[role]().length === 0)) return false;
      if (protocol === 'bgp' && !(await bird.protocol(node)).isEstablished) return false;
      return (await announced(system, protocol)) >= count;
    };
    const seconds = await secondsUntil(isReady, {
      deadlineSeconds,
      // In layer 2 the speaker itself is asked, which costs it CPU time.
      pollMs: protocol === 'bgp' ? 200 : 2000,
    });
    const ready = usage();
    await sleep(idleSeconds * 1000);
    const after = usage();
    add('all announced after, s', seconds);
    for (const [index, role] of roles.entries()) {
      const { pssMb = 0, cpuSeconds = 0 } = after[index] ?? {};
      const atReady = ready[index]?.cpuSeconds ?? 0;
      add(`${role}, PSS of all processes, MB`, pssMb);
      add(`${role}, CPU until all announced, s`, seconds === unfinished ? unfinished : atReady);
      add(
        `${role}, CPU in the ${idleSeconds} s after that, s`,
        seconds === unfinished ? unfinished : cpuSeconds - atReady,
      );
    }
    progress(`${system.name}, ${label}: ${seconds} s`);
    await system.stopSpeaker(node);
    await system.stopController();
  };

  let made = 0;
  let configured = '';
  // The sizes of a protocol ascend, because Services are deleted only when the protocol changes.
  const sizes = Map.groupBy(values.cases.split(','), (each) => each.split(':')[0] ?? '');
  const cases = [...sizes].flatMap(([protocol, its]) =>
    ascending(its.map((each) => each.split(':')[1]).join(',')).map((count) => [protocol, count] as const),
  );
  for (const [protocol, count] of cases) {
    if (protocol !== configured) {
      await deleteServices(lab, 0, made);
      made = 0;
      await configure(lab, configText(protocol));
      configured = protocol;
    }
    await makeServices(lab, { from: made, to: count, addressOf, pods: ['10.244.1.2'], node });
    made = count;
    // Each controller writes to Services that it sees for the first time, so these writes are made before the first round.
    for (const system of systems) {
      system.startController();
      await untilNoWrites(lab);
      await system.stopController();
    }
    for (let round = 0; round < rounds; round++)
      for (const system of systems) await measure(system, protocol, count);
  }
  bird.close();
  await lab.close();
  return figures.table('Memory and CPU time', [
    `One node. Controller and speaker start when the Services exist and have their addresses. PSS is measured ${idleSeconds} s after all`,
    'Services are announced. Bellman has a controller, a speaker and a layer-2 process, which share the pages of one Node binary. The times in layer 2',
    'are measured in steps of two seconds.',
  ]);
});
