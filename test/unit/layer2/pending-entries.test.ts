import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PendingEntries } from '../../../src/layer2/pending-entries.ts';
import { addressEntry } from '../../support/layer2-cluster.ts';

test('PendingEntries keeps only the newest change of each address', () => {
  const pending = new PendingEntries();
  const [first, second, third] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) =>
    addressEntry(address, ['a']),
  );
  assert.ok(first && second && third);
  const gone = { address: first.address, observedVersion: 5 };
  pending.add({ upsert: [first, second], remove: [] });
  pending.add({ upsert: [third], remove: [gone] });
  const changed = { ...second, observedVersion: 6 };
  pending.add({ upsert: [changed], remove: [] });
  assert.deepEqual(pending.take(), { upsert: [changed, third], remove: [gone] });
  assert.deepEqual(pending.take(), { upsert: [], remove: [] });
});
