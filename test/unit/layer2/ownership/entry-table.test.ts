import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp } from '../../../../src/address/index.ts';
import { EntryTable } from '../../../../src/layer2/ownership/entry-table.ts';
import { addressEntry, nodeFacts } from '../../../support/layer2-cluster.ts';

const web = '192.0.2.1';
const mail = '192.0.2.2';

function newTable() {
  return new EntryTable('a', (entry, address) => ({ entry, address }));
}

test('EntryTable tracks the interfaces that entries name for this node', () => {
  const table = newTable();
  const named = () => [...table.namedInterfaces()].sort();
  table.put(addressEntry(web, ['a'], { interfaces: ['eth0', 'eth1'] }));
  table.put(addressEntry(mail, ['a'], { interfaces: ['eth1'] }));
  assert.deepEqual(named(), ['eth0', 'eth1']);
  table.put(addressEntry(web, ['a', 'b'], { nodeInterfaces: { a: ['eth2'], b: ['eth9'] } }));
  assert.deepEqual(named(), ['eth1', 'eth2']);
  table.put(addressEntry(web, ['a']));
  table.remove(mail);
  assert.deepEqual(named(), []);
});

test('EntryTable reports whether the interfaces of an entry have changed for this node, and keeps the tracked object when the entry changes', () => {
  const table = newTable();
  const first = table.put(addressEntry(web, ['a']));
  assert.equal(first?.hasMoved, false);
  const elsewhere = { nodeInterfaces: { a: [], b: ['eth9'] } };
  assert.equal(table.put(addressEntry(web, ['a', 'b'], elsewhere))?.hasMoved, false);
  const moved = table.put(addressEntry(web, ['a'], { interfaces: ['eth1'] }));
  assert.equal(moved?.hasMoved, true);
  assert.equal(moved?.tracked, first?.tracked);
  assert.deepEqual(table.get(web)?.entry.interfaces, ['eth1']);
});

test('EntryTable moves entries between groups', () => {
  const table = newTable();
  table.put(addressEntry(web, ['a'], { group: 'x' }));
  table.put(addressEntry(mail, ['a'], { group: 'x' }));
  assert.deepEqual([...table.group('x')], [web, mail]);
  table.put(addressEntry(web, ['a'], { group: 'y' }));
  table.remove(mail);
  assert.deepEqual([[...table.group('x')], [...table.group('y')]], [[], [web]]);
});

test('EntryTable accepts an address in any spelling, and rejects other text', () => {
  const table = newTable();
  assert.equal(table.put(addressEntry('web', ['a'])), undefined);
  table.put(addressEntry('2001:DB8:0::1', ['a']));
  assert.deepEqual([...table.texts()], ['2001:db8::1']);
  assert.deepEqual(
    [...table.addresses()].map(({ address }) => formatIp(address)),
    ['2001:db8::1'],
  );
});

test("carriesAny() compares a link's subnets with all addresses", () => {
  const table = newTable();
  table.put(addressEntry(web, ['a']));
  const holds = (subnet: string) =>
    table.carriesAny({ subnets: nodeFacts({ subnets: [subnet] }).links[0]?.subnets ?? [] });
  assert.deepEqual([holds('192.0.2.0/24'), holds('198.51.100.0/24')], [true, false]);
});
