import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IntervalSet } from '../../../src/controller/allocator/interval-set.ts';

test('IntervalSet agrees with a plain set, also with thousands of intervals', () => {
  const size = 6000;
  const shuffled = fc.array(fc.nat(size - 1), { minLength: 2000, maxLength: 6000, size: 'max' });
  fc.assert(
    fc.property(shuffled, shuffled, (removed, added) => {
      const set = new IntervalSet([{ first: 0n, last: BigInt(size - 1) }]);
      const model = new Set(Array.from({ length: size }, (_, i) => i));
      for (const value of removed) assert.equal(set.remove(BigInt(value)), model.delete(value));
      for (const value of added) {
        assert.equal(set.add(BigInt(value)), !model.has(value));
        model.add(value);
        assert.ok(set.has(BigInt(value)));
      }
      for (let value = 0; value < size; value++) assert.equal(set.has(BigInt(value)), model.has(value));
      assert.equal(set.lowest(), BigInt(Math.min(...model)));
    }),
    { numRuns: 10 },
  );
});

test('IntervalSet grows from empty and can be emptied', () => {
  const set = new IntervalSet([]);
  assert.equal(set.lowest(), undefined);
  for (let i = 3000n; i > 0n; i -= 2n) assert.ok(set.add(i));
  assert.equal(set.remove(1n), false);
  for (let i = 2n; i <= 3000n; i += 2n) {
    assert.equal(set.lowest(), i);
    assert.ok(set.remove(i));
  }
  assert.equal(set.lowest(), undefined);
  assert.ok(set.add(7n));
  assert.equal(set.lowest(), 7n);
});
