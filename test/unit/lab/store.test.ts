import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Change, Store } from '../../../lab/apiserver/store.ts';

const kind = '/v1/services';
const object = (name: string, more: object = {}) => ({ metadata: { name }, ...more });
const summary = (changes: readonly Change[] | undefined) =>
  changes?.map(({ type, object: { metadata } }) => `${type} ${metadata.name}`);

test('each write and each removal raises the resourceVersion, which all kinds share', () => {
  const store = new Store();
  const versions = [
    store.put(kind, 'a', object('a')),
    store.put('/v1/nodes', 'n', object('n')),
    store.put(kind, 'a', object('a')),
    store.remove(kind, 'a'),
  ].map((each) => Number(each?.metadata.resourceVersion));
  assert.deepEqual(
    versions,
    [...new Set(versions)].sort((a, b) => a - b),
  );
  assert.equal(versions.at(-1), store.version);
});

test('since() returns the changes after a version in order', () => {
  const store = new Store();
  const from = store.version;
  store.put(kind, 'a', object('a'));
  const middle = store.version;
  store.put(kind, 'a', object('a', { spec: {} }));
  store.put('/v1/nodes', 'n', object('n'));
  store.remove(kind, 'a');
  assert.deepEqual(summary(store.since(kind, from)), ['ADDED a', 'MODIFIED a', 'DELETED a']);
  assert.deepEqual(summary(store.since(kind, middle)), ['MODIFIED a', 'DELETED a']);
  assert.deepEqual(summary(store.since(kind, store.version)), []);
});

test('since() returns undefined for versions before a compaction, also for a kind without objects at that time', () => {
  const store = new Store();
  store.put(kind, 'a', object('a'));
  const before = store.version;
  store.compact();
  assert.equal(store.since('/v1/nodes', before), undefined);
  assert.deepEqual(summary(store.since('/v1/nodes', store.version)), []);
});

test('since() returns undefined for versions before a compaction and for future versions', () => {
  const store = new Store();
  store.put(kind, 'a', object('a'));
  const before = store.version;
  store.compact();
  assert.equal(store.since(kind, before), undefined);
  assert.deepEqual(store.since(kind, store.version), []);
  assert.equal(
    store.since(kind, store.version + 1),
    undefined,
    'a client may have this version from an earlier run of the server',
  );
});

test('history is bounded, and a watch resumes from it without a gap', () => {
  const store = new Store();
  const start = store.version;
  for (let i = 0; i < 40_001; i++) store.put(kind, 'a', object('a'));
  assert.equal(store.since(kind, start), undefined);
  const kept = store.since(kind, store.version - 20_000 + 1);
  assert.equal(kept?.length, 19_999);
  assert.equal(kept[0]?.resourceVersion, store.version - 20_000 + 2);
});

test('listeners receive the changes of their kind until they stop', () => {
  const store = new Store();
  const received: Change[] = [];
  const stop = store.listen(kind, (change) => received.push(change));
  store.put(kind, 'a', object('a'));
  store.put('/v1/nodes', 'n', object('n'));
  stop();
  store.put(kind, 'b', object('b'));
  assert.deepEqual(summary(received), ['ADDED a']);
});

test('list() is sorted by key, and later writes do not change objects already returned', () => {
  const store = new Store();
  const first = store.put(kind, 'b', object('b'));
  store.put(kind, 'a', object('a'));
  store.put(kind, 'b', object('b', { spec: 1 }));
  assert.deepEqual(
    store.list(kind).map(([key]) => key),
    ['a', 'b'],
  );
  assert.equal(first.spec, undefined);
});
