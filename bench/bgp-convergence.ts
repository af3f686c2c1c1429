/**
 * Time from Established until BIRD holds 100,000 host routes, and from the withdrawal until they are gone, for several senders.
 *   lab/world .cache/bin/node bench/bgp-convergence.ts [--routes N]
 * The senders are Bellman; a bare socket that replays Bellman's octets; BIRD with static routes; GoBGP, loaded by another BIRD in advance; and
 * ExaBGP, loaded through its API. The bare socket computes nothing, so no sender can be faster. The output calls the time of the bare socket the
 * limit. Figures are medians of five runs; GoBGP and ExaBGP run once. Fails when Bellman takes longer than 100 ms plus twice the time of the bare
 * socket, or when BIRD, GoBGP or ExaBGP is at least as fast as Bellman.
 */

import { parseArgs } from 'node:util';
import { hostRoutes, measureSender, senders } from './support/route-senders.ts';

const { values } = parseArgs({ options: { routes: { type: 'string', default: '100000' } } });
const routeCount = Number(values.routes);

/** Senders that take so long that they run only once. */
const slow = ['GoBGP', 'ExaBGP'];
/** Each sender with its number of runs. The machine may be busy, so the median counts. */
const rounds = senders.map((sender) => [sender, slow.includes(sender.name) ? 1 : 5] as const);
const measured = new Map<string, { announceMs: number[]; withdrawMs: number[] }>();
const hosts = hostRoutes(routeCount);
for (let round = 0; round < 5; round++)
  for (const [sender, times] of rounds) {
    if (round >= times) continue;
    const all = measured.get(sender.name) ?? { announceMs: [], withdrawMs: [] };
    const { announceMs, withdrawMs } = await measureSender(sender, hosts);
    all.announceMs.push(announceMs);
    all.withdrawMs.push(withdrawMs);
    measured.set(sender.name, all);
  }

function median(name: string, key: 'announceMs' | 'withdrawMs'): number {
  const sorted = (measured.get(name)?.[key] ?? []).toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

console.log(`${routeCount} host routes at BIRD, medians:`);
for (const [{ name }, times] of rounds) {
  const held = median(name, 'announceMs').toFixed(0);
  console.log(
    `  ${name}: held after ${held} ms, gone after ${median(name, 'withdrawMs').toFixed(0)} ms (${times} runs)`,
  );
}
for (const [key, what] of [
  ['announceMs', 'announcing'],
  ['withdrawMs', 'withdrawing'],
] as const) {
  const limit = median('bare socket', key);
  const bellman = median('Bellman', key);
  const allowed = 2 * limit + 100;
  const isFirst = ['BIRD', 'GoBGP', 'ExaBGP'].every(
    (name) => !measured.has(name) || bellman < median(name, key),
  );
  console.log(
    `${what}: ${(bellman / limit).toFixed(2)} times the limit, ${bellman <= allowed ? 'within' : 'OVER'} ${allowed.toFixed(0)} ms; ${isFirst ? 'before' : 'NOT before'} the daemons`,
  );
  if (bellman > allowed || !isFirst) process.exitCode = 1;
}
