import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WaitList } from '../../../../src/speaker/plan/wait-list.ts';

const delayMs = 10;

test('WaitList finds the same first wait and the same finished waits as a plain list, whatever is added and deleted', () => {
  const step = fc.record({ passedMs: fc.nat(5), deleted: fc.option(fc.nat(20), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const list = new WaitList<{ readonly sinceMs: number }>();
      const all: { readonly sinceMs: number }[] = [];
      let nowMs = 0;
      for (const { passedMs, deleted } of steps) {
        nowMs += passedMs;
        if (deleted === undefined) {
          const wait = { sinceMs: nowMs };
          list.add(wait);
          all.push(wait);
        } else {
          const [wait = { sinceMs: nowMs }] = all.splice(deleted, 1);
          list.delete(wait);
          list.delete(wait);
        }
        assert.equal(list.firstMs, all[0]?.sinceMs);
        assert.deepEqual(
          list.over(nowMs, delayMs),
          all.filter(({ sinceMs }) => nowMs >= sinceMs + delayMs),
        );
      }
    }),
  );
});

for (const count of [10, 10_000])
  test(`WaitList looks at one wait to find the first of ${count}, and at only one unfinished wait to find all finished ones`, () => {
    let looks = 0;
    const waits = Array.from({ length: count }, (_, i) => ({
      get sinceMs() {
        looks++;
        return i;
      },
    }));
    const list = new WaitList<{ readonly sinceMs: number }>();
    for (const wait of waits) list.add(wait);
    for (const wait of waits.filter((_, i) => i % 3 === 1)) list.delete(wait);
    assert.equal(looks, 0);
    assert.equal(list.firstMs, 0);
    assert.equal(looks, 1);
    assert.equal(list.over(delayMs + 5, delayMs).length, 4);
    assert.equal(looks, 1 + 5);
  });
