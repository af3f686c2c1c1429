import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FirstDecision } from '../../../src/layer2/first-decision.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function fixture() {
  const clock = new VirtualClock();
  const membership = { isSynced: true, liveMembers: 1, isAnyUnreachable: false, isAlone: false };
  const begunAtMs: number[] = [];
  const first = new FirstDecision({ clock, membership, begin: () => begunAtMs.push(clock.now()) });
  return { clock, membership, begunAtMs, first };
}

describe('FirstDecision', () => {
  test('begins when the membership is open and the entries are there, in either order, and only once', () => {
    for (const order of [
      ['joined', 'entriesArrived'],
      ['entriesArrived', 'joined'],
    ] as const) {
      const { clock, begunAtMs, first } = fixture();
      first.check();
      first[order[0]]();
      clock.advance(60_000);
      assert.deepEqual(begunAtMs, []);
      first[order[1]]();
      first.check();
      first.entriesArrived();
      assert.deepEqual(begunAtMs, [60_000]);
    }
  });

  test('begins as soon as a change of the membership allows it', () => {
    const { clock, membership, begunAtMs, first } = fixture();
    membership.isSynced = false;
    first.joined();
    first.entriesArrived();
    clock.advance(2000);
    membership.isSynced = true;
    first.check();
    assert.deepEqual(begunAtMs, [2000]);
  });

  test('begins 3 s after the membership was opened when no other member is live, without a further event', () => {
    const { clock, membership, begunAtMs, first } = fixture();
    Object.assign(membership, { isSynced: false, liveMembers: 0, isAnyUnreachable: true });
    clock.advance(500);
    first.joined();
    first.entriesArrived();
    for (let i = 0; i < 10; i++) first.check();
    clock.advance(60_000);
    assert.deepEqual(begunAtMs, [3500]);
  });

  test('never begins after cancel()', () => {
    const { clock, membership, begunAtMs, first } = fixture();
    membership.isSynced = false;
    first.joined();
    first.entriesArrived();
    first.cancel();
    membership.isSynced = true;
    first.check();
    clock.advance(60_000);
    assert.deepEqual(begunAtMs, []);
  });
});
