import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpAddress } from '../../../../src/address/index.ts';
import { PeerOutput } from '../../../../src/speaker/peers/peer-output.ts';
import { PeerSet } from '../../../../src/speaker/peers/peer-set.ts';
import { ip } from '../../../support/addresses.ts';
import { fixture } from '../../bgp/session-fixture.ts';
import { config, node, peer } from '../fixtures.ts';

const bfdProfiles = [
  {
    ...{ name: 'fast', receiveIntervalMs: 300, transmitIntervalMs: 300, detectMultiplier: 3 },
    ...{ echoIntervalMs: 50, echoMode: false, passiveMode: false, minimumTtl: 254 },
  },
];
const bfd = { profile: 'fast', strict: 'off', holdDownSeconds: 0 } as const;
const peers = [peer('watched', { bfd }), peer('plain', { port: 1179 })];

/** Returns a PeerOutput and a change that brings two peers. `take` returns the calls to BGP and BFD since its last use. */
function setUp(isOpen: boolean) {
  const calls: string[] = [];
  const output = new PeerOutput(
    {
      setPeers: (all) => void calls.push(`peers ${all.map(({ settings }) => settings.name)}`),
      bfdChanged: (_, { state }) => void calls.push(`bfd ${state}`),
    },
    { setSessions: (all, joined) => void calls.push(`sessions ${all.length}, joined ${joined.length}`) },
    { isOpen },
  );
  const set = new PeerSet('node-1', 'bellman-system', () => true);
  const change = set.update({ ...config([], peers), bfdProfiles }, node('node-1')) ?? assert.fail();
  return { output, change, take: () => calls.splice(0) };
}

const passedOn = ['bfd Down', 'peers watched,plain', 'sessions 1, joined 1'];

test('PeerOutput passes peers on at once while it is open', () => {
  const { output, change, take } = setUp(true);
  output.set(change);
  assert.deepEqual(take(), passedOn);
  output.open();
  assert.deepEqual(take(), []);
});

test('PeerOutput passes peers on whenever it is opened, and removes them from BGP and BFD when it is closed', () => {
  const { output, change, take } = setUp(false);
  output.set(change);
  output.close();
  assert.deepEqual(take(), []);
  output.open();
  assert.deepEqual(take(), passedOn);
  output.close();
  assert.deepEqual(take(), ['peers ', 'sessions 0, joined 0']);
  output.open();
  assert.deepEqual(take(), passedOn);
});

test('after an edit of its address, a peer with `bfd-strict: local` connects only when BFD is Up with the new address', () => {
  const { speaker, transport } = fixture();
  const output = new PeerOutput(speaker, { setSessions: () => undefined }, { isOpen: true });
  const set = new PeerSet('node-1', 'bellman-system', () => true);
  const up = { state: 'Up', remoteState: 'Up', diagnostic: 0, remoteControlPlaneIndependent: false } as const;
  const targets = () => transport.streams.map(({ target }) => target.address);
  const expected: IpAddress[] = [];
  for (const to of [ip('192.0.2.2'), ip('192.0.2.3')]) {
    const strict = peer('watched', { address: to, bfd: { ...bfd, strict: 'local' } });
    output.set(set.update({ ...config([], [strict]), bfdProfiles }, node('node-1')) ?? assert.fail());
    assert.deepEqual(targets(), expected);
    speaker.bfdChanged(set.idOf('watched'), up);
    expected.push(to);
    assert.deepEqual(targets(), expected);
  }
});

test('PeerSet lists the peers of a shared BFD session, and the session has the name of the first peer', () => {
  const set = new PeerSet('node-1', 'bellman-system', () => true);
  const shared = [peer('first', { bfd }), peer('second', { bfd, port: 1179 }), peer('without')];
  const change = set.update({ ...config([], shared), bfdProfiles }, node('node-1')) ?? assert.fail();
  const names = [...set.watchedPeers()].map((all) => all.map(({ name }) => name));
  assert.deepEqual(names, [['first', 'second']]);
  assert.deepEqual(
    change.bfd.sessions.map(({ name }) => name),
    ['first'],
  );
});
