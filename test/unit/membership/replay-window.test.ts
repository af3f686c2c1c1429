import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReplayWindow } from '../../../src/membership/replay-window.ts';

test('a replay window accepts each number once, in any order within 256 of the newest', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2000 }), { maxLength: 200, size: 'max' }), (numbers) => {
      const window = new ReplayWindow();
      const seen = new Set<number>();
      let newest = 0;
      for (const number of numbers) {
        const isNew = !seen.has(number) && number > newest - 256;
        assert.equal(window.accept(number), isNew, `${number} after ${newest}`);
        seen.add(number);
        newest = Math.max(newest, number);
      }
    }),
  );
});
