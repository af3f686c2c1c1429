import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerMachines } from '../../../src/speaker/http.ts';
import { ip } from './fixtures.ts';

test('peerMachines() names the machine of each peer with the address', () => {
  const peers = [
    { name: 'router', address: ip('192.0.2.1') },
    { name: 'router on another port', address: ip('192.0.2.1') },
    { name: 'rack', address: ip('2001:db8::1') },
  ];
  assert.deepEqual(peerMachines(peers, '192.0.2.1'), [
    'peer router',
    'bfd router',
    'peer router on another port',
    'bfd router on another port',
  ]);
  assert.deepEqual(peerMachines(peers, '2001:db8::1'), ['peer rack', 'bfd rack']);
  assert.deepEqual(peerMachines(peers, '192.0.2.10'), []);
});
