/**
 * The memory and CPU time of all processes of Bellman, by number of Services.
 *   lab/world .cache/bin/node bench/footprint.ts [--services 0,1000,10000] [--protocol bgp|layer2] [--settle-seconds 30]
 * The lab has one node. Its speaker and the controller are restarted after the Services have their addresses. The speaker includes its
 * layer-2 process, if there is one. BELLMAN_PROGRAM names the program that `make build` wrote.
 */
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LabNode } from '../lab/fabric.ts';
import { Lab } from '../lab/lab.ts';
import { makeManyServices } from './many-services.ts';
import { processesOf, type Usage, usageOf } from './processes.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string' },
    protocol: { type: 'string', default: 'bgp' },
    'settle-seconds': { type: 'string', default: '30' },
  },
});

const { protocol } = values;
const { services = protocol === 'bgp' ? '0,1000,10000' : '0,1000,5000' } = values;
const { BELLMAN_PROGRAM: program } = process.env;
if (program === undefined)
  throw new Error('BELLMAN_PROGRAM does not name the program that `make build` wrote');
const executable = join(dirname(program), 'bin/node');
const isLayer2 = (command: readonly string[]) => command.some((part) => part.endsWith('/layer2-process.js'));
const roles: Readonly<Record<string, (command: readonly string[]) => boolean>> = {
  controller: (command) => command.includes('controller'),
  speaker: (command) => command.includes('speaker') || isLayer2(command),
  'its layer-2 process': isLayer2,
};

function usageByRole(): Map<string, Usage> {
  return new Map(
    Object.entries(roles).flatMap(([role, matches]) => {
      const pids = processesOf(executable, matches);
      return pids.length > 0 ? [[role, usageOf(pids)] as const] : [];
    }),
  );
}

async function announced(lab: Lab, node: LabNode, protocol: string): Promise<number> {
  if (protocol === 'layer2')
    return Object.keys(((await lab.status(node.namespace)) as { announcing: object }).announcing).length;
  return Number(/(\d+) of \d+ routes for/.exec(await lab.birdc('show', 'route', 'count'))?.[1]);
}

const lab = await Lab.start({ nodes: 1 });
const [node] = lab.fabric.nodes;
if (!node) throw new Error('a lab without nodes');
// The stand-in for kube-proxy cannot handle so many Services, and this bench sends no packets to them.
await lab.stop('kube-proxy');
// A node answers only for addresses of its subnets.
if (protocol === 'layer2') await node.namespace.ip('address', 'add', '10.32.0.1/15', 'dev', 'eth0');
await lab.configure(`peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}
address-pools:
- {name: big, protocol: ${protocol}, addresses: [10.32.0.0/15]}
`);
console.log(
  '| protocol | Services | process | PSS, MB | not shared, MB | CPU until announced, s | announced after, s |',
);
console.log('|---|---|---|---|---|---|---|');
let made = 0;
for (const count of services.split(',').map(Number)) {
  await makeManyServices(lab, node, { from: made, to: count });
  made = count;
  await lab.stop('speaker-node-1');
  await lab.stop('controller');
  lab.startController();
  const startedAt = performance.now();
  lab.startSpeaker(node);
  await lab.until(
    'every address is announced',
    async () => (await announced(lab, node, protocol).catch(() => -1)) >= count,
    300_000,
  );
  const announcedSeconds = (performance.now() - startedAt) / 1000;
  const atStart = usageByRole();
  await new Promise((resolve) => setTimeout(resolve, Number(values['settle-seconds']) * 1000));
  for (const [role, { pssMb, anonymousMb }] of usageByRole()) {
    const cells = [protocol, count, role, pssMb.toFixed(1), anonymousMb.toFixed(1)];
    const cpuSeconds = atStart.get(role)?.cpuSeconds.toFixed(2);
    console.log(`| ${[...cells, cpuSeconds, announcedSeconds.toFixed(1)].join(' | ')} |`);
  }
}
await lab.close();
