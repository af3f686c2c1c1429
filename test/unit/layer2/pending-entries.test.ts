import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PendingEntries } from '../../../src/layer2/pending-entries.ts';

const entry = (address: string, observedVersion = 1) => ({
  address,
  group: 'web',
  sources: [1],
  observedVersion,
});
const set = (number: number) => ({ set: number, isDropped: true }) as const;

test('PendingEntries keeps the newest change of each address, and all changes of sets', () => {
  const pending = new PendingEntries();
  const [first, second, third] = [entry('192.0.2.1'), entry('192.0.2.2'), entry('192.0.2.3')];
  const gone = { address: first.address, observedVersion: 5 };
  pending.add({ sets: [set(2)], upsert: [first, second], remove: [] });
  pending.add({ sets: [], upsert: [third], remove: [gone] });
  const changed = entry(second.address, 6);
  pending.add({ sets: [set(1), set(2)], upsert: [changed], remove: [] });
  assert.deepEqual(pending.take(), {
    sets: [set(2), set(1), set(2)],
    upsert: [changed, third],
    remove: [gone],
  });
  assert.deepEqual(pending.take(), { sets: [], upsert: [], remove: [] });
});
