/**
 * Fuzzes the BGP decoder: millions of inputs, each answer held to what must be true of any.
 *   node test/fuzz/bgp.ts [--count N] [--seed N]
 * Prints the seed first, so that a run can be repeated. Exits 1 with the input when an answer is wrong.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fuzzBgp } from './bgp-run.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: process.env.BELLMAN_FUZZ_COUNT ?? '3000000' },
    seed: { type: 'string', default: String(randomInt(2 ** 32)) },
  },
});
const count = Number(values.count);
const seed = Number(values.seed);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  console.error('--count and --seed are whole numbers');
  process.exit(2);
}
console.log(`BGP decoder: ${count} inputs, seed ${seed}`);
const start = performance.now();
try {
  const { octets, verdicts, slowestMs } = fuzzBgp(seed, count, (done) => {
    if (done > 0) console.log(`${done} inputs, ${Math.round((performance.now() - start) / 1000)} s`);
  });
  const seconds = (performance.now() - start) / 1000;
  const kinds = Object.entries(verdicts).map(([verdict, inputs]) => `${inputs} ${verdict}`);
  console.log(
    `${count} inputs of ${octets} octets in ${seconds.toFixed(1)} s: ${kinds.join(', ')}; the slowest took ${slowestMs.toFixed(1)} ms`,
  );
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
