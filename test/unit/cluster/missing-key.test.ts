import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeMissingKey } from '../../../src/cluster/missing-key.ts';

const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`.padEnd(253, '-'), '']));

test('describeMissingKey() names the keys that are there', () => {
  assert.equal(describeMissingKey('config', {}), 'has no key config');
  assert.equal(describeMissingKey('config', { b: '', a: '' }), 'has no key config, only a, b');
});

test('describeMissingKey() returns a bounded text for thousands of keys', () => {
  const text = describeMissingKey('config', many);
  assert.ok(text.length < 1100, `${text.length} characters`);
  assert.match(text, / and 4996 more$/);
});
