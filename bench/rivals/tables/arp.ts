/**
 * ARP: latency of answers, and how many requests of a flood are answered.
 *   lab/world .cache/bin/node bench/rivals/tables/arp.ts [--rounds 3] [--out FILE] [--services 10,5000] [--requests 3000] [--rate 20000]
 *     [--seconds 8] [--deadline-seconds 600]
 */
import { join } from 'node:path';
import { Lab } from '../../../lab/lab.ts';
import { ascending } from '../../support/choice.ts';
import { usageOf } from '../../support/processes.ts';
import { Figures } from '../figures.ts';
import { configure, makePods, makeServices } from '../ground.ts';
import { parseAsker } from '../parse.ts';
import { root } from '../paths.ts';
import { progress, runTable, secondsUntil } from '../run.ts';
import { bellman, metalLb } from '../system.ts';

const flags = {
  services: '10,5000',
  requests: '3000',
  rate: '20000',
  seconds: '8',
  'deadline-seconds': '600',
};

await runTable(flags, async (values, rounds) => {
  const lab = await Lab.start({ nodes: 1, bellman: false });
  await lab.stop('kube-proxy');
  const node = lab.node('node-1');
  // Bellman answers only on links whose subnet contains the address.
  await node.namespace.ip('address', 'add', '10.32.0.1/16', 'dev', 'eth0');
  await makePods(lab);
  await configure(lab, 'address-pools:\n- {name: big, protocol: layer2, addresses: [10.32.0.0/16]}\n');
  const addressOf = (index: number) => `10.32.${1 + (index >> 8)}.${index & 255}`;
  const systems = [bellman(lab), metalLb(lab)];
  const figures = new Figures(systems.map(({ name }) => name));

  const ask = (address: string): Promise<string> => {
    const args = ['--requests', values.requests, '--rate', values.rate, '--seconds', values.seconds];
    const targets = ['--kernel', node.addresses[0], '--service', address];
    const child = lab.fabric.near.spawn(
      process.execPath,
      [join(root, 'bench/neighbour.ts'), '--asker', ...args, ...targets],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    return new Promise((resolve) => child.once('close', () => resolve(output)));
  };

  let made = 0;
  for (const count of ascending(values.services)) {
    await makeServices(lab, { from: made, to: count, addressOf, pods: ['10.244.1.2'], node });
    made = count;
    for (let round = 0; round < rounds; round++)
      for (const system of systems) {
        const label = `${count.toLocaleString('en')} Services`;
        system.startSpeaker(node);
        const seconds = await secondsUntil(async () => (await system.answering(node)) >= count, {
          deadlineSeconds: Number(values['deadline-seconds']),
          pollMs: 500,
        });
        const before = usageOf(system.pids.speaker()).cpuSeconds;
        const asked = parseAsker(await ask(addressOf(Math.floor(count / 2))));
        const cpu = usageOf(system.pids.speaker()).cpuSeconds - before;
        const add = (what: string, figure: number) => figures.add(`${label}: ${what}`, system.name, figure);
        figures.add(`${label}: ready after, s`, system.name, seconds);
        add('p50, µs', asked.service.medianUs);
        add('p99, µs', asked.service.p99Us);
        add('p50 of the kernel in the same run, µs', asked.kernel.medianUs);
        add('p99 of the kernel in the same run, µs', asked.kernel.p99Us);
        add(
          `answered at ${Number(values.rate).toLocaleString('en')} requests a second, %`,
          asked.answeredPercent,
        );
        add('CPU time of the speaker for all requests, s', cpu);
        progress(`${system.name}, ${label}: ${JSON.stringify(asked)}, ${cpu.toFixed(2)} s`);
        await system.stopSpeaker(node);
      }
  }
  await lab.close();
  return figures.table('Answers to ARP', [
    `One node, no controller. A client sends ${values.requests} requests one after another, then ${values.rate} a second for ${values.seconds} s. Latency is the time`,
    "from a request to its answer on the client's interface, by the timestamps of the client's kernel. Requests to the speaker and to the kernel of its node take turns.",
  ]);
});
