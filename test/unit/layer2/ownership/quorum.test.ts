import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { healMs, Quorum } from '../../../../src/layer2/ownership/quorum.ts';

describe('Quorum', () => {
  for (const [name, count, claiming] of [
    ['a node alone in the world may claim', { live: 0, suspected: 0, missing: 0 }, 'allowed'],
    ['one of two is half, which counts as a majority', { live: 0, suspected: 0, missing: 1 }, 'allowed'],
    ['one of three is a minority', { live: 0, suspected: 0, missing: 2 }, 'refused'],
    ['two of four are half', { live: 1, suspected: 0, missing: 2 }, 'allowed'],
    ['two of five are a minority', { live: 1, suspected: 0, missing: 3 }, 'refused'],
    ['two of three, but the second is under suspicion', { live: 1, suspected: 1, missing: 1 }, 'paused'],
    ['a minority with a suspicion refuses', { live: 1, suspected: 1, missing: 3 }, 'refused'],
  ] as const)
    test(name, () => assert.equal(new Quorum().judge(count, 0), claiming));

  const all = { live: 2, suspected: 0, missing: 0 };
  const alone = { live: 0, suspected: 0, missing: 2 };

  test('after a minority, it refuses until the node had time to hear all members', () => {
    const quorum = new Quorum();
    assert.equal(quorum.judge(all, 0), 'allowed');
    assert.equal(quorum.wakeAtMs(), Number.POSITIVE_INFINITY);
    assert.equal(quorum.judge(alone, 1000), 'refused');
    assert.equal(quorum.wakeAtMs(), Number.POSITIVE_INFINITY, 'only a change of members ends a minority');
    assert.equal(quorum.judge({ live: 1, suspected: 0, missing: 1 }, 5000), 'refused');
    assert.equal(quorum.wakeAtMs(), 5000 + healMs);
    assert.equal(quorum.judge(all, 5100), 'refused');
    assert.equal(quorum.wakeAtMs(), 5000 + healMs, 'further members do not prolong the time');
    assert.equal(quorum.judge(all, 5000 + healMs), 'allowed');
  });

  test('a minority while it heals starts the time again', () => {
    const quorum = new Quorum();
    quorum.judge(alone, 0);
    quorum.judge(all, 1000);
    quorum.judge(alone, 2000);
    assert.equal(quorum.judge(all, 10_000), 'refused');
    assert.equal(quorum.judge(all, 10_000 + healMs), 'allowed');
  });

  test('a node that is cut off loses the members one by one and never may claim', () => {
    const quorum = new Quorum();
    for (const [live, suspected, missing] of [
      [4, 1, 0],
      [4, 4, 0],
      [3, 3, 1],
      [2, 2, 2],
      [1, 1, 3],
      [0, 0, 4],
    ] as const)
      assert.notEqual(quorum.judge({ live, suspected, missing }, 0), 'allowed', `${missing} lost`);
  });
});
