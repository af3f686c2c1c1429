import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentCount } from '../../../src/membership/recent-count.ts';

test('RecentCount counts the events of the present period and of the one before', () => {
  const count = new RecentCount(50);
  assert.equal(count.at(0), 0);
  count.add(1000);
  count.add(1049);
  assert.equal(count.at(1049), 2);
  count.add(1050);
  assert.equal(count.at(1099), 3);
  assert.equal(count.at(1100), 1);
  assert.equal(count.at(1150), 0);
});

test('RecentCount forgets everything after a long silence', () => {
  const count = new RecentCount(50);
  count.add(1000);
  assert.equal(count.at(1200), 0);
});
