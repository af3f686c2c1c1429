/**
 * How the cost of each part grows with the size of the cluster. A sweep measures a part at several sizes, and finds the exponent of the power law
 * that fits best.
 *   .cache/bin/node --expose-gc bench/scale.ts [--quick] [--only REGEX]
 * The cost of an event must not grow with the size of the cluster. The cost of work about everything, such as a configuration edit, may grow in
 * proportion to the size, but not faster. The bench fails when an exponent is above its bound. A sweep above its bound is measured twice more, and
 * the middle of the three exponents counts, because other processes on the machine disturb a measurement. All figures are CPU times of code that
 * does no I/O. `--quick` takes small sizes and generous bounds.
 */
import { parseArgs } from 'node:util';
import { bounds, quickBounds } from './scale/bounds.ts';
import { memorySweep } from './scale/memory-sweep.ts';
import { fullEffort, measureSweep, quickEffort, type Sweep, type SweepResult } from './scale/sweep.ts';
import { sweeps } from './scale/sweeps.ts';
import { matching } from './support/choice.ts';

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
});
const titleOf = ({ part, work, by }: Sweep) => `${part}: ${work}, by ${by}`;
const chosen = matching('--only', values.only, sweeps, titleOf);
const tooSteep: string[] = [];

console.log('| part | work | by | CPU time at each size | exponent | at most |');
console.log('|---|---|---|---|---|---|');
const limits = values.quick ? quickBounds : bounds;
const shownTables = new Set([0]);
for (const sweep of chosen) {
  const limit = limits[sweep.kind];
  if (!values.quick) showMemory(sweep);
  const result = measureUpTo(limit, sweep);
  printRow(sweep, result, limit.toFixed(2));
  if (!(result.exponent <= limit))
    tooSteep.push(`${titleOf(sweep)}: ${result.exponent.toFixed(2)}, at most ${limit.toFixed(2)}`);
}
if (tooSteep.length > 0) {
  console.error(`\nThe cost grows too fast:\n${tooSteep.join('\n')}`);
  process.exitCode = 1;
}

function measure(sweep: Sweep): SweepResult {
  return values.quick
    ? measureSweep(sweep, sweep.quickSizes, quickEffort)
    : measureSweep(sweep, sweep.sizes, fullEffort);
}

/** Prints the exponent of a plain loop over as many tables as the work searches, for comparison. It changes no bound. */
function showMemory({ tables = 0 }: Sweep): void {
  if (shownTables.has(tables)) return;
  shownTables.add(tables);
  const loop = memorySweep(tables);
  printRow(loop, middleOf(measure(loop), measure(loop), measure(loop)), '');
}

function measureUpTo(limit: number, sweep: Sweep): SweepResult {
  const first = measure(sweep);
  if (first.exponent <= limit) return first;
  return middleOf(first, measure(sweep), measure(sweep));
}

/** The result with the middle one of three exponents. */
function middleOf(one: SweepResult, other: SweepResult, third: SweepResult): SweepResult {
  const [, middle = one] = [one, other, third].sort((a, b) => a.exponent - b.exponent);
  return middle;
}

function printRow({ part, work, by }: Sweep, { points, exponent }: SweepResult, limit: string): void {
  const costs = points.map(
    ({ size, microseconds }) => `${size.toLocaleString('en')}: ${duration(microseconds)}`,
  );
  console.log(`| ${[part, work, by, costs.join(', '), exponent.toFixed(2), limit].join(' | ')} |`);
}

function duration(microseconds: number): string {
  if (microseconds < 100) return `${microseconds.toPrecision(2)} µs`;
  if (microseconds < 1000) return `${microseconds.toFixed(0)} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toPrecision(3)} ms`;
  return `${(microseconds / 1_000_000).toPrecision(3)} s`;
}
