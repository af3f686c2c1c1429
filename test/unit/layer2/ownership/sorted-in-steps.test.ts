import assert from 'node:assert/strict';
import { test } from 'node:test';
import { electOwners } from '../../../../src/layer2/ownership/election.ts';
import { sortedInSteps } from '../../../../src/layer2/ownership/sorted-in-steps.ts';
import { complete } from '../../../../src/layer2/ownership/steps.ts';
import { seededRandom } from '../../../support/membership-net.ts';

test('sortedInSteps sorts as toSorted does, and keeps the order of equal items', () => {
  const random = seededRandom(7);
  for (const count of [0, 1, 2, 499, 500, 501, 1000, 1500, 2750]) {
    const items = Array.from({ length: count }, (_, index) => ({ key: Math.floor(random() * 300), index }));
    const compare = (a: { key: number }, b: { key: number }) => a.key - b.key;
    assert.deepEqual(complete(sortedInSteps(items, compare)), items.toSorted(compare), `${count} items`);
  }
});

test('electOwners looks at few addresses in one step, however many are vacant', () => {
  let looks = 0;
  const vacant = Array.from({ length: 20_000 }, (_, i) => ({
    get address() {
      looks++;
      return `10.0.${(i * 7919) % 251}.${i % 256}-${i}`;
    },
    get group() {
      looks++;
      return `group-${(i * 7919) % 20_000}`;
    },
    eligible: ['a', 'b', 'c'],
  }));
  let most = 0;
  const endOfStep = () => {
    most = Math.max(most, looks);
    looks = 0;
  };
  complete(electOwners(vacant, { load: () => 0, ownersOf: () => [] }), endOfStep);
  endOfStep();
  // A step sorts 500 addresses. That takes about 4,000 comparisons, and each reads four values.
  assert.ok(most < 40_000, `one step looked ${most} times`);
});
