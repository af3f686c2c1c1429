/**
 * Fuzzes the entrances, where octets from outside come in, with millions of inputs, and checks what must hold for any input.
 *
 *   node test/fuzz/main.ts [--target NAME] [--count N] [--seed N] [--first N]
 *
 * Without `--target` each target gets its share of `--count` inputs. `--first` is the number of the first input. The run begins by printing its
 * seed, so that it can be repeated. When an input fails, the run prints the command that repeats that input and exits with 1.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fuzz } from './run.ts';
import { targets } from './targets.ts';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    count: { type: 'string', default: process.env.BELLMAN_FUZZ_COUNT ?? '3000000' },
    seed: { type: 'string', default: String(randomInt(2 ** 32)) },
    first: { type: 'string', default: '0' },
  },
});
const [count, seed, first] = [values.count, values.seed, values.first].map(Number) as [
  number,
  number,
  number,
];
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
if (
  ![count, seed, first].every((number) => Number.isSafeInteger(number) && number >= 0) ||
  chosen.length === 0
) {
  console.error(
    `--count, --seed and --first are whole numbers; targets: ${targets.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}
const weights = chosen.reduce((sum, { weight }) => sum + weight, 0);
try {
  for (const target of chosen) {
    const share = Math.max(1, Math.round((count * target.weight) / weights));
    console.log(`${target.name}: ${share} inputs, seed ${seed}`);
    const start = performance.now();
    const seconds = () => ((performance.now() - start) / 1000).toFixed(1);
    const progress = (done: number) => console.log(`${done} inputs, ${seconds()} s`);
    const { verdicts, slowestMs } = fuzz(target, { seed, count: share, first, progress });
    const kinds = Object.entries(verdicts).map(([verdict, inputs]) => `${inputs} ${verdict}`);
    console.log(
      `${share} inputs in ${seconds()} s: ${kinds.join(', ')}; the slowest took ${slowestMs.toFixed(1)} ms`,
    );
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
