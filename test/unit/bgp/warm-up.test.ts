import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { warmUp } from '../../../src/bgp/warm-up.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

test('warmUp() writes every route that it announces or withdraws into an UPDATE message', async () => {
  const clock = new VirtualClock();
  let isOver = false;
  const warmed = warmUp(clock).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    clock.advance(10);
    await turn();
  }
  const octets = await warmed;
  // Each of the 128 rounds announces 256 host routes of each family, and then withdraws them. In a message, each announcement and each
  // withdrawal takes 5 octets for an IPv4 route, and 17 for an IPv6 route. Headers and attributes add less than half as much.
  const perRound = 256 * 2 * (5 + 17);
  assert.ok(octets > 128 * perRound, `${octets} octets`);
  assert.ok(octets < 128 * perRound * 1.5, `${octets} octets`);
});
