import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultMembershipSettings as settings, suspicionMs } from '../../../src/membership/timing.ts';

test('each confirmation shortens a suspicion, and a large cluster lengthens it', () => {
  const durations = [0, 1, 2, 3].map((confirmations) => suspicionMs(settings, confirmations, 3, 10));
  assert.deepEqual(
    durations,
    durations.toSorted((a, b) => b - a),
  );
  assert.equal(durations[3], settings.suspicionMinMs);
  assert.equal(durations[0], settings.suspicionMaxMs);
  assert.ok(suspicionMs(settings, 0, 3, 1000) > suspicionMs(settings, 0, 3, 10));
  assert.equal(suspicionMs(settings, 0, 0, 2), 2 * settings.suspicionMinMs);
});
