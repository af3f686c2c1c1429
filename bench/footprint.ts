/**
 * The memory and CPU time of all processes of Bellman, by number of Services.
 *   lab/world .cache/bin/node bench/footprint.ts [--services 0,1000,10000] [--protocol bgp|layer2] [--settle-seconds 30] [--parts]
 * The lab has one node. Its speaker and the controller are restarted after the Services have their addresses. The figures of the speaker include
 * its layer-2 process, if there is one. `--parts` also breaks down the memory of each process, with an idle Node process for comparison.
 * BELLMAN_PROGRAM names the program that `make build` wrote.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { nodeFlags } from '../scripts/node-flags.ts';
import { executable, processesByRole } from './support/bellman-processes.ts';
import { BuiltLab, protocolOf } from './support/built-lab.ts';
import { ascending } from './support/choice.ts';
import { type MemoryParts, memoryParts, memoryPartsOf, probedEnvironment } from './support/memory-parts.ts';
import { usageOf } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string' },
    protocol: { type: 'string', default: 'bgp' },
    'settle-seconds': { type: 'string', default: '30' },
    parts: { type: 'boolean', default: false },
  },
});
const protocol = protocolOf(values.protocol);
const { services = protocol === 'bgp' ? '0,1000,10000' : '0,1000,5000' } = values;
const probes = '/run/heap-probes';
if (values.parts) {
  mkdirSync(probes, { recursive: true });
  Object.assign(process.env, probedEnvironment(probes));
}

const lab = await BuiltLab.start(protocol);
console.log(
  '| protocol | Services | process | PSS, MB | not shared, MB | CPU until announced, s | announced after, s |',
);
console.log('|---|---|---|---|---|---|---|');
for (const count of ascending(services)) {
  const announcedSeconds = await lab.restartWith(count);
  const atStart = new Map([...processesByRole()].map(([role, pids]) => [role, usageOf(pids)]));
  const bare = values.parts ? startBareNode() : undefined;
  await pause(Number(values['settle-seconds']) * 1000);
  const roles = processesByRole();
  for (const [role, pids] of roles) {
    const { pssMb, anonymousMb } = usageOf(pids);
    const cells = [protocol, count, role, pssMb.toFixed(1), anonymousMb.toFixed(1)];
    const cpuSeconds = atStart.get(role)?.cpuSeconds.toFixed(2);
    console.log(`| ${[...cells, cpuSeconds, announcedSeconds.toFixed(1)].join(' | ')} |`);
  }
  if (!bare) continue;
  await printParts(roles, bare.pid);
  bare.kill();
}
await lab.close();

function startBareNode() {
  return spawn(executable, [...nodeFlags, '--eval', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
}

async function printParts(roles: Map<string, readonly number[]>, bare: number | undefined): Promise<void> {
  const columns: [name: string, parts: MemoryParts][] = [];
  const read = async (name: string, pid: number) => columns.push([name, await memoryPartsOf(pid, probes)]);
  const layer2 = new Set(roles.get('its layer-2 process'));
  for (const [role, pids] of roles)
    for (const pid of pids)
      if (role !== 'speaker') await read(role, pid);
      else if (!layer2.has(pid)) await read('speaker, main process', pid);
  if (bare !== undefined) await read('idle Node process', bare);
  console.log(`\n| part, MB of PSS | ${columns.map(([name]) => name).join(' | ')} |`);
  console.log(`|---|${columns.map(() => '---|').join('')}`);
  for (const part of memoryParts)
    console.log(`| ${part} | ${columns.map(([, parts]) => parts[part].toFixed(1)).join(' | ')} |`);
  console.log();
}
