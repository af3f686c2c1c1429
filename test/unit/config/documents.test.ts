import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatConfig, parseConfig } from '../../../src/config/index.ts';
import { documentCases } from './cases.ts';

const cases = documentCases();

test('the files in documents/ hold at least 200 cases, and at least 60 of their documents are valid', () => {
  assert.ok(cases.length >= 200, `${cases.length} documents`);
  assert.ok(cases.filter(({ errors }) => errors.length === 0).length >= 60);
});

for (const { name, text, errors, warnings } of cases) {
  test(`parseConfig(): ${name}`, () => {
    const parsed = parseConfig(text);
    assert.deepEqual(parsed.ok ? [] : parsed.error, errors);
    if (!parsed.ok) return;
    assert.deepEqual(parsed.warnings, warnings);
    const again = parseConfig(formatConfig(parsed.value));
    assert.deepEqual(again.ok ? again.value : again.error, parsed.value);
  });
}
