import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConnectionTimers } from '../../../../src/bgp/session/connection-timers.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

function fixture(random = 0) {
  const clock = new VirtualClock();
  const expired: string[] = [];
  const peer = { acknowledged: 0 };
  const timers = new ConnectionTimers({
    clock,
    random: () => random,
    acknowledgedBytes: () => peer.acknowledged,
    expired: (timer) => void expired.push(`${timer} ${clock.now()}`),
  });
  return { clock, timers, expired, peer };
}

describe('ConnectionTimers', () => {
  test('jitter shortens a delay by up to a quarter (RFC 4271 section 10)', () => {
    for (const [random, expectedMs] of [
      [0, 22_500],
      [1, 30_000],
    ] as const) {
      const { clock, timers, expired } = fixture(random);
      timers.start({ kind: 'start-timer', timer: 'keepalive', delayMs: 30_000, isJittered: true });
      clock.advance(60_000);
      assert.deepEqual(expired, [`keepalive ${expectedMs}`]);
    }
  });

  test('a hold timer does not expire when it is restarted in the same event-loop turn in which it is due', () => {
    const { clock, timers, expired } = fixture();
    const hold = { kind: 'start-timer', timer: 'hold', delayMs: 90_000 } as const;
    timers.start(hold);
    clock.advance(90_000);
    timers.start(hold);
    clock.advance(89_999);
    assert.deepEqual(expired, []);
    clock.advance(2);
    assert.deepEqual(expired, ['hold 180001']);
  });

  test('a hold timer that is due does not expire when it is stopped in the same turn, for example because the peer asks for hold time 0', () => {
    const stops: readonly ((timers: ConnectionTimers) => void)[] = [
      (timers) => timers.stop('hold'),
      (timers) => timers.stopAll(),
    ];
    for (const stop of stops) {
      const { clock, timers, expired } = fixture();
      timers.start({ kind: 'start-timer', timer: 'hold', delayMs: 90_000 });
      clock.advance(90_000);
      stop(timers);
      clock.advance(10);
      assert.deepEqual(expired, []);
    }
  });

  test('the send hold timer runs for another period when the peer has acknowledged an octet during the last one (RFC 9687)', () => {
    const { clock, timers, expired, peer } = fixture();
    timers.start({ kind: 'start-timer', timer: 'send-hold', delayMs: 480_000 });
    clock.advance(479_000);
    peer.acknowledged = 19;
    clock.advance(1000);
    assert.deepEqual(expired, []);
    clock.advance(480_000);
    assert.deepEqual(expired, ['send-hold 960000']);
  });

  test('stopped timers do not expire', () => {
    const { clock, timers, expired } = fixture();
    for (const timer of ['hold', 'keepalive', 'idle-hold'] as const)
      timers.start({ kind: 'start-timer', timer, delayMs: 1000 });
    timers.stop('hold');
    timers.stopAll();
    clock.advance(5000);
    assert.deepEqual(expired, []);
  });
});
