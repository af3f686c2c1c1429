import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, peer } from './session-fixture.ts';

test('the user timeout of TCP follows the negotiated hold time and never forestalls the send hold timer', () => {
  const minutes = (count: number) => count * 60_000;
  const { speaker, establish, transport } = fixture();
  speaker.setPeers([peer({ holdTimeSeconds: 3600 })]);
  assert.equal(transport.last.rules.userTimeoutMs, minutes(240));
  // The peer offers 90 s. The send hold timer is eight minutes then, and fires up to 16 minutes after the last octet was taken.
  const stream = establish();
  assert.equal(stream.rules.userTimeoutMs, minutes(16));
  speaker.setPeers([peer({ holdTimeSeconds: 3600, keepaliveTimeSeconds: 5 })]);
  assert.equal(stream.rules.userTimeoutMs, minutes(16));
});
