import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../../src/address/index.ts';
import { Eligibility } from '../../../../src/layer2/ownership/eligibility.ts';
import type { NodeFacts } from '../../../../src/layer2/ownership/node-facts.ts';
import { addressEntry, nodeFacts } from '../../../support/layer2-cluster.ts';

function link(name: string, ...subnets: readonly string[]) {
  return { name, mac: '02:00:00:00:00:01', subnets: nodeFacts({ subnets }).links[0]?.subnets ?? [] };
}

const eligibility = new Eligibility(
  new Map<string, NodeFacts>([
    ['v4', nodeFacts({ links: [link('eth0', '192.0.2.0/24')] })],
    ['dual', nodeFacts({ links: [link('eth0', '192.0.2.0/24', '2001:db8::/64'), link('1')] })],
    ['leaving', nodeFacts({ isLeaving: true })],
    ['bare', nodeFacts({ links: [link('eth1'), link('a+b')] })],
    ['pair', nodeFacts({ links: [link('a'), link('b')] })],
  ]),
);
const allNodes = ['bare', 'dead', 'dual', 'leaving', 'pair', 'v4'];

const cases: readonly {
  readonly name: string;
  readonly address: string;
  readonly candidates?: readonly string[];
  readonly interfaces?: readonly string[];
  readonly nodeInterfaces?: Readonly<Record<string, readonly string[]>>;
  readonly eligible: readonly string[];
}[] = [
  {
    name: 'live nodes that have the subnet and are not leaving',
    address: '192.0.2.1',
    eligible: ['dual', 'v4'],
  },
  { name: 'only nodes with an IPv6 subnet, for an IPv6 address', address: '2001:db8::1', eligible: ['dual'] },
  { name: 'no node, when none has the subnet', address: '198.51.100.1', eligible: [] },
  { name: 'only candidates', address: '192.0.2.1', candidates: ['bare', 'v4'], eligible: ['v4'] },
  {
    name: 'a node with the named interface, even without the subnet',
    address: '192.0.2.1',
    interfaces: ['eth1'],
    eligible: ['bare'],
  },
  {
    name: 'nodes with any of the named interfaces',
    address: '192.0.2.1',
    interfaces: ['eth1', 'a'],
    eligible: ['bare', 'pair'],
  },
  {
    name: 'only nodes with the named interface, although others have the subnet',
    address: '192.0.2.1',
    interfaces: ['b'],
    eligible: ['pair'],
  },
  {
    name: 'a node with the named interface, when the name contains a plus sign',
    address: '192.0.2.1',
    interfaces: ['a+b'],
    eligible: ['bare'],
  },
  {
    name: 'a node with interfaces a and b, but not a node with the interface a+b',
    address: '192.0.2.1',
    interfaces: ['a', 'b'],
    eligible: ['pair'],
  },
  {
    name: 'each node for which the entry names interfaces, if it has one of them, and each other node, if it has the subnet',
    address: '192.0.2.1',
    nodeInterfaces: { bare: ['eth0'], dual: ['eth1'], pair: ['b'] },
    eligible: ['pair', 'v4'],
  },
  {
    name: 'no node, when none has the named interface 10, whose name looks like the cache key of a subnet',
    address: '192.0.2.1',
    interfaces: ['10'],
    eligible: [],
  },
];

// All cases share one instance, to show that its cache keeps them apart.
for (const { name, address, candidates = allNodes, interfaces = [], nodeInterfaces, eligible } of cases)
  test(`eligible: ${name}`, () => {
    const parsed = parseIp(address);
    assert.ok(parsed);
    const entry = {
      ...addressEntry(address, []),
      candidates,
      interfaces,
      ...(nodeInterfaces ? { nodeInterfaces } : {}),
    };
    assert.deepEqual(eligibility.eligible(parsed, entry), eligible);
    for (const node of allNodes)
      assert.equal(eligibility.isEligible(node, parsed, entry), eligible.includes(node));
  });

test('isReady() is true for a leaving node, and false for a dead or starting node', () => {
  const judge = new Eligibility(
    new Map([
      ['leaving', nodeFacts({ isLeaving: true })],
      ['starting', nodeFacts({ isStarting: true })],
    ]),
  );
  assert.deepEqual(
    ['leaving', 'starting', 'dead'].map((node) => judge.isReady(node)),
    [true, false, false],
  );
});

test('preferred() returns the nodes with the greatest preference, and all nodes when none has a preference', () => {
  const entry = addressEntry('192.0.2.1', [], { preferences: { a: 50, b: 50, c: 20 } });
  assert.deepEqual(eligibility.preferred(['a', 'b', 'c', 'd'], entry), ['a', 'b']);
  assert.deepEqual(eligibility.preferred(['c', 'd'], entry), ['c']);
  assert.deepEqual(eligibility.preferred(['d', 'e'], entry), ['d', 'e']);
  assert.deepEqual(eligibility.preferred([], entry), []);
  assert.deepEqual(eligibility.preferred(['a', 'd'], addressEntry('192.0.2.1', [])), ['a', 'd']);
});

test('a node that is mute for an address is eligible for it only if all candidates are mute for it', () => {
  const address = parseIp('192.0.2.1');
  const entry = addressEntry('192.0.2.1', ['a', 'b']);
  assert.ok(address);
  const judge = (...mute: readonly (readonly string[])[]) => {
    const facts = mute.map((each) => ({
      ...nodeFacts(),
      ...(each.length > 0 ? { mute: new Set(each) } : {}),
    }));
    return new Eligibility(new Map(facts.map((each, i) => ['ab'.charAt(i), each])));
  };
  const one = judge(['192.0.2.1'], []);
  assert.deepEqual(one.eligible(address, entry), ['b']);
  assert.equal(one.eligible(address, entry), one.eligible(address, entry), 'equal lists are one object');
  assert.ok(one.isMute('a', entry));
  assert.deepEqual(judge(['192.0.2.2'], []).eligible(address, entry), ['a', 'b']);
  assert.deepEqual(judge(['*'], []).eligible(address, entry), ['b']);
  assert.deepEqual(judge(['*'], ['192.0.2.1']).eligible(address, entry), ['a', 'b']);
});
