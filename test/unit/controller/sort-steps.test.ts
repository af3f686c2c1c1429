import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sortSteps } from '../../../src/controller/sort-steps.ts';
import { Random } from '../../fuzz/random.ts';

test('sortSteps() sorts as toSorted() does, in many small steps', () => {
  const random = new Random(1);
  for (const count of [0, 1, 2, 249, 250, 251, 750, 5000]) {
    const items = Array.from({ length: count }, (_, order) => ({ rank: random.below(100), order }));
    const compare = (a: { rank: number }, b: { rank: number }) => a.rank - b.rank;
    const steps = sortSteps(items, compare);
    let taken = 0;
    let step = steps.next();
    for (; !step.done; step = steps.next()) taken++;
    assert.deepEqual(step.value, items.toSorted(compare), `${count} items`);
    assert.ok(taken >= count / 250, `${taken} steps for ${count} items`);
  }
});
