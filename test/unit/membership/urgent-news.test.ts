import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MemberState } from '../../../src/membership/packet.ts';
import { UrgentNews } from '../../../src/membership/urgent-news.ts';
import { seededRandom } from '../../support/membership-net.ts';
import { textPayload } from '../../support/text-payloads.ts';

const receivers = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    name: `node-${i}`,
    endpoint: { host: `192.0.2.${i}`, port: 1 },
    state: 'alive' as MemberState,
  }));

describe('UrgentNews', () => {
  test('skips suspects, except when it sends to all members', () => {
    const all = receivers(40).map((each, i) => (i < 35 ? { ...each, state: 'suspect' as const } : each));
    const urgent = new UrgentNews(seededRandom(1));
    urgent.add(textPayload('a'), false, 0);
    const told = urgent.wake(all, 2).map(({ to }) => to);
    assert.equal(told.length, 4);
    for (const name of told) assert.match(name, /^node-3[5-9]$/);
    const few = receivers(10).map((each) => ({ ...each, state: 'suspect' as const }));
    urgent.add(textPayload('b'), true, 2);
    assert.equal(urgent.wake(few, 4).length, 10);
  });

  test('collects for two milliseconds, then sends its own news to all members of a small cluster', () => {
    const urgent = new UrgentNews(seededRandom(1));
    urgent.add(textPayload('a'), true, 0);
    urgent.add(textPayload('b'), true, 1);
    assert.equal(urgent.wakeAtMs(), 2);
    assert.deepEqual(urgent.wake(receivers(3), 1), []);
    const drafts = urgent.wake(receivers(3), 2);
    assert.deepEqual(drafts.map(({ to }) => to).sort(), ['node-0', 'node-1', 'node-2']);
    assert.ok(drafts.every(({ updates }) => updates?.length === 2));
    assert.equal(urgent.wakeAtMs(), Number.POSITIVE_INFINITY);
  });

  test('passes on news from others to two members in a small cluster and to four members in a large cluster', () => {
    for (const [size, told] of [
      [10, 2],
      [100, 4],
    ] as const) {
      const urgent = new UrgentNews(seededRandom(1));
      urgent.add(textPayload('a'), false, 0);
      assert.equal(new Set(urgent.wake(receivers(size), 2).map(({ to }) => to)).size, told);
    }
  });

  test('sends its own news to all members of a cluster with at most 16 others, and to eight members of a larger one', () => {
    for (const [size, toldOfOwn, toldOfOthers] of [
      [15, 15, 2],
      [16, 16, 2],
      [17, 8, 4],
      [100, 8, 4],
    ] as const)
      for (const [isOwn, told] of [
        [true, toldOfOwn],
        [false, toldOfOthers],
      ] as const) {
        const urgent = new UrgentNews(seededRandom(1));
        urgent.add(textPayload('a'), isOwn, 0);
        const receiverNames = urgent.wake(receivers(size), 2).map(({ to }) => to);
        assert.equal(receiverNames.length, told, `${size} members, ${isOwn ? 'own' : 'other'} news`);
        assert.equal(new Set(receiverNames).size, told);
      }
  });

  test('divides news that is too much for one batch among several batches, and loses nothing', () => {
    const urgent = new UrgentNews(seededRandom(1));
    const keys = Array.from({ length: 10_000 }, (_, i) => `record number ${i}`);
    for (const key of keys) urgent.add(textPayload(key), true, 0);
    const sent = new Set<string>();
    for (let goes = 0; urgent.wakeAtMs() !== Number.POSITIVE_INFINITY; goes++) {
      assert.ok(goes < 10);
      const drafts = urgent.wake(receivers(1), urgent.wakeAtMs());
      assert.ok(drafts.length <= 64);
      for (const update of drafts.flatMap(({ updates = [] }) => updates))
        if (update.kind === 'payload') sent.add(update.key);
    }
    assert.equal(sent.size, keys.length);
  });
});
