import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeWrongTarget, sessionOf } from '../../../src/bgp/incoming-peer.ts';
import { ip } from '../../support/addresses.ts';
import { peer } from './session-fixture.ts';

const linkLocal = { address: ip('fe80::1'), interface: 'eth0' };
const fromLinkLocal = { remoteAddress: ip('fe80::1'), localAddress: ip('fe80::2') };
const toSource = { remoteAddress: ip('192.0.2.2'), localAddress: ip('192.0.2.1') };
const sourced = { address: ip('192.0.2.2'), sourceAddress: ip('192.0.2.1') };

function namesTaken(peers: readonly ReturnType<typeof peer>[], ends: Parameters<typeof sessionOf>[1]) {
  const session = sessionOf(
    peers.map((each) => ({ peer: each })),
    ends,
  );
  return session?.peer.settings.name;
}

describe('sessionOf()', () => {
  for (const [name, settings, ends, isTaken] of [
    ['takes the peer with the address', { address: ip('192.0.2.2') }, toSource, true],
    ['takes no peer with another address', { address: ip('192.0.2.3') }, toSource, false],
    ['takes a peer that connected to the configured source-address', sourced, toSource, true],
    [
      'takes no peer that connected to an address other than the configured source-address',
      sourced,
      { ...toSource, localAddress: ip('192.0.2.9') },
      false,
    ],
    ['takes a link-local peer on its interface', linkLocal, { ...fromLinkLocal, interface: 'eth0' }, true],
    [
      'takes no link-local peer on another interface',
      linkLocal,
      { ...fromLinkLocal, interface: 'eth1' },
      false,
    ],
    ['takes a link-local peer when the interface is unknown', linkLocal, fromLinkLocal, true],
  ] as const)
    test(name, () => {
      assert.equal(namesTaken([peer({ name: 'router', ...settings })], ends), isTaken ? 'router' : undefined);
    });

  test('prefers a passive peer among peers at one address, and otherwise takes the first', () => {
    const address = ip('192.0.2.2');
    const [first, second] = [peer({ name: 'first', address }), peer({ name: 'second', address })];
    const passive = peer({ name: 'passive', address, passive: true });
    assert.equal(namesTaken([first, second], toSource), 'first');
    assert.equal(namesTaken([first, passive, second], toSource), 'passive');
  });
});

test('describeWrongTarget() names both addresses when the peer connects to an address other than source-address', () => {
  const called = { ...toSource, localAddress: ip('192.0.2.9') };
  assert.equal(
    describeWrongTarget(peer(sourced), called),
    'the peer connected to 192.0.2.9 instead of source-address 192.0.2.1',
  );
  assert.equal(describeWrongTarget(peer(sourced), toSource), undefined);
});
