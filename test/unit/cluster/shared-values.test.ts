import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedValues } from '../../../src/cluster/shared-values.ts';

test('SharedValues keeps its values when a value is too large to keep', () => {
  const values = new SharedValues<object>();
  const kept = values.shared('a', () => ({}));
  const large = 'x'.repeat(2 ** 22);
  assert.notEqual(
    values.shared(large, () => ({})),
    values.shared(large, () => ({})),
  );
  assert.equal(
    values.shared('a', () => ({})),
    kept,
  );
});

test('SharedValues forgets its values when their keys together exceed the limit', () => {
  const values = new SharedValues<object>();
  const first = values.shared('a', () => ({}));
  for (const letter of 'bcde') values.shared(letter.repeat(2 ** 20), () => ({}));
  assert.notEqual(
    values.shared('a', () => ({})),
    first,
  );
});
