import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ViewUpdates } from '../../../src/layer2/view-updates.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function fixture() {
  const clock = new VirtualClock();
  const updatedAtMs: number[] = [];
  const updates = new ViewUpdates(clock, () => updatedAtMs.push(clock.now()));
  return { clock, updatedAtMs, updates };
}

describe('ViewUpdates', () => {
  test('shows the first change at once, and the changes of the next 50 ms together', () => {
    const { clock, updatedAtMs, updates } = fixture();
    for (const name of ['a', 'b', 'c']) {
      updates.request([name]);
      clock.advance(1);
    }
    clock.advance(1000);
    assert.deepEqual(updatedAtMs, [0, 50]);
    updates.request([]);
    clock.advance(1000);
    assert.deepEqual(updatedAtMs, [0, 50]);
  });

  test('refresh() shows changes that still wait, and shows them only once', () => {
    const { clock, updatedAtMs, updates } = fixture();
    updates.request(['a']);
    updates.request(['b']);
    clock.advance(10);
    updates.refresh();
    updates.refresh();
    clock.advance(1000);
    assert.deepEqual(updatedAtMs, [0, 10]);
  });

  test('refreshFor() shows the waiting changes only if one of them is a change of a given member', () => {
    const { updatedAtMs, updates } = fixture();
    updates.request(['a']);
    updates.request(['b']);
    updates.refreshFor(['a', 'c']);
    assert.deepEqual(updatedAtMs, [0], 'a has been shown already');
    updates.refreshFor(['c', 'b']);
    assert.deepEqual(updatedAtMs, [0, 0]);
  });
});
