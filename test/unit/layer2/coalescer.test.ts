import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Coalescer } from '../../../src/layer2/coalescer.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

describe('Coalescer', () => {
  test('runs immediately on the first request, then once for all requests of the next 50 ms', () => {
    const clock = new VirtualClock();
    const ranAtMs: number[] = [];
    const coalescer = new Coalescer(clock, () => ranAtMs.push(clock.now()));
    coalescer.request();
    assert.deepEqual(ranAtMs, [0]);
    for (let i = 0; i < 10; i++) {
      clock.advance(4);
      coalescer.request();
    }
    clock.advance(1000);
    assert.deepEqual(ranAtMs, [0, 50]);
    coalescer.request();
    assert.deepEqual(ranAtMs, [0, 50, 1040]);
  });

  test('runs nothing after cancel()', () => {
    const clock = new VirtualClock();
    let runs = 0;
    const coalescer = new Coalescer(clock, () => runs++);
    coalescer.request();
    coalescer.request();
    coalescer.cancel();
    clock.advance(1000);
    assert.equal(runs, 1);
  });
});
