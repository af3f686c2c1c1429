import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaptureLiveness } from '../../../src/link/capture-liveness.ts';

test('CaptureLiveness treats an hour of silence as an idle link', () => {
  const liveness = new CaptureLiveness();
  assert.equal(liveness.check(5, 5), 'alive');
  for (let second = 0; second < 3600; second++) assert.equal(liveness.check(5, 5), 'alive');
});

test('CaptureLiveness detects a deaf capture at the second check', () => {
  const liveness = new CaptureLiveness();
  liveness.check(5, 5);
  assert.equal(liveness.check(6, 5), 'alive', 'a frame may be on its way');
  assert.equal(liveness.check(7, 5), 'deaf');
});

test('CaptureLiveness tolerates late and dropped frames while other frames arrive', () => {
  const liveness = new CaptureLiveness();
  for (const [received, delivered] of [
    [10, 5],
    [20, 5],
    [30, 8],
    [40, 8],
    [40, 8],
    [50, 9],
  ] as const)
    assert.equal(liveness.check(received, delivered), 'alive');
});
