import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WaitMeter } from '../../chaos/starvation.ts';

describe('the longest wait for a processor', () => {
  const cases: readonly [name: string, waitedMs: readonly number[], longestMs: number][] = [
    ['a process that sleeps', [0, 0], 0],
    ['waits that follow each other add up', [40, 50, 50], 140],
    ['a process that runs in between starts again from zero', [50, 20, 45], 50],
    ['the longest of two', [50, 50, 0, 50], 100],
  ];
  for (const [name, samples, longestMs] of cases)
    test(name, () => {
      const meter = new WaitMeter();
      for (const waitedMs of samples) meter.sample(50, waitedMs);
      assert.equal(meter.longestMs, longestMs);
    });

  test('a sample that comes late', () => {
    const meter = new WaitMeter();
    meter.sample(50, 30);
    meter.sample(400, 390);
    meter.sample(400, 150);
    assert.equal(meter.longestMs, 420);
  });
});
