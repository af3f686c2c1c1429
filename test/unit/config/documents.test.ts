import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatConfig, parseConfig } from '../../../src/config/index.ts';
import { documentCases } from './cases.ts';

const cases = documentCases();

test('the tables hold 200 documents and more, a third of them valid or so', () => {
  assert.ok(cases.length >= 200, `${cases.length} documents`);
  assert.ok(cases.filter(({ errors }) => errors.length === 0).length >= 60);
});

for (const { name, text, errors } of cases) {
  test(`parseConfig(): ${name}`, () => {
    const parsed = parseConfig(text);
    assert.deepEqual(parsed.ok ? [] : parsed.error, errors);
    if (parsed.ok) assert.deepEqual(parseConfig(formatConfig(parsed.value)), parsed);
  });
}
