import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { Reachability } from '../../../src/kubernetes/reachability.ts';
import { WorkQueue } from '../../../src/kubernetes/work-queue.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';

function setUp(concurrency = 2, fails: (key: string) => boolean = () => false) {
  const clock = new VirtualClock();
  const begun: string[] = [];
  const retries: number[] = [];
  const ends = new Map<string, () => void>();
  const queue = new WorkQueue({
    clock,
    concurrency,
    work: async (key) => {
      begun.push(key);
      if (fails(key)) throw new Error('no');
      await new Promise<void>((resolve) => ends.set(key, resolve));
    },
    onError: (_, __, retryInMs) => retries.push(retryInMs),
  });
  return { clock, queue, begun, retries, end: (key: string) => ends.get(key)?.() };
}

test('WorkQueue processes as many keys at once as its concurrency allows, and each key once', async () => {
  const { queue, begun, end } = setUp();
  for (const key of ['a', 'b', 'c', 'c', 'd']) queue.add(key);
  assert.deepEqual(begun, ['a', 'b']);
  assert.equal(queue.depth, 4);
  end('a');
  await settle();
  assert.deepEqual(begun, ['a', 'b', 'c']);
});

test('WorkQueue processes a key again if it is added while being processed, but never twice at once', async () => {
  const { queue, begun, end } = setUp();
  queue.add('a');
  queue.add('a');
  queue.add('a');
  assert.deepEqual(begun, ['a']);
  end('a');
  await settle();
  assert.deepEqual(begun, ['a', 'a']);
  end('a');
  await settle();
  assert.equal(queue.depth, 0);
});

test('WorkQueue retries with delays that double up to a limit, without delaying other keys', async () => {
  const { clock, queue, begun, retries } = setUp(2, (key) => key === 'bad');
  queue.add('bad');
  queue.add('good');
  await pass(clock, 120_000, 100);
  assert.deepEqual(retries.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(Math.max(...retries), 30_000);
  assert.equal(begun[1], 'good');
});

test('WorkQueue counts each key that waits for a retry in its depth, until the key is done', async () => {
  let isAway = true;
  const { clock, queue, end } = setUp(2, () => isAway);
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
  await settle();
  assert.equal(queue.depth, 4);
  await pass(clock, 20_000, 100);
  isAway = false;
  queue.add('a');
  assert.equal(queue.depth, 4);
  end('a');
  await settle();
  assert.equal(queue.depth, 3, 'key a is done, so it needs no retry');
});

test('WorkQueue starts nothing after stop() and settles when the work under way ends', async () => {
  const { clock, queue, begun, end } = setUp(1);
  queue.add('a');
  queue.add('b');
  queue.stop();
  queue.add('c');
  let settled = false;
  const done = queue.settled().then(() => {
    settled = true;
  });
  await pass(clock, 1000);
  assert.equal(settled, false);
  end('a');
  await done;
  assert.deepEqual(begun, ['a']);
});

test('WorkQueue retries all failed keys at once when an outage ends, but none after stop()', async () => {
  const clock = new VirtualClock();
  const reachability = new Reachability({ clock, logger: memoryLogger().logger });
  const worked: string[] = [];
  const queue = new WorkQueue({
    clock,
    concurrency: 4,
    reachability,
    work: async (key) => {
      if (!reachability.isAnswering) throw new Error('away');
      worked.push(key);
    },
    onError: () => {},
  });
  reachability.missed('away');
  for (const key of ['a', 'b', 'c']) queue.add(key);
  await pass(clock, 60_000, 500);
  reachability.answered();
  await settle();
  assert.deepEqual(worked, ['a', 'b', 'c']);
  reachability.missed('away');
  queue.add('d');
  await settle();
  queue.stop();
  reachability.answered();
  await pass(clock, 60_000, 500);
  assert.deepEqual(worked, ['a', 'b', 'c']);
});

function throttle(): never {
  throw new ApiError(429, 'TooManyRequests', 'too many requests', { retryAfterMs: 1000 });
}

test('WorkQueue waits longer each time the server asks it to wait, and then tries only as many keys as its concurrency', async () => {
  const clock = new VirtualClock();
  const begunAtMs: number[] = [];
  let isThrottled = true;
  const queue = new WorkQueue({
    clock,
    concurrency: 4,
    work: async () => {
      begunAtMs.push(clock.now());
      if (isThrottled) throttle();
    },
    onError: () => {},
  });
  for (let key = 0; key < 1000; key++) queue.add(String(key));
  await settle();
  await pass(clock, 14_900, 100);
  assert.deepEqual(
    begunAtMs,
    [0, 1000, 3000, 7000].flatMap((ms) => Array.from({ length: 4 }, () => ms)),
  );
  await pass(clock, 100_000, 100);
  const pauses = [...new Set(begunAtMs)].map((ms, i, all) => ms - (all[i - 1] ?? ms));
  assert.equal(Math.max(...pauses), 16_000);
  isThrottled = false;
  await pass(clock, 17_000, 100);
  assert.equal(queue.depth, 0, 'all work is done soon after the server has capacity');
});

test('WorkQueue waits as long as the server asks, even when an outage ends and when keys are added', async () => {
  const clock = new VirtualClock();
  const reachability = new Reachability({ clock, logger: memoryLogger().logger });
  let begun = 0;
  const queue = new WorkQueue({
    clock,
    concurrency: 1,
    reachability,
    work: async () => {
      if (begun++ === 0) throttle();
    },
    onError: () => {},
  });
  queue.add('a');
  await settle();
  reachability.missed('away');
  reachability.answered();
  queue.add('b');
  await pass(clock, 900);
  assert.equal(begun, 1);
  await pass(clock, 200);
  assert.equal(begun, 3);
});

test('WorkQueue waits for the longest pause that the answers to requests under way ask for', async () => {
  const clock = new VirtualClock();
  const pauses = [1000, 8000];
  let begun = 0;
  const queue = new WorkQueue({
    clock,
    concurrency: 2,
    work: async () => {
      const retryAfterMs = pauses[begun++];
      if (retryAfterMs !== undefined)
        throw new ApiError(429, 'TooManyRequests', 'too many requests', { retryAfterMs });
    },
    onError: () => {},
  });
  queue.add('a');
  queue.add('b');
  await pass(clock, 7900, 100);
  assert.equal(begun, 2);
  await pass(clock, 200, 100);
  assert.equal(begun, 4);
});

test('WorkQueue starts nothing after stop() when the pause that the server asked for ends', async () => {
  const clock = new VirtualClock();
  let begun = 0;
  const queue = new WorkQueue({
    clock,
    concurrency: 1,
    work: async () => {
      begun++;
      throttle();
    },
    onError: () => {},
  });
  queue.add('a');
  await settle();
  queue.stop();
  await pass(clock, 5000, 100);
  assert.equal(begun, 1);
});
