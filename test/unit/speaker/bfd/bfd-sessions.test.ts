import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatIp } from '../../../../src/address/index.ts';
import type { BfdProfile, PeerConfig } from '../../../../src/config/config.ts';
import { BfdSessions } from '../../../../src/speaker/bfd/bfd-sessions.ts';
import { ip } from '../../../support/addresses.ts';
import { config, peer } from '../fixtures.ts';

const profile: BfdProfile = {
  name: 'fast',
  receiveIntervalMs: 100,
  transmitIntervalMs: 200,
  detectMultiplier: 3,
  echoIntervalMs: 50,
  echoMode: false,
  passiveMode: false,
  minimumTtl: 250,
};
const bfd = { profile: 'fast', strict: 'off', holdDownSeconds: 0 } as const;

function resolver(onLink: readonly string[] = []) {
  const links = new Set(onLink);
  const sessions = new BfdSessions('bellman-system', (address) => links.has(formatIp(address)));
  return {
    links,
    sessions,
    resolve: (peers: readonly PeerConfig[], ...profiles: readonly BfdProfile[]) =>
      sessions.resolve(
        { ...config([]), peers, bfdProfiles: profiles.length > 0 ? profiles : [profile] },
        peers.map((one) => ({ id: `id-${one.name}`, config: one })),
      ),
  };
}

