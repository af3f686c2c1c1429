import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FreshEndpoints } from '../../../../src/speaker/plan/fresh-endpoints.ts';
import type { ServingNodes } from '../../../../src/speaker/plan/serving-nodes.ts';

const delayMs = 10;
const services = ['default/a', 'default/b', 'default/c'] as const;
const names = ['node-1', 'node-2', 'node-3'] as const;

function serving(nodes: readonly string[]): Readonly<Record<'IPv4' | 'IPv6', ServingNodes>> {
  const all = new Set(nodes);
  const of = (some: ReadonlySet<string>): ServingNodes => ({
    any: some.size > 0,
    nodes: some,
    lasting: some,
    fresh: new Map(),
  });
  return { IPv4: of(all), IPv6: of(new Set()) };
}

/** The start of each wait, by `service node`. */
type Model = Map<string, number>;

test('FreshEndpoints finds the same waits as a simple model: the earliest, those of each Service, and the Services with waits that are over', () => {
  const step = fc.record({
    passedMs: fc.nat(8),
    service: fc.constantFrom(...services),
    nodes: fc.subarray([...names]),
    takes: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const fresh = new FreshEndpoints();
      const model: Model = new Map();
      const now = new Map<string, readonly string[]>();
      let nowMs = 0;
      for (const { passedMs, service, nodes, takes } of steps) {
        nowMs += passedMs;
        const before = now.get(service) ?? [];
        now.set(service, nodes);
        fresh.change(service, serving(before), serving(nodes), { nowMs, epochMs: nowMs + 1e12 });
        for (const node of names) {
          if (!nodes.includes(node)) model.delete(`${service} ${node}`);
          else if (before.length > 0 && !before.includes(node)) model.set(`${service} ${node}`, nowMs);
        }
        if (takes) {
          const due = [...model].filter(([, sinceMs]) => nowMs >= sinceMs + delayMs).map(([key]) => key);
          for (const key of due) model.delete(key);
          const expected = new Set(due.map((key) => key.split(' ')[0]));
          assert.deepEqual(new Set(fresh.takeDue(nowMs, delayMs)), expected);
        }
        assert.equal(fresh.firstMs, model.size > 0 ? Math.min(...model.values()) : undefined);
        for (const one of services) {
          const waiting = [...model].filter(
            ([key, sinceMs]) => key.startsWith(one) && nowMs < sinceMs + delayMs,
          );
          assert.deepEqual(
            [...(fresh.of(one, nowMs, delayMs)?.IPv4 ?? [])].sort(),
            waiting.map(([key, sinceMs]) => [key.split(' ')[1], sinceMs + 1e12 + delayMs]).sort(),
          );
        }
      }
    }),
  );
});
