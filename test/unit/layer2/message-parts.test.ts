import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MessageAssembler, splitMessage } from '../../../src/layer2/message-parts.ts';

const entries = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    address: `10.0.0.${i}`,
    sources: [1],
    group: `10.0.0.${i}`,
    observedVersion: i,
  }));
const sets = [{ set: 1, observedVersion: 3, remove: [], put: { candidates: ['a'], interfaces: [] } }];

describe('MessageAssembler', () => {
  for (const [upserted, removed] of [
    [0, 0],
    [1, 0],
    [200, 1],
    [201, 0],
    [3, 1001],
  ] as const)
    test(`restores a message of ${upserted} entries and ${removed} removals from its parts`, () => {
      const remove = Array.from({ length: removed }, (_, i) => ({
        address: `10.1.0.${i}`,
        observedVersion: i,
      }));
      const message = { kind: 'change', sets, upsert: entries(upserted), remove } as const;
      const parts = [...splitMessage(message)];
      assert.ok(parts.every((part) => part.upsert.length <= 200 && part.remove.length <= 200));
      const assembler = new MessageAssembler();
      const results = parts.map((part) => assembler.take(JSON.parse(JSON.stringify(part))));
      assert.deepEqual(results.pop(), message);
      assert.ok(results.every((result) => result === undefined));
    });

  test('restores one message after another', () => {
    const assembler = new MessageAssembler();
    for (const count of [250, 2]) {
      const message = { kind: 'table', sets, upsert: entries(count), remove: [] } as const;
      assert.deepEqual([...splitMessage(message)].map((part) => assembler.take(part)).pop(), message);
    }
  });

  for (const kind of ['change', 'table'] as const)
    for (const length of [1, 250])
      test(`drops the parts of an unfinished ${kind} when a table of ${length} entries begins`, () => {
        const assembler = new MessageAssembler();
        const [first, second] = splitMessage({ kind, sets, upsert: entries(500), remove: [] });
        assert.ok(first?.hasMore && second?.hasMore);
        for (const part of [first, second]) assembler.take(part);
        const table = { kind: 'table', sets, upsert: entries(length), remove: [] } as const;
        assert.deepEqual([...splitMessage(table)].map((part) => assembler.take(part)).pop(), table);
      });
});
