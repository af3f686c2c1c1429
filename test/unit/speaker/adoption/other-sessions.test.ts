import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BgpAdoption } from '../../../../src/speaker/adoption/adoption-state.ts';
import { OtherSessions } from '../../../../src/speaker/adoption/other-sessions.ts';
import { ip } from '../../../support/addresses.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';
import { settle } from '../../../support/virtual-run.ts';
import { peer } from '../fixtures.ts';

/** An `OtherSessions`, and the TCP table that it reads. A test adds and removes the session of another program by `hasSession`. */
function setUp() {
  const clock = new VirtualClock();
  const found: string[] = [];
  const state: { adoption: BgpAdoption; hasSession: boolean } = { adoption: 'held', hasSession: true };
  const sessions = new OtherSessions({
    clock,
    adoption: () => state.adoption,
    peers: () => [peer('router', { address: ip('192.0.2.1') })],
    found: (peers) => void found.push([...peers].join() || 'none'),
    read: (path) =>
      path.endsWith('tcp') && state.hasSession
        ? Promise.resolve('0: 0B0200C0:B3CE 010200C0:00B3 01 0\n')
        : Promise.reject(new Error('no such file')),
  });
  const after = async (ms: number) => {
    clock.advance(ms);
    await settle();
    return found.splice(0);
  };
  return { sessions, state, after };
}

test('OtherSessions looks every two seconds, and every 100 ms while the node waits', async () => {
  const { sessions, state, after } = setUp();
  sessions.start();
  assert.deepEqual(await after(0), ['router']);
  assert.deepEqual(await after(1999), []);
  assert.deepEqual(await after(1), ['router']);
  state.adoption = 'waiting';
  sessions.hurry();
  assert.deepEqual(await after(0), ['router']);
  state.hasSession = false;
  assert.deepEqual(await after(100), ['none']);
  sessions.stop();
  assert.deepEqual(await after(10_000), []);
});

test('OtherSessions does not look while the node is live, because the connections are its own', async () => {
  const { sessions, state, after } = setUp();
  state.adoption = 'live';
  sessions.start();
  assert.deepEqual(await after(0), []);
  assert.deepEqual(await after(2000), []);
  state.adoption = 'held';
  assert.deepEqual(await after(2000), ['router']);
  sessions.stop();
});
