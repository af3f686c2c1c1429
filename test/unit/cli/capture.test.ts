import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leftOutTexts, peersNamed, planAddresses, planPeers } from '../../../src/cli/capture/plan.ts';
import { parseConfig } from '../../../src/config/index.ts';
import { fail, ok } from '../../../src/result.ts';
import { speakerStatus } from './fixtures.ts';

const since = '2026-01-02T03:04:05.000Z';
const session = { name: 'router', state: 'Established', since, routesSent: 1, warnings: [] };
const a = '192.0.2.240';
const b = '198.51.100.1';
const speakers = [
  { node: 'node-1', status: ok(speakerStatus({ announcing: { [a]: since }, peers: [session] })) },
  { node: 'node-2', status: ok(speakerStatus({ advertised: { [b]: ['router'] }, peers: [session] })) },
  { node: 'node-3', status: ok(speakerStatus()) },
  { node: 'node-4', status: fail('ECONNREFUSED') },
];

describe('planAddresses()', () => {
  const captures = (addresses: readonly string[], only?: string) => {
    const plan = planAddresses(addresses, speakers, only);
    return plan.ok
      ? plan.value.captures.map(({ node, addresses: of, peers }) => `${node} ${[...of, ...peers].join(' ')}`)
      : plan.error;
  };
  test('takes the node that answers for an address, and the BGP sessions that carry its route', () => {
    assert.deepEqual(captures([a]), [`node-1 ${a}`]);
    assert.deepEqual(captures([b]), ['node-2 router']);
    assert.deepEqual(captures([a, b]), [`node-1 ${a}`, 'node-2 router']);
  });
  test('takes all nodes that were reached when none of them announces the address', () => {
    assert.deepEqual(
      captures(['192.0.2.9']),
      ['node-1', 'node-2', 'node-3'].map((node) => `${node} 192.0.2.9`),
    );
  });
  test('takes the named node, whether or not it announces', () => {
    assert.deepEqual(captures([a], 'node-3'), [`node-3 ${a}`]);
    assert.deepEqual(captures([b], 'node-2'), [`node-2 ${b} router`]);
  });
  test('says why the named node does not capture', () => {
    assert.equal(captures([a], 'node-4'), 'the speaker of node node-4 was not reached: ECONNREFUSED');
    assert.equal(captures([a], 'node-9'), 'there is no node node-9');
    const plan = planPeers(['router'], speakers, 'node-4');
    assert.equal(plan.ok || plan.error, 'the speaker of node node-4 was not reached: ECONNREFUSED');
    const without = planPeers(['router', 'other'], speakers, 'node-3');
    assert.equal(
      without.ok || without.error,
      'the speaker of node node-3 has no session with the peer router or other',
    );
  });
  test('names the speakers that were not reached, and says whether one of them may be the only one that announces the address', () => {
    const rows = [
      ['192.0.2.9', undefined, true],
      [a, undefined, false],
      [a, 'node-3', false],
    ] as const;
    for (const [address, only, mayLackAnnouncer] of rows) {
      const plan = planAddresses([address], speakers, only);
      assert.ok(plan.ok);
      assert.equal(plan.value.mayLackAnnouncer, mayLackAnnouncer);
      assert.deepEqual(
        leftOutTexts(plan.value),
        only === undefined ? ['not captured on node-4, because its speaker was not reached'] : [],
      );
    }
    const all = planAddresses(['192.0.2.9'], speakers.slice(0, 3), undefined);
    assert.ok(all.ok && !all.value.mayLackAnnouncer);
    assert.equal(planAddresses([a], speakers.slice(3), undefined).ok, false);
  });
});

test('planPeers() takes the nodes that have a session with the peer, up to a limit', () => {
  const many = Array.from({ length: 12 }, (_, i) => ({
    node: `node-${i}`,
    status: ok(speakerStatus({ peers: [session] })),
  }));
  const plan = planPeers(['router'], many, undefined);
  assert.ok(plan.ok);
  assert.equal(plan.value.captures.length, 8);
  assert.match(
    leftOutTexts(plan.value).join('\n'),
    /^not captured on node-8, node-9, node-10, node-11; name a node.*$/,
  );
  assert.equal(planPeers(['other'], many, undefined).ok, false);
});

test('planPeers() captures the sessions of all peers that share an address', () => {
  const other = { ...session, name: 'other' };
  const two = [
    { node: 'node-1', status: ok(speakerStatus({ peers: [session] })) },
    { node: 'node-2', status: ok(speakerStatus({ peers: [other] })) },
    { node: 'node-3', status: ok(speakerStatus()) },
  ];
  const plan = planPeers(['router', 'other'], two, undefined);
  assert.deepEqual(plan.ok && plan.value.captures, [
    { node: 'node-1', addresses: [], peers: ['router'] },
    { node: 'node-2', addresses: [], peers: ['other'] },
  ]);
});

test('peersNamed() finds the peers with a name or an address', () => {
  const parsed = parseConfig(
    `peers:
- {name: router, my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1, node-selectors: [{match-labels: {rack: a}}]}
- {name: other, my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1, node-selectors: [{match-labels: {rack: b}}]}
- {name: six, my-asn: 1, peer-asn: 2, peer-address: "2001:db8::1"}`,
  );
  assert.ok(parsed.ok);
  for (const [text, expected] of [
    ['router', ['router']],
    ['192.0.2.1', ['router', 'other']],
    ['2001:DB8:0::1', ['six']],
    ['web', []],
    ['192.0.2.2', []],
  ] as const)
    assert.deepEqual(peersNamed(text, parsed.value), expected);
  assert.deepEqual(peersNamed('router', undefined), []);
});
