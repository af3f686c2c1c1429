/**
 * The memory and CPU time of all processes of Bellman, by number of Services.
 *   lab/world .cache/bin/node bench/footprint.ts [--services 0,1000,10000] [--protocol bgp|layer2] [--settle-seconds 20]
 * The lab has one node. Its speaker and the controller are restarted after the Services have their addresses. PSS counts a page that n processes share as 1/n of a page in each. Processes of the lab share the Node binary with Bellman, so
 * the table also has the part of PSS that no process shares: memory that is not backed by a file.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { LabNode } from '../lab/fabric.ts';
import { Lab } from '../lab/lab.ts';
import { makeManyServices } from './many-services.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '0,1000,10000' },
    protocol: { type: 'string', default: 'bgp' },
    'settle-seconds': { type: 'string', default: '20' },
  },
});
const clockTicksPerSecond = 100;

interface Footprint {
  readonly pssMb: number;
  readonly anonymousMb: number;
  readonly cpuSeconds: number;
}

function footprintOf(pid: number): Footprint {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const megabytes = (field: string) =>
    (Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]) * 1024) / 1e6;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return {
    pssMb: megabytes('Pss'),
    anonymousMb: megabytes('Pss_Anon'),
    cpuSeconds: (user + system) / clockTicksPerSecond,
  };
}

/** Process ids by role. */
function processes(): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (command.some((part) => /layer2-process\.js$|layer2\/process\.ts$/.test(part)))
      found.set('layer-2 process', Number(pid));
    else if (command.some((part) => /bellman\.js$|src\/main\.ts$/.test(part)))
      found.set(command.includes('speaker') ? 'speaker' : 'controller', Number(pid));
  }
  return found;
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
const { protocol } = values;
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
for (const count of values.services.split(',').map(Number)) {
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
  const cpuAtStart = new Map([...processes()].map(([role, pid]) => [role, footprintOf(pid).cpuSeconds]));
  await new Promise((resolve) => setTimeout(resolve, Number(values['settle-seconds']) * 1000));
  for (const [role, pid] of processes()) {
    const { pssMb, anonymousMb } = footprintOf(pid);
    const cells = [protocol, count, role, pssMb.toFixed(1), anonymousMb.toFixed(1)];
    console.log(
      `| ${[...cells, cpuAtStart.get(role)?.toFixed(2), announcedSeconds.toFixed(1)].join(' | ')} |`,
    );
  }
}
await lab.close();
