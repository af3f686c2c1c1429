/**
 * Runs bursts of faults against the whole of Bellman in the lab. The same seed gives the same bursts.
 *   lab/world .cache/bin/node test/chaos/run.ts [--bursts 200] [--seed 1] [--first 0]
 * Prints a line for each burst. Exits with 1 when an invariant was violated.
 */
import { parseArgs } from 'node:util';
import { Random } from '../fuzz/random.ts';
import { runBurst } from './burst.ts';
import { startCluster } from './cluster.ts';
import { violations } from './invariants.ts';

const { values } = parseArgs({
  options: {
    bursts: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
  },
});
/** A number of the command line. Without the check of its digits, `--bursts 2oo` would run no burst, and the program would exit with 0. */
function count(name: 'bursts' | 'seed' | 'first'): number {
  if (/^\d{1,9}$/.test(values[name])) return Number(values[name]);
  console.error(`--${name} ${values[name]}: expected a number`);
  process.exit(2);
}

const [bursts, seed, first] = [count('bursts'), count('seed'), count('first')];
const lab = await startCluster();
await lab.until('the cluster is settled', async () => (await violations(lab)).length === 0);
let failed = 0;
const settled: number[] = [];
for (let burst = first; burst < first + bursts; burst++) {
  // Each burst has a seed of its own, so that `--first` and `--bursts 1` can repeat it alone.
  const result = await runBurst(lab, new Random(seed * 100_003 + burst));
  settled.push(result.settledAfterMs);
  const verdict = result.violations.length === 0 ? 'clean' : 'VIOLATED';
  console.log(
    `burst ${burst}: ${verdict}, settled after ${result.settledAfterMs} ms: ${result.faults.join('; ')}`,
  );
  for (const line of result.violations) console.log(`  ${line}`);
  if (result.violations.length === 0) continue;
  failed++;
  // `runBurst` compares the cluster before and after a burst, so the next burst must begin with a settled cluster.
  await lab.until('the cluster is settled', async () => (await violations(lab)).length === 0);
}
settled.sort((a, b) => a - b);
console.log(
  `${bursts} bursts, ${failed} violated; settled after ${settled[settled.length >> 1]} ms in the median, ${settled.at(-1)} ms at most`,
);
await lab.close();
process.exit(failed === 0 ? 0 : 1);
