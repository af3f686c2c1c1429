import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UnlistedNames } from '../../../src/membership/unlisted-names.ts';

describe('UnlistedNames', () => {
  test('admits eight names from each sender and 32 in all', () => {
    const names = new UnlistedNames();
    const admitted = (sender: string) =>
      Array.from({ length: 20 }, (_, i) => names.admit(`${sender}-${i}`, sender, 0)).filter(Boolean).length;
    assert.deepEqual(['a', 'b', 'c', 'd', 'e'].map(admitted), [8, 8, 8, 8, 0]);
    assert.ok(names.admit('a-0', 'e', 0), 'a name that is kept already');
  });

  test('drops a name after 30 s, unless its member has spoken for itself', () => {
    const names = new UnlistedNames();
    names.admit('invented', 'a', 0);
    names.admit('real', 'a', 0);
    names.confirm('real');
    assert.equal(names.wakeAtMs(), 30_000);
    assert.deepEqual(names.expire(29_999), []);
    assert.deepEqual(names.expire(30_000), ['invented']);
    assert.equal(names.wakeAtMs(), Number.POSITIVE_INFINITY);
  });
});
