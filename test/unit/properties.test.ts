import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The options of a generator that allow more than nine elements. */
const longLimit = /\{[^{}]*\bmaxLength: [\d_]{2,}[^{}]*\}/g;

/** Without a size, fast-check makes at most ten elements, whatever `maxLength` says. */
function withoutSize(text: string): readonly string[] {
  return [...text.matchAll(longLimit)]
    .map(([options]) => options)
    .filter((options) => !options.includes('size:'));
}

test('each generator that allows long lists also makes them', () => {
  assert.deepEqual(withoutSize('fc.array(step, { maxLength: 60 })'), ['{ maxLength: 60 }']);
  const files = globSync('test/**/*.ts', { cwd: root }).filter(
    (file) => !file.endsWith('/properties.test.ts'),
  );
  const found = files.flatMap((file) =>
    withoutSize(readFileSync(`${root}${file}`, 'utf8')).map((options) => `${file}: ${options}`),
  );
  assert.deepEqual(found, []);
});
