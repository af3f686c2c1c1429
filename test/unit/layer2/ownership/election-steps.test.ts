import assert from 'node:assert/strict';
import { test } from 'node:test';
import { electOwners } from '../../../../src/layer2/ownership/election.ts';
import { complete } from '../../../../src/layer2/ownership/steps.ts';

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
  // A step sorts 250 addresses. That takes about 2,000 comparisons, and each reads four values.
  assert.ok(most < 20_000, `one step looked ${most} times`);
});
