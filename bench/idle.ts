/**
 * Memory and CPU time of all processes of Bellman at rest.
 *   lab/world .cache/bin/node bench/idle.ts [--services 10000] [--protocol bgp|layer2] [--minutes 60]
 * The daemons are restarted when the Services have their addresses. The measurement begins 90 seconds after the last address is announced. By
 * then, each process has collected the garbage of its start. Fails when a process uses at least a hundredth of a processor, or when its own memory
 * (see below) grows by more than 1 MB an hour. The growth is the slope of a straight line through the samples, minus twice the standard error of
 * the slope. BELLMAN_PROGRAM names the program that `make build` wrote.
 *
 * A process's own memory is the part of its PSS that no file backs. The rest, 5 to 20 MB, consists of pages of the Node binary. A process gives
 * these pages back every half minute, and reads them again when it needs them.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { processesByRole } from './support/bellman-processes.ts';
import { BuiltLab, protocolOf } from './support/built-lab.ts';
import { usageOf } from './support/processes.ts';
import { type Sample, slopeOf } from './support/slope.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string' },
    protocol: { type: 'string', default: 'bgp' },
    minutes: { type: 'string', default: '60' },
  },
});
const protocol = protocolOf(values.protocol);
const count = Number(values.services ?? (protocol === 'bgp' ? 10_000 : 5000));
const seconds = Number(values.minutes) * 60;
const settleSeconds = 90;
const samplesWanted = 240;
const cpuLimitPercent = 1;
const growthLimitMb = 1;

const lab = await BuiltLab.start(protocol);
await lab.restartWith(count);
await pause(settleSeconds * 1000);
const pids = processesByRole();
const firstCpuSeconds = new Map([...pids].map(([role, its]) => [role, usageOf(its).cpuSeconds]));
const samples = new Map([...pids.keys()].map((role) => [role, [] as Sample[]]));
const wholeMb = new Map([...pids.keys()].map((role) => [role, [] as number[]]));
const startedAtMs = performance.now();
const everyMs = Math.max(1000, (seconds * 1000) / samplesWanted);
while (performance.now() - startedAtMs < seconds * 1000) {
  // The pauses are random. With equal pauses, the half-minute rhythm of a process would show as a slope.
  await pause(everyMs * (0.5 + Math.random()));
  const at = (performance.now() - startedAtMs) / 3_600_000;
  for (const [role, its] of pids) {
    const { pssMb, anonymousMb } = usageOf(its);
    wholeMb.get(role)?.push(pssMb);
    samples.get(role)?.push({ at, value: anonymousMb });
  }
}
const elapsedSeconds = (performance.now() - startedAtMs) / 1000;

console.log(
  '| protocol | Services | process | minutes | PSS, MB | own, MB | its slope, MB an hour | its error | CPU, % of a core |',
);
console.log('|---|---|---|---|---|---|---|---|---|');
for (const [role, its] of pids) {
  const { mean, slope, standardError } = slopeOf(samples.get(role) ?? []);
  const cpuSeconds = usageOf(its).cpuSeconds - (firstCpuSeconds.get(role) ?? 0);
  const cpuPercent = (cpuSeconds / elapsedSeconds) * 100;
  const cells = [
    ...[protocol, count, role, (elapsedSeconds / 60).toFixed(0), meanOf(wholeMb.get(role) ?? []).toFixed(1)],
    mean.toFixed(1),
    ...[slope.toFixed(2), standardError.toFixed(2), cpuPercent.toFixed(2)],
  ];
  console.log(`| ${cells.join(' | ')} |`);
  if (cpuPercent >= cpuLimitPercent || slope - 2 * standardError > growthLimitMb) process.exitCode = 1;
}
await lab.close();

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
