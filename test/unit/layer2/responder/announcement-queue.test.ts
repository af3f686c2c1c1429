import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnnouncementQueue } from '../../../../src/layer2/responder/announcement-queue.ts';

const policy = { offsetsMs: [0, 50, 200], refreshMs: 0, perSecond: 1000, burst: 10 };

/** Everything sent until `endMs`, as [time, item]. */
function drain<T>(queue: AnnouncementQueue<T>, from: number, endMs: number): [number, T][] {
  const sent: [number, T][] = [];
  for (let now = from; now <= endMs; ) {
    for (let item = queue.next(now); item !== undefined; item = queue.next(now)) sent.push([now, item]);
    const delay = queue.delayMs(now);
    if (delay === undefined) break;
    now += Math.max(delay, 0.001);
  }
  return sent;
}

test('AnnouncementQueue announces an address at the offsets, then forgets it', () => {
  const queue = new AnnouncementQueue<string>(policy);
  queue.start('a', 1000);
  assert.deepEqual(drain(queue, 1000, 5000), [
    [1000, 'a'],
    [1050, 'a'],
    [1200, 'a'],
  ]);
  assert.equal(queue.delayMs(1200), undefined);
});

test('AnnouncementQueue repeats after the last offset when a refresh is configured', () => {
  const queue = new AnnouncementQueue<string>({ ...policy, offsetsMs: [0], refreshMs: 60_000 });
  queue.start('a', 0);
  assert.deepEqual(
    drain(queue, 0, 150_000).map(([at]) => Math.round(at)),
    [0, 60_000, 120_000],
  );
});

test('AnnouncementQueue announces every address once before it announces any address twice, at the configured pace', () => {
  const queue = new AnnouncementQueue<number>(policy);
  for (let i = 0; i < 500; i++) queue.start(i, 0);
  const sent = drain(queue, 0, 10_000);
  assert.deepEqual(
    sent.slice(0, 500).map(([, item]) => item),
    Array.from({ length: 500 }, (_, i) => i),
  );
  assert.equal(sent.length, 1500);
  for (const [at] of sent) {
    // The token bucket holds 10 tokens, and 100 ms add 100 tokens. One more allows for rounding.
    const within = sent.filter(([other]) => other > at - 100 && other <= at).length;
    assert.ok(within <= 10 + 101, `${within} in the 100 ms before ${at}`);
  }
});

test('AnnouncementQueue skips a cancelled item, and restarts the schedule of an item that is started again', () => {
  const queue = new AnnouncementQueue<string>(policy);
  queue.start('a', 0);
  queue.start('b', 0);
  assert.equal(queue.next(0), 'a');
  queue.cancel('a');
  assert.equal(queue.next(0), 'b');
  queue.start('b', 20);
  assert.deepEqual(drain(queue, 20, 1000), [
    [20, 'b'],
    [70, 'b'],
    [220, 'b'],
  ]);
});

test('AnnouncementQueue announces each address once per offset, in any order of starts and cancels', () => {
  const step = fc.record({ item: fc.nat(4), cancel: fc.boolean(), waitMs: fc.nat(300) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const queue = new AnnouncementQueue<number>(policy);
      const active = new Map<number, number>();
      let now = 0;
      for (const { item, cancel, waitMs } of steps) {
        if (cancel) {
          queue.cancel(item);
          active.delete(item);
        } else {
          queue.start(item, now);
          active.set(item, 0);
        }
        for (const [, sent] of drain(queue, now, now + waitMs)) {
          const count = active.get(sent);
          assert.notEqual(count, undefined, 'nothing is sent for a cancelled address');
          active.set(sent, (count ?? 0) + 1);
        }
        now += waitMs;
      }
      for (const [, sent] of drain(queue, now, now + 1000)) active.set(sent, (active.get(sent) ?? 0) + 1);
      for (const [item, count] of active) assert.equal(count, policy.offsetsMs.length, `address ${item}`);
    }),
  );
});
