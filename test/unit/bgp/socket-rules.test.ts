import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerSettings } from '../../../src/bgp/peer.ts';
import { socketRulesOf } from '../../../src/bgp/session/connection-settings.ts';
import { fixture, peer } from './session-fixture.ts';

test('the TCP user timeout follows the negotiated hold time and never fires before the send hold timer', () => {
  // The period of the send hold timer is the longer of eight minutes and twice the hold time. The timer fires at most two periods after the
  // peer acknowledged the last octet: 240 minutes with the configured hold time of an hour, and 16 with the 90 s that the peer offers.
  const minutes = (count: number) => count * 60_000;
  const { speaker, establish, transport } = fixture();
  speaker.setPeers([peer({ holdTimeSeconds: 3600 })]);
  assert.equal(transport.last.rules.userTimeoutMs, minutes(240));
  const stream = establish();
  assert.equal(stream.rules.userTimeoutMs, minutes(16));
  speaker.setPeers([peer({ holdTimeSeconds: 3600, keepaliveTimeSeconds: 5 })]);
  assert.equal(stream.rules.userTimeoutMs, minutes(16));
});

const external: PeerSettings = {
  name: 'router',
  localAsn: 64512,
  peerAsn: 64500,
  address: { family: 4, value: 0x0a000001n },
  port: 179,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 5,
  ttlSecurity: false,
  passive: false,
};

function ttls(changes: Partial<PeerSettings>): readonly (number | undefined)[] {
  const { ttl, minimumTtl } = socketRulesOf({ ...external, ...changes });
  return [ttl, minimumTtl];
}

test('socketRulesOf() leaves the TTL to the system for an external peer without a hop limit', () => {
  assert.deepEqual(ttls({}), [undefined, undefined]);
});

test('socketRulesOf() sends the hop limit as the TTL', () => {
  assert.deepEqual(ttls({ ebgpHops: 1 }), [1, undefined]);
  assert.deepEqual(ttls({ ebgpHops: 3 }), [3, undefined]);
});

test('socketRulesOf() with TTL security sends TTL 255 and requires it from the peer', () => {
  assert.deepEqual(ttls({ ttlSecurity: true }), [255, 255]);
});

test('socketRulesOf() leaves the TTL to the system for an internal peer', () => {
  assert.deepEqual(ttls({ peerAsn: 'internal' }), [undefined, undefined]);
});
