import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeWrongTarget, sessionOf } from '../../../src/bgp/incoming-peer.ts';
import { ip } from '../../support/addresses.ts';
import { peer } from './session-fixture.ts';

const linkLocal = { address: ip('fe80::1'), interface: 'eth0' };
const fromLinkLocal = { remoteAddress: ip('fe80::1'), localAddress: ip('fe80::2') };
const toSource = { remoteAddress: ip('192.0.2.2'), localAddress: ip('192.0.2.1') };
const unsigned = { password: undefined };
const sourced = { address: ip('192.0.2.2'), sourceAddress: ip('192.0.2.1') };

function namesTaken(
  peers: readonly ReturnType<typeof peer>[],
  incoming: Omit<Parameters<typeof sessionOf>[1], 'password'> & { readonly password?: string },
) {
  const session = sessionOf(
    peers.map((each) => ({ peer: each })),
    { ...unsigned, ...incoming },
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

  for (const [name, own, elsewhere, ends] of [
    ['source-address', { ...sourced, passive: true }, { address: sourced.address, passive: true }, toSource],
    ['interface', linkLocal, { ...linkLocal, interface: 'eth1' }, { ...fromLinkLocal, interface: 'eth0' }],
  ] as const)
    test(`takes a peer with a ${name} of its own only if its password is the one in force for the address`, () => {
      const others = { ...peer({ name: 'elsewhere', ...elsewhere, sourceAddress: ip('192.0.2.9') }) };
      for (const [configured, inForce, isTaken] of [
        [undefined, undefined, true],
        ['a', 'a', true],
        ['a', 'b', false],
        ['a', undefined, false],
        [undefined, 'b', false],
      ] as const) {
        const router = {
          ...peer({ name: 'router', ...own }),
          ...(configured ? { password: configured } : {}),
        };
        const incoming = { ...ends, ...(inForce ? { password: inForce } : {}) };
        const expected = isTaken ? 'router' : undefined;
        assert.equal(namesTaken([others, router], incoming), expected, `${configured}, ${inForce} in force`);
      }
    });

  test('takes no peer that waits for its password, but takes another peer at its address', () => {
    const address = ip('192.0.2.2');
    const waiting = {
      ...peer({ name: 'waiting', address, passive: true }),
      waitingFor: 'Secret bellman-system/tor does not exist',
    };
    assert.equal(namesTaken([waiting], toSource), undefined);
    for (const passive of [false, true])
      assert.equal(namesTaken([waiting, peer({ name: 'ready', address, passive })], toSource), 'ready');
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
