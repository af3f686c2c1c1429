import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonLines } from '../../../src/kubernetes/json-lines.ts';

async function* chunked(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

async function all(values: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const value of values) list.push(value);
  return list;
}

test('jsonLines() reads what was written, however it was cut into chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue(), { maxLength: 10 }),
      fc.array(fc.nat(9)),
      async (values, sizes) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
        const read = await all(jsonLines(chunked(bytes, sizes)));
        assert.deepEqual(
          read,
          values.map((value) => JSON.parse(JSON.stringify(value))),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('jsonLines() takes U+2028 for a character and drops a line that was cut off', async () => {
  const bytes = Buffer.from('{"a":"x\u2028y"}\n\n{"b":');
  assert.deepEqual(await all(jsonLines(chunked(bytes, []))), [{ a: 'x\u2028y' }]);
});
