/**
 * The membership in virtual time: clusters of 10, 100 and 1,000 speakers with a datagram loss of 0, 5 and 20 %.
 *   .cache/bin/node bench/membership.ts [--nodes N,…] [--loss PERCENT,…] [--scale FACTOR]
 * Detection: time from a death until the first speaker knows of it, and until all know. False positives: how often a speaker takes a living one for
 * dead, per simulated node-day. Traffic: datagrams per speaker and second while nothing happens. Fails when a death is not known to all after 60 s.
 */
import { parseArgs } from 'node:util';
import { MembershipNet } from '../test/support/membership-net.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10,100,1000' },
    loss: { type: 'string', default: '0,5,20' },
    scale: { type: 'string', default: '1' },
  },
});
const numbers = (text: string) => text.split(',').map(Number);
const dayMs = 86_400_000;

/**
 * How much to simulate: the quiet time in which false positives are counted, and the number of deaths. A larger cluster has a shorter quiet time, so
 * that the number of node-days is the same for every size.
 */
function extent(nodes: number): { quietMs: number; deaths: number } {
  const scale = Number(values.scale);
  return {
    quietMs: (scale * 26_000_000) / nodes,
    deaths: Math.max(5, Math.min(50, Math.round((scale * 500) / nodes))),
  };
}

const median = (sorted: readonly number[]) => sorted[sorted.length >> 1] ?? Number.NaN;
const row = (...cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`);

row(
  'speakers',
  'loss',
  'joined',
  'first to know, median (most)',
  'all know, median (most)',
  'false positives',
  'per node-day',
  'datagrams/s',
);
row(...Array.from({ length: 8 }, () => '---'));
for (const nodes of numbers(values.nodes))
  for (const loss of numbers(values.loss)) {
    const { quietMs, deaths } = extent(nodes);
    const net = new MembershipNet({ nodes, loss: loss / 100, seed: nodes + loss });
    if (!net.runUntil(() => net.now > 1000 && net.allAgree(), 60_000))
      throw new Error('the members never met');
    const joinedMs = net.now - 1000;
    net.run(2000);
    net.losses.length = 0;
    const before = net.packets;
    net.run(quietMs);
    const datagrams = (net.packets - before) / nodes / (quietMs / 1000);
    const wrong = net.losses.filter(({ isFalse }) => isFalse).length;
    const firstMs: number[] = [];
    const allMs: number[] = [];
    for (let i = 0; i < deaths; i++) {
      const name = net.names[i % nodes] ?? '';
      if (!net.runUntil(() => net.allAgree(), 60_000)) throw new Error('the members do not agree');
      net.losses.length = 0;
      const diedAt = net.now;
      net.kill(name);
      const observers = new Set<string>();
      const allKnow = () => {
        for (const { observer, subject } of net.losses) if (subject === name) observers.add(observer);
        return observers.size === nodes - 1;
      };
      if (!net.runUntil(allKnow, 60_000, 20))
        throw new Error(`${observers.size} of ${nodes - 1} members know of a death after 60 s`);
      const times = net.losses.filter(({ subject }) => subject === name).map(({ at }) => at - diedAt);
      firstMs.push(Math.min(...times));
      allMs.push(Math.max(...times));
      net.start(name);
    }
    const text = (times: number[]) => {
      times.sort((a, b) => a - b);
      return `${Math.round(median(times))} (${Math.round(times.at(-1) ?? 0)}) ms`;
    };
    const nodeDays = (nodes * quietMs) / dayMs;
    row(
      String(nodes),
      `${loss} %`,
      `${(joinedMs / 1000).toFixed(1)} s`,
      text(firstMs),
      text(allMs),
      `${wrong} in ${nodeDays.toFixed(3)} node-days`,
      (wrong / nodeDays).toFixed(1),
      datagrams.toFixed(1),
    );
  }
