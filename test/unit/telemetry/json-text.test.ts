import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonPieces, jsonText } from '../../../src/telemetry/json-text.ts';
import { Turns } from '../../../src/turns.ts';
import { SlicingClock } from '../../support/slicing-clock.ts';

test('the pieces of jsonPieces() together are the text of JSON.stringify', () => {
  fc.assert(
    fc.property(fc.object({ withNullPrototype: false, maxDepth: 4 }), (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      assert.equal([...jsonPieces(plain)].join(''), JSON.stringify(plain, null, 2));
    }),
  );
});

test('jsonPieces() leaves out an undefined field and writes an undefined item as null, as JSON.stringify does', () => {
  const value = { a: undefined, list: [undefined, 1], inner: { b: undefined, c: [] }, when: new Date(0) };
  assert.equal([...jsonPieces(value)].join(''), JSON.stringify(value, null, 2));
});

test('jsonText() writes a long list in several turns', async () => {
  const clock = new SlicingClock();
  const value = { services: Array.from({ length: 5000 }, (_, i) => ({ service: `default/s${i}` })) };
  let text: string | undefined;
  void jsonText(value, new Turns(clock)).then((done) => {
    text = done;
  });
  let turns = 0;
  for (; text === undefined; turns++) {
    clock.run(1);
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }
  assert.equal(text, JSON.stringify(value, null, 2));
  assert.ok(turns > 1, String(turns));
});
