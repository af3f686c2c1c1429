import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fuzz } from '../../fuzz/run.ts';
import type { FuzzTarget } from '../../fuzz/target.ts';

/** Uses this much CPU time, whatever else runs on the machine. */
function busy(cpuMs: number): string {
  const before = process.cpuUsage();
  const used = () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  while (used() < cpuMs);
  return 'done';
}

describe('fuzz()', () => {
  const target = (run: FuzzTarget['run'], budget = { cpuMs: 50, heapOctets: 16_000_000 }): FuzzTarget => ({
    name: 'target',
    weight: 1,
    budget,
    expectedVerdicts: [],
    run,
  });

  test('names the command that repeats an input when the target throws on it', () => {
    const throwing = target(() => assert.fail('broken'));
    assert.throws(
      () => fuzz(throwing, { seed: 7, count: 1, first: 3 }),
      /run it again with \.cache\/bin\/node test\/fuzz\/main\.ts --target target --seed 7 --first 3 --count 1$/,
    );
  });

  test('gives an input the same random numbers whether it runs alone or in a longer run', () => {
    const drawn: number[] = [];
    const drawing = target((random) => String(drawn.push(random.uint32())));
    fuzz(drawing, { seed: 7, count: 3 });
    fuzz(drawing, { seed: 7, count: 1, first: 2 });
    assert.equal(drawn[3], drawn[2]);
    assert.notEqual(drawn[0], drawn[1]);
  });

  test('fails on an input that exceeds its budget of time or memory at every attempt', () => {
    const slow = target((_, meter) => meter.measure(() => busy(100)));
    assert.throws(
      () => fuzz(slow, { seed: 7, count: 1 }),
      (error: Error) => /ms of CPU time/.test(String(error.cause)),
    );
    const kept: unknown[] = [];
    const large = target(
      (_, meter) =>
        meter.measure(() => String(kept.push(Array.from({ length: 1_000_000 }, (_, i) => ({ i }))))),
      { cpuMs: 10_000, heapOctets: 16_000_000 },
    );
    assert.throws(
      () => fuzz(large, { seed: 7, count: 1 }),
      (error: Error) => /allocates/.test(String(error.cause)),
    );
  });

  test('tolerates an input that exceeds its budget only once', () => {
    let runs = 0;
    const slowOnce = target((_, meter) => meter.measure(() => busy(runs++ === 0 ? 100 : 0)));
    assert.deepEqual(fuzz(slowOnce, { seed: 7, count: 1 }).verdicts, { done: 1 });
  });
});
