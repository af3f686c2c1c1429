import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sortedInSteps } from '../../src/sorted-in-steps.ts';
import { Random } from '../fuzz/random.ts';

test('sortedInSteps() sorts as toSorted() does, in many small steps, and keeps the order of equal items', () => {
  const random = new Random(1);
  for (const count of [0, 1, 2, 249, 250, 251, 499, 500, 501, 750, 1500, 2750, 5000]) {
    const items = Array.from({ length: count }, (_, order) => ({ rank: random.below(100), order }));
    const compare = (a: { rank: number }, b: { rank: number }) => a.rank - b.rank;
    const steps = sortedInSteps(items, compare);
    let taken = 0;
    let step = steps.next();
    for (; !step.done; step = steps.next()) taken++;
    assert.deepEqual(step.value, items.toSorted(compare), `${count} items`);
    assert.ok(taken >= count / 250, `${taken} steps for ${count} items`);
  }
});
