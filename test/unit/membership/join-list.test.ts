import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { JoinList } from '../../../src/membership/join-list.ts';
import { seededRandom } from '../../support/membership-net.ts';

const endpoint = (host: string) => ({ host, port: 7946 });

function listOf(...names: readonly string[]): JoinList {
  const list = new JoinList(seededRandom(1));
  list.replace(
    new Map(names.map((name) => [name, [endpoint(`${name}-v4`), endpoint(`${name}-v6`)]])),
    true,
    0,
  );
  return list;
}

describe('JoinList', () => {
  test('tries a new speaker four times at intervals of 50 ms and then once a second, at its addresses in turn', () => {
    const list = listOf('a');
    const tries: [number, string | undefined][] = [];
    for (let now = 0; now < 2500; now = list.wakeAtMs())
      for (const { endpoint: tried } of list.due(['a'], now)) tries.push([now, tried?.host]);
    assert.deepEqual(tries, [
      [0, 'a-v4'],
      [50, 'a-v6'],
      [100, 'a-v4'],
      [150, 'a-v6'],
      [1150, 'a-v4'],
      [2150, 'a-v6'],
    ]);
  });

  test('tries at most 16 speakers at once', () => {
    const names = Array.from({ length: 40 }, (_, i) => `node-${i}`);
    const list = listOf(...names);
    assert.equal(list.due(names, 0).length, 16);
  });

  test('tries every missing speaker in time, even if tryAllAgain() comes before all of them have had their quick attempts', () => {
    const names = Array.from({ length: 300 }, (_, i) => `node-${i}`);
    const list = listOf(...names);
    const tried = new Set<string>();
    for (let now = 0; now < 10_000; now = list.wakeAtMs()) {
      if (now % 1000 === 0) list.tryAllAgain(now);
      for (const { name } of list.due(names, now)) tried.add(name);
    }
    assert.equal(tried.size, names.length);
  });

  test('tryAllAgain() gives all missing speakers quick attempts again, but takes effect at most once a second', () => {
    const list = listOf('a', 'b');
    for (let now = 0; now < 1000; now = list.wakeAtMs()) list.due(['a', 'b'], now);
    list.tryAllAgain(1000);
    assert.equal(list.due(['a', 'b'], 1000).length, 2);
    assert.equal(list.due(['a', 'b'], 1050).length, 2);
    for (let now = 1100; now < 1200; now += 50) list.due(['a', 'b'], now);
    list.tryAllAgain(1500);
    assert.equal(list.due(['a', 'b'], 1500).length, 0);
  });

  test('returns the names that left the list, and finds a speaker by its address', () => {
    const list = listOf('a', 'b');
    assert.equal(list.speakerAt('b-v6'), 'b');
    assert.deepEqual(list.replace(new Map([['b', [endpoint('b-v4')]]]), true, 0), ['a']);
    assert.deepEqual(list.endpointsOf('a'), []);
    assert.equal(list.speakerAt('b-v6'), undefined);
  });
});