describe('BfdSessions', () => {
  test('makes a session for each peer with BFD, from the peer and its profile', () => {
    const optional = { interface: 'eth0', sourceAddress: ip('10.0.0.9') };
    const { sessions, peers } = resolver().resolve([peer('router', { bfd, ...optional }), peer('other')]);
    const [{ id = '' } = {}] = sessions;
    assert.deepEqual(sessions, [
      {
        id,
        name: 'router',
        peerAddress: '10.0.0.1',
        localAddress: '10.0.0.9',
        interface: 'eth0',
        mode: { kind: 'single-hop' },
        transmitIntervalMs: 200,
        receiveIntervalMs: 100,
        detectMultiplier: 3,
        passive: false,
      },
    ]);
    assert.deepEqual([...peers], [['id-router', { sessionId: id }]]);
  });

  const modeOf = (over: Partial<PeerConfig>, onLink: readonly string[] = []) =>
    resolver(onLink).resolve([peer('router', { bfd, ...over })]).sessions[0]?.mode;
  const multihop = { kind: 'multihop', minimumTtl: 250 };
  const singleHop = { kind: 'single-hop' };

  test('an external peer is one hop away, unless ebgp-multihop says otherwise', () => {
    assert.deepEqual(modeOf({}), singleHop);
    assert.deepEqual(modeOf({ ebgpMultihop: 1 }), singleHop);
    assert.deepEqual(modeOf({ ebgpMultihop: 2 }), multihop);
  });

  test('an internal peer is one hop away when it is on a link of this node', () => {
    assert.deepEqual(modeOf({ peerAsn: 'internal' }), multihop);
    assert.deepEqual(modeOf({ peerAsn: 64512 }), multihop);
    assert.deepEqual(modeOf({ peerAsn: 'internal' }, ['10.0.0.1']), singleHop);
    assert.deepEqual(modeOf({ peerAsn: 'internal', address: ip('fe80::1'), interface: 'eth0' }), singleHop);
  });

  test('an internal peer stays one hop away when its link goes down', () => {
    const { links, resolve } = resolver(['10.0.0.1']);
    const peers = [peer('router', { bfd, peerAsn: 'internal' })];
    resolve(peers);
    links.clear();
    const { sessions, replaced } = resolve(peers);
    assert.deepEqual(sessions[0]?.mode, singleHop);
    assert.deepEqual(replaced, []);
  });

  test('every session with echo-mode asks for the echo function, even over several hops', () => {
    const echo = { ...profile, echoMode: true };
    const { resolve } = resolver();
    const echoOf = (over: Partial<PeerConfig>) => resolve([peer('router', over)], echo).sessions[0]?.echo;
    assert.deepEqual(echoOf({ bfd }), { intervalMs: 50 });
    assert.deepEqual(echoOf({ bfd, ebgpMultihop: 9 }), { intervalMs: 50 });
    assert.equal(resolve([peer('router', { bfd })]).sessions[0]?.echo, undefined);
  });

  test('peers at one address share a session, with a warning for a peer whose profile differs', () => {
    const slow = { ...profile, name: 'slow', transmitIntervalMs: 1000 };
    const peers = [
      peer('a', { bfd }),
      peer('b', { bfd, port: 1179 }),
      peer('c', { bfd: { ...bfd, profile: 'slow' }, port: 1180 }),
    ];
    const { sessions, peers: states } = resolver().resolve(peers, profile, slow);
    assert.equal(sessions.length, 1);
    const [{ id = '' } = {}] = sessions;
    assert.deepEqual(states.get('id-b'), { sessionId: id });
    assert.deepEqual(states.get('id-c'), {
      sessionId: id,
      warning: {
        subject: 'bfd-sharing',
        text: 'BFD runs with bfd-profile fast of peer a, which has the same address, and not with bfd-profile slow; give both peers the same profile',
      },
    });
  });

  const keys = { type: 'keyed-sha1', keySecret: 'bfd', keyId: 1 } as const;
  for (const [what, differing, hops, warns] of [
    ['receive interval', { receiveIntervalMs: 50 }, 1, true],
    ['detect multiplier', { detectMultiplier: 9 }, 1, true],
    ['passive mode', { passiveMode: true }, 1, true],
    ['echo mode', { echoMode: true }, 1, true],
    ['authentication', { authentication: keys }, 1, true],
    ['minimum TTL of a multihop session', { minimumTtl: 1 }, 9, true],
    ['minimum TTL of a single-hop session, which has none', { minimumTtl: 1 }, 1, false],
    ['echo interval without echo mode', { echoIntervalMs: 99 }, 1, false],
    ['name only', {}, 1, false],
  ] as const)
    test(`two peers at one address get ${warns ? 'a' : 'no'} warning when their profiles differ in the ${what}`, () => {
      const other = { ...profile, ...differing, name: 'other' };
      const peers = [
        peer('a', { bfd, ebgpMultihop: hops }),
        peer('b', { bfd: { ...bfd, profile: 'other' }, ebgpMultihop: hops, port: 1179 }),
      ];
      const { sessions, peers: states } = resolver().resolve(peers, profile, other);
      assert.equal(states.get('id-b')?.sessionId, sessions[0]?.id);
      assert.equal(states.get('id-b')?.warning?.subject, warns ? 'bfd-sharing' : undefined);
    });

  test('a shared session goes on when one of its peers is added or removed', () => {
    const { resolve } = resolver();
    const [a, b] = [peer('a', { bfd }), peer('b', { bfd, port: 1179 })];
    const [first] = resolve([a]).sessions;
    const both = resolve([a, b]);
    assert.deepEqual([both.sessions[0]?.id, both.replaced], [first?.id, ['id-b']]);
    const last = resolve([b]);
    assert.deepEqual([last.sessions[0]?.id, last.sessions[0]?.name, last.replaced], [first?.id, 'b', []]);
  });

  test('a session with authentication waits for its keys', () => {
    const { sessions, resolve } = resolver();
    const secured = {
      ...profile,
      authentication: { type: 'keyed-sha1', keySecret: 'bfd', keyId: 1 } as const,
    };
    const peers = [peer('router', { bfd })];
    const without = resolve(peers, secured);
    assert.deepEqual(without.sessions, []);
    const { subject, text } = without.peers.get('id-router')?.warning ?? {};
    assert.equal(subject, 'bfd-keys');
    assert.match(text ?? '', /BFD does not run/);
    const data = { '1': new TextEncoder().encode('key') };
    sessions.setSecret('bfd', { namespace: 'bellman-system', name: 'bfd', data });
    const secret = Buffer.from('key').toString('base64');
    assert.deepEqual(resolve(peers, secured).sessions[0]?.authentication, {
      type: 'keyed-sha1',
      sendKeyId: 1,
      keys: [{ id: 1, secret }],
    });
  });

  test('names the peers that get a session, get another one, or lose theirs', () => {
    const { resolve } = resolver();
    const at = (address: string) => [peer('router', { bfd, address: ip(address) })];
    assert.deepEqual(resolve(at('10.0.0.1')).replaced, ['id-router']);
    assert.deepEqual(resolve(at('10.0.0.1'), { ...profile, transmitIntervalMs: 50 }).replaced, []);
    assert.deepEqual(resolve(at('10.0.0.2')).replaced, ['id-router']);
    assert.deepEqual(resolve([peer('router')]).replaced, ['id-router']);
    assert.deepEqual(resolve([peer('router')]).replaced, []);
  });
});
