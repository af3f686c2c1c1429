import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { healMs, Quorum, type QuorumInput, retryMs } from '../../../../src/layer2/ownership/quorum.ts';

/**
 * The first `live` of the other members b, c, d and e are alive, and the first `suspected` of them are suspect. `missing` is the number of
 * missing members.
 */
function members(live: number, suspected: number, missing: number, isStarted = true): QuorumInput {
  const names = ['b', 'c', 'd', 'e'];
  return {
    live: new Set(names.slice(0, live)),
    suspected: new Set(names.slice(0, suspected)),
    missing,
    isStarted,
  };
}

describe('Quorum', () => {
  for (const [name, count, claiming] of [
    ['a node that knows no other member may claim', members(0, 0, 0), 'allowed'],
    ['one of two is half, which counts as a majority', members(0, 0, 1), 'allowed'],
    ['one of three is a minority', members(0, 0, 2), 'refused'],
    ['two of four are half, which counts as a majority', members(1, 0, 2), 'allowed'],
    ['two of five are a minority', members(1, 0, 3), 'refused'],
    ['two of three pause their claims while one of the two is suspect', members(1, 1, 1), 'paused'],
    ['a minority with a suspect member refuses claims', members(1, 1, 3), 'refused'],
  ] as const)
    test(name, () => assert.equal(new Quorum().judge(count, 0), claiming));

  const all = members(2, 0, 0);
  const alone = members(0, 0, 2);

  test('after a minority, claims are refused until the node has had time to hear all members', () => {
    const quorum = new Quorum();
    assert.equal(quorum.judge(all, 0), 'allowed');
    assert.equal(quorum.wakeAtMs(), Number.POSITIVE_INFINITY);
    assert.equal(quorum.judge(alone, 1000), 'refused');
    assert.equal(quorum.wakeAtMs(), Number.POSITIVE_INFINITY, 'only a change of members ends a minority');
    assert.equal(quorum.judge(members(1, 0, 1), 5000), 'refused');
    assert.equal(quorum.wakeAtMs(), 5000 + healMs);
    assert.equal(quorum.judge(all, 5100), 'refused');
    assert.equal(quorum.wakeAtMs(), 5000 + healMs, 'further members do not prolong the wait');
    assert.equal(quorum.judge(all, 5000 + healMs), 'allowed');
  });

  test('before its start, a node refuses claims in a minority, and allows them as soon as it is in a majority', () => {
    const quorum = new Quorum();
    assert.equal(quorum.judge(members(0, 0, 4, false), 0), 'refused');
    assert.equal(quorum.judge(members(3, 0, 1, false), 100), 'allowed');
    assert.equal(quorum.judge(members(3, 0, 1), 200), 'allowed');
  });

  test('a node that started in a minority waits after the minority ends, like any other node', () => {
    const quorum = new Quorum();
    assert.equal(quorum.judge(members(0, 0, 4, false), 0), 'refused');
    assert.equal(quorum.judge(members(0, 0, 4), 3000), 'refused');
    assert.equal(quorum.judge(members(4, 0, 0), 5000), 'refused');
    assert.equal(quorum.judge(members(4, 0, 0), 5000 + healMs), 'allowed');
  });

  test('a second minority during the wait starts the wait again', () => {
    const quorum = new Quorum();
    quorum.judge(alone, 0);
    quorum.judge(all, 1000);
    quorum.judge(alone, 2000);
    assert.equal(quorum.judge(all, 10_000), 'refused');
    assert.equal(quorum.judge(all, 10_000 + healMs), 'allowed');
  });

  test('a node that is cut off loses the members one by one, and may not claim meanwhile', () => {
    const quorum = new Quorum();
    for (const [live, suspected, missing] of [
      [4, 1, 0],
      [4, 4, 0],
      [3, 3, 1],
      [2, 2, 2],
      [1, 1, 3],
      [0, 0, 4],
    ] as const)
      assert.notEqual(quorum.judge(members(live, suspected, missing), 0), 'allowed', `${missing} lost`);
  });

  test('after a suspect has proved to be alive, claims stay paused until missing members have been tried again', () => {
    const quorum = new Quorum();
    quorum.judge(members(2, 2, 0), 0);
    assert.equal(quorum.judge(members(1, 1, 1), 500), 'paused');
    assert.equal(quorum.judge(members(1, 0, 1), 600), 'paused');
    assert.equal(quorum.wakeAtMs(), 600 + retryMs);
    assert.equal(quorum.judge(members(1, 0, 1), 600 + retryMs), 'allowed');
  });

  test('a suspect that proved to be alive causes no pause when no member is missing', () => {
    const quorum = new Quorum();
    quorum.judge(members(2, 1, 0), 0);
    assert.equal(quorum.judge(members(2, 0, 0), 100), 'allowed');
  });

  test('a suspect that dies causes no pause', () => {
    const quorum = new Quorum();
    quorum.judge({ live: new Set(['b', 'c']), suspected: new Set(['c']), missing: 0, isStarted: true }, 0);
    assert.equal(
      quorum.judge({ live: new Set(['b']), suspected: new Set(), missing: 1, isStarted: true }, 500),
      'allowed',
    );
  });
});
