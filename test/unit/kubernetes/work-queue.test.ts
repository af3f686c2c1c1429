import assert from 'node:assert/strict';
import { test } from 'node:test';
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
