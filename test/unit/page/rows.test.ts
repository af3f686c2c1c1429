/** Tests the functions that select and order the rows of the page, without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  filterAddresses,
  formatAge,
  formatCount,
  pageOf,
  serviceOf,
  sessionRows,
  shareInUse,
  sortAddresses,
  sortNodes,
} from '../../../src/page/browser/rows.js';
import { pageData } from '../../../src/page/view-model.ts';
import { largeCluster } from '../../support/page-cluster.ts';

const { addresses, nodes } = pageData(largeCluster({ services: 1000, nodes: 12, faulty: true }), '1');
const all = { text: '', state: 'all', pool: '' } as const;

test('filterAddresses() finds the rows that contain every word, in any column and in upper or lower case', () => {
  const found = (text: string) => filterAddresses(addresses, { ...all, text }).map(({ service }) => service);
  assert.deepEqual(found('team-4/SERVICE-50'), ['team-4/service-50']);
  assert.deepEqual(found('10.65.0.2 office'), ['team-4/service-50', 'team-7/service-950']);
  assert.deepEqual(found('  office   node-2 team-8/ '), ['team-8/service-100']);
  assert.deepEqual(found('nothing-like-this'), []);
  assert.equal(found('').length, 1000);
});

test('filterAddresses() selects by state and by pool', () => {
  const count = (filter: Parameters<typeof filterAddresses>[1]) => filterAddresses(addresses, filter).length;
  assert.equal(count({ ...all, state: 'waiting' }), 1);
  assert.equal(count({ ...all, state: 'wrong' }), 2);
  assert.equal(count({ ...all, pool: 'office' }), 20);
  assert.equal(count({ ...all, pool: 'office', state: 'waiting' }), 0);
});

test('sortAddresses() orders numbers in names by their value, and does not change its input', () => {
  const names = sortAddresses(addresses, { column: 'service', descending: false }).map(
    (each) => each.service,
  );
  assert.deepEqual(names.filter((name) => name.startsWith('team-2/')).slice(0, 3), [
    'team-2/service-2',
    'team-2/service-25',
    'team-2/service-48',
  ]);
  assert.ok(names.indexOf('team-9/service-9') < names.indexOf('team-10/service-10'));
  assert.equal(addresses[0]?.service, 'team-0/service-0');
  const [last] = sortAddresses(addresses, { column: 'service', descending: true });
  assert.equal(last?.service, names.at(-1));
});

test('sortAddresses() by state begins with what is wrong', () => {
  const states = sortAddresses(addresses, { column: 'state', descending: false }).map(
    (each) => each.isAsDesired,
  );
  assert.deepEqual(states.slice(0, 3), [false, false, true]);
});

test('sortNodes() and sessionRows() begin with what is wrong', () => {
  assert.deepEqual(
    sortNodes(nodes)
      .slice(0, 4)
      .map(({ node }) => node),
    ['node-2', 'node-12', 'node-1', 'node-3'],
  );
  assert.deepEqual(
    sessionRows(nodes)
      .slice(0, 3)
      .map(({ node }) => node),
    ['node-2', 'node-1', 'node-3'],
  );
});

test('pageOf() returns one page of a list, and the last page when the page number is too large', () => {
  const rows = [1, 2, 3, 4, 5];
  assert.deepEqual(pageOf(rows, 1, 2), { rows: [3, 4], page: 1, pages: 3, from: 3, to: 4, total: 5 });
  assert.deepEqual(pageOf(rows, 9, 2), { rows: [5], page: 2, pages: 3, from: 5, to: 5, total: 5 });
  assert.deepEqual(pageOf([], 3, 2), { rows: [], page: 0, pages: 1, from: 0, to: 0, total: 0 });
});

test('shareInUse() works for a pool with more addresses than a JavaScript number can count', () => {
  assert.equal(shareInUse({ addresses: '256', inUse: '64' }), 0.25);
  assert.equal(shareInUse({ addresses: String(2n ** 80n), inUse: String(2n ** 79n) }), 0.5);
  assert.equal(shareInUse({ addresses: '0', inUse: '0' }), 0);
});

for (const [value, text] of [
  [0, '0'],
  [999, '999'],
  ['10000', '10,000'],
  [1234567, '1,234,567'],
  [String(2n ** 64n), 'about 2^64'],
] as const)
  test(`formatCount() writes ${value} as ${text}`, () => assert.equal(formatCount(value), text));

for (const [ms, text] of [
  [-500, '0 s'],
  [119_000, '119 s'],
  [120_000, '2 min'],
  [7_200_000, '2 h'],
  [172_800_000, '2 d'],
] as const)
  test(`formatAge() writes ${ms} ms as ${text}`, () => assert.equal(formatAge(ms), text));

test('serviceOf() finds the Service of a problem', () => {
  const services = new Map([['192.0.2.1', 'default/web']]);
  assert.equal(serviceOf({ kind: 'service', object: 'a/b' }, services), 'a/b');
  assert.equal(serviceOf({ kind: 'address', object: '192.0.2.1' }, services), 'default/web');
  assert.equal(serviceOf({ kind: 'session', object: '192.0.2.1' }, services), undefined);
});
