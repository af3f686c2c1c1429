import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnusableResponse } from '../../../src/kubernetes/api-error.ts';
import { textLines } from '../../../src/kubernetes/text-lines.ts';

const limit = 1000;

async function* chunked(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = [];
  for await (const line of lines) list.push(line);
  return list;
}

test('textLines() returns the lines that were written, wherever the chunks end', async () => {
  const lines = fc.array(fc.jsonValue().map((value) => JSON.stringify(value).slice(0, limit / 2)));
  await fc.assert(
    fc.asyncProperty(lines, fc.array(fc.nat(9)), async (written, sizes) => {
      const bytes = Buffer.from(written.map((line) => `${line}\n`).join(''));
      assert.deepEqual(
        await all(textLines(chunked(bytes, sizes), 2 * limit)),
        // When slice() splits a surrogate pair, Buffer.from() writes replacement characters.
        Buffer.from(written.join('\n'))
          .toString()
          .split('\n')
          .filter((line) => line.trim() !== ''),
      );
    }),
  );
});

test('textLines() keeps U+2028 within a line and drops an unterminated last line', async () => {
  const bytes = Buffer.from('{"a":"x\u2028y"}\n\n{"b":');
  assert.deepEqual(await all(textLines(chunked(bytes, []), limit)), ['{"a":"x\u2028y"}']);
});

test('textLines() refuses a line beyond the limit before the line has ended', async () => {
  let chunks = 0;
  async function* endless(): AsyncGenerator<Buffer> {
    for (; ; chunks++) yield Buffer.alloc(100, 'x');
  }
  await assert.rejects(all(textLines(endless(), limit)), UnusableResponse);
  assert.ok(chunks <= 11, `read ${chunks} chunks`);
});

test('textLines() reads a line of 8 MiB that arrives in small chunks', async () => {
  const length = 8 * 2 ** 20;
  const chunk = Buffer.alloc(1024, 'x');
  async function* long(): AsyncGenerator<Buffer> {
    for (let sent = 0; sent < length; sent += chunk.length) yield chunk;
    yield Buffer.from('\n');
  }
  const [line] = await all(textLines(long(), 2 * length));
  assert.equal(line?.length, length);
});
