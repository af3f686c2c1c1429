import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { quickBounds } from '../../../bench/scale/bounds.ts';
import { exponent, median } from '../../../bench/scale/fit.ts';
import { measureSweep, quickEffort } from '../../../bench/scale/sweep.ts';
import { sweeps } from '../../../bench/scale/sweeps.ts';

describe('exponent()', () => {
  for (const [name, power] of [
    ['constant', 0],
    ['linear', 1],
    ['quadratic', 2],
  ] as const)
    test(`is ${power} for a ${name} cost`, () => {
      const points = [10, 100, 1000].map((size) => ({ size, microseconds: 3 * size ** power }));
      assert.ok(Math.abs(exponent(points) - power) < 1e-9);
    });
});

describe('median()', () => {
  for (const [values, middle] of [
    [[7], 7],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
  ] as const)
    test(`of ${values.join(', ')} is ${middle}`, () => assert.equal(median(values), middle));
});

/** A measurement on a machine that does other work may be wrong now and then, but not several times in a row. */
const attempts = 3;

describe('the cost of growth, at small sizes', () => {
  for (const sweep of sweeps) {
    const limit = quickBounds[sweep.kind];
    test(`${sweep.part}: ${sweep.work}, by ${sweep.by}: exponent at most ${limit}`, () => {
      const found: number[] = [];
      do found.push(measureSweep(sweep, sweep.quickSizes, quickEffort).exponent);
      while (Math.min(...found) > limit && found.length < attempts);
      assert.ok(Math.min(...found) <= limit, `exponents ${found.map((each) => each.toFixed(2)).join(', ')}`);
    });
  }
});
