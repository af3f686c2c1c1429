import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { omittedText, peerNamed, planAddresses, planPeer } from '../../../src/cli/capture/plan.ts';
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
    assert.equal(captures([a], 'node-4'), 'no speaker was reached');
  });
});

test('planPeer() takes the nodes that have a session with the peer, up to a limit', () => {
  const many = Array.from({ length: 12 }, (_, i) => ({
    node: `node-${i}`,
    status: ok(speakerStatus({ peers: [session] })),
  }));
  const plan = planPeer('router', many, undefined);
  assert.ok(plan.ok);
  assert.equal(plan.value.captures.length, 8);
  assert.match(omittedText(plan.value), /^not captured on node-8, node-9, node-10, node-11; name a node/);
  assert.equal(planPeer('other', many, undefined).ok, false);
});

test('peerNamed() finds a peer by its name or its address', () => {
  const parsed = parseConfig(
    'peers: [{name: router, my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1}, {name: six, my-asn: 1, peer-asn: 2, peer-address: "2001:db8::1"}]',
  );
  assert.ok(parsed.ok);
  for (const [text, expected] of [
    ['router', 'router'],
    ['192.0.2.1', 'router'],
    ['2001:DB8:0::1', 'six'],
    ['web', undefined],
    ['192.0.2.2', undefined],
  ] as const)
    assert.equal(peerNamed(text, parsed.value), expected);
  assert.equal(peerNamed('router', undefined), undefined);
});
