import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DrainSchedule } from '../../../../src/speaker/leaving/drain-schedule.ts';

const delayMs = 10;
const services = ['default/a', 'default/b'] as const;
const addresses = ['198.51.100.1', '198.51.100.2', '198.51.100.3'] as const;

test('DrainSchedule agrees with a model that looks at all drains each time', () => {
  const step = fc.record({
    passedMs: fc.nat(8),
    service: fc.constantFrom(...services),
    address: fc.constantFrom(...addresses),
    isAnnounced: fc.boolean(),
    kept: fc.option(fc.subarray([...addresses]), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const schedule = new DrainSchedule();
      const model = new Map<string, number>();
      let nowMs = 0;
      for (const { passedMs, service, address, isAnnounced, kept } of steps) {
        nowMs += passedMs;
        const key = `${service} ${address}`;
        const begun = model.get(key);
        if (begun === undefined && isAnnounced) model.set(key, nowMs);
        const isOver = begun === undefined ? !isAnnounced : nowMs >= begun + delayMs;
        assert.equal(schedule.isOver(service, address, { isAnnounced, nowMs, delayMs }), isOver);
        if (kept) {
          schedule.keep(service, kept);
          for (const other of addresses) if (!kept.includes(other)) model.delete(`${service} ${other}`);
        }
        assert.equal(schedule.firstMs, model.size > 0 ? Math.min(...model.values()) : undefined);
        const due = [...model].filter(([, sinceMs]) => nowMs >= sinceMs + delayMs);
        assert.deepEqual(
          new Set(schedule.due(nowMs, delayMs)),
          new Set(due.map(([each]) => each.split(' ')[0])),
        );
      }
    }),
  );
});

test('DrainSchedule begins no drain when the delay is zero', () => {
  const schedule = new DrainSchedule();
  const options = { isAnnounced: true, nowMs: 1, delayMs: 0 };
  assert.equal(schedule.isOver('default/a', addresses[0], options), true);
  assert.equal(schedule.firstMs, undefined);
});
