import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Assembler, split } from '../../../src/layer2/parts.ts';
import { layer2Entry } from '../../support/layer2-cluster.ts';

const entries = (count: number) => Array.from({ length: count }, (_, i) => layer2Entry(`10.0.0.${i}`, ['a']));

describe('parts of a message', () => {
  for (const [upserted, removed] of [
    [0, 0],
    [1, 0],
    [200, 1],
    [201, 0],
    [3, 1001],
  ] as const)
    it(`gives back ${upserted} entries and ${removed} removals as they were`, () => {
      const remove = Array.from({ length: removed }, (_, i) => ({ address: `10.1.0.${i}`, version: i }));
      const message = { kind: 'change', upsert: entries(upserted), remove } as const;
      const parts = split(message);
      assert.ok(parts.every(({ upsert, remove: gone }) => upsert.length <= 200 && gone.length <= 200));
      const assembler = new Assembler();
      const whole = parts.map((part) => assembler.take(JSON.parse(JSON.stringify(part))));
      assert.deepEqual(whole.pop(), message);
      assert.ok(whole.every((each) => each === undefined));
    });

  it('gathers one message after another', () => {
    const assembler = new Assembler();
    for (const count of [250, 2]) {
      const message = { kind: 'table', upsert: entries(count), remove: [] } as const;
      assert.deepEqual(
        split(message)
          .map((part) => assembler.take(part))
          .pop(),
        message,
      );
    }
  });
});
