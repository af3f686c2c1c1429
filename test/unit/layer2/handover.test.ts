import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Handover } from '../../../src/layer2/handover.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { settle } from '../../support/virtual-run.ts';

/** Begins to wait for a handover and records when the wait ends. */
function begin() {
  const clock = new VirtualClock();
  const handover = new Handover(clock);
  const state = { endedAtMs: Number.NaN };
  void handover.wait().then(() => {
    state.endedAtMs = clock.now();
  });
  return { clock, handover, state };
}

describe('Handover', () => {
  for (const [name, answered, live, isOver] of [
    ['waits while addresses are answered and another node could take over', 3, 2, false],
    ['ends when no address is answered any more', 0, 2, true],
    ['ends when no other node is live', 3, 0, true],
  ] as const)
    test(name, async () => {
      const { handover, state } = begin();
      assert.equal(handover.isWaiting, true);
      handover.check(answered, live);
      await settle();
      assert.equal(state.endedAtMs, isOver ? 0 : Number.NaN);
      assert.equal(handover.isWaiting, !isOver);
    });

  test('ends after 3 s in any case', async () => {
    const { clock, handover, state } = begin();
    clock.advance(2999);
    await settle();
    assert.equal(handover.isWaiting, true);
    clock.advance(1);
    await settle();
    assert.equal(state.endedAtMs, 3000);
  });
});
