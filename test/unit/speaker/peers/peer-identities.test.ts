import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerConfig } from '../../../../src/config/config.ts';
import { identifyPeers } from '../../../../src/speaker/peers/peer-identities.ts';
import { ip } from '../../../support/addresses.ts';
import { peer as peerConfig } from '../fixtures.ts';

/** Parses `name@address` or `name@address<source`. */
function peer(text: string): PeerConfig {
  const [, name = '', address = '', source] = /^(.*)@([^<]*)<?(.*)$/.exec(text) ?? [];
  return peerConfig(name, { address: ip(address), ...(source ? { sourceAddress: ip(source) } : {}) });
}

for (const [edit, before, now, ids] of [
  ['no change', 'a@10.0.0.1 b@10.0.0.2', 'a@10.0.0.1 b@10.0.0.2', 'a b'],
  ['another order', 'a@10.0.0.1 b@10.0.0.2', 'b@10.0.0.2 a@10.0.0.1', 'b a'],
  ['another name', 'a@10.0.0.1', 'z@10.0.0.1', 'a'],
  ['another address', 'a@10.0.0.1', 'a@10.0.0.9', 'a'],
  ['another name and address', 'a@10.0.0.1', 'z@10.0.0.9', 'z'],
  ['two names exchanged', 'a@10.0.0.1 b@10.0.0.2', 'b@10.0.0.1 a@10.0.0.2', 'a b'],
  [
    'the first of two peers at one address removed',
    'a@10.0.0.1<10.0.0.8 a#2@10.0.0.1<10.0.0.9',
    'a@10.0.0.1<10.0.0.9',
    'a#2',
  ],
  ['a freed name given to a new peer', 'a@10.0.0.1', 'z@10.0.0.1 a@10.0.0.2', 'a a~2'],
  ['two peers with the same endpoint reordered', 'a@10.0.0.1 b@10.0.0.1', 'b@10.0.0.1 a@10.0.0.1', 'b a'],
] as const)
  test(`identifyPeers() returns the ids ${ids} after this edit: ${edit}`, () => {
    const all = (text: string) => text.split(' ').map(peer);
    const first = identifyPeers([], all(before));
    assert.deepEqual(
      identifyPeers(first, all(now)).map(({ id }) => id),
      ids.split(' '),
    );
  });
