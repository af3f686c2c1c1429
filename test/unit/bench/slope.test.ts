import assert from 'node:assert/strict';
import test from 'node:test';
import { slopeOf } from '../../../bench/support/slope.ts';

const samples = (...values: readonly number[]) => values.map((value, at) => ({ at, value }));

test('slopeOf finds a straight line exactly', () => {
  assert.deepEqual(slopeOf(samples(5, 7, 9, 11)), { mean: 8, slope: 2, standardError: 0 });
});

test('slopeOf estimates the error of the slope', () => {
  // The values deviate from the line by -0.2, 0.2, 0.6, -1 and 0.4. The sum of the squares is 1.6. Five samples leave 3 degrees of freedom.
  // The times deviate from their mean by -2, -1, 0, 1 and 2. The sum of the squares is 10.
  const { mean, slope, standardError } = slopeOf(samples(2, 3, 4, 3, 5));
  assert.ok(Math.abs(mean - 3.4) < 1e-9);
  assert.ok(Math.abs(slope - 0.6) < 1e-9);
  assert.ok(Math.abs(standardError - Math.sqrt(1.6 / 3 / 10)) < 1e-9);
});

test('slopeOf returns an infinite error for two samples', () => {
  assert.equal(slopeOf(samples(1, 2)).standardError, Number.POSITIVE_INFINITY);
});
