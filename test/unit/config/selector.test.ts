import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anySelectorMatches, type LabelRequirement, type LabelSelector } from '../../../src/config/index.ts';

const selector = (
  matchLabels: Record<string, string>,
  ...matchExpressions: LabelRequirement[]
): LabelSelector => ({
  matchLabels,
  matchExpressions,
});
const requirement = (
  operator: LabelRequirement['operator'],
  key: string,
  ...values: string[]
): LabelRequirement => ({
  key,
  operator,
  values,
});
const labels = { rack: 'a', speed: 'fast', empty: '' };

const rows: readonly (readonly [string, readonly LabelSelector[], boolean])[] = [
  ['no selector', [], true],
  ['an empty selector', [selector({})], true],
  ['a label with its value', [selector({ rack: 'a' })], true],
  ['a label with another value', [selector({ rack: 'b' })], false],
  ['a label that is missing', [selector({ zone: 'a' })], false],
  ['an empty value of a label that is missing', [selector({ zone: '' })], false],
  ['an empty value', [selector({ empty: '' })], true],
  ['two labels, one of them with another value', [selector({ rack: 'a', speed: 'slow' })], false],
  [
    'two selectors when only the second matches',
    [selector({ rack: 'b' }), selector({ speed: 'fast' })],
    true,
  ],
  ['In with the value of the label', [selector({}, requirement('In', 'rack', 'b', 'a'))], true],
  ['In without the value of the label', [selector({}, requirement('In', 'rack', 'b'))], false],
  ['In of a label that is missing', [selector({}, requirement('In', 'zone', 'a'))], false],
  ['NotIn without the value of the label', [selector({}, requirement('NotIn', 'rack', 'b'))], true],
  ['NotIn with the value of the label', [selector({}, requirement('NotIn', 'rack', 'a'))], false],
  ['NotIn of a label that is missing', [selector({}, requirement('NotIn', 'zone', 'a'))], true],
  ['Exists', [selector({}, requirement('Exists', 'empty'))], true],
  ['Exists of a label that is missing', [selector({}, requirement('Exists', 'zone'))], false],
  ['DoesNotExist', [selector({}, requirement('DoesNotExist', 'rack'))], false],
  ['DoesNotExist of a label that is missing', [selector({}, requirement('DoesNotExist', 'zone'))], true],
  [
    'Exists of a missing label whose key is `constructor`',
    [selector({}, requirement('Exists', 'constructor'))],
    false,
  ],
  ['DoesNotExist of such a label', [selector({}, requirement('DoesNotExist', 'constructor'))], true],
  [
    'labels that match and an expression that does not',
    [selector({ rack: 'a' }, requirement('Exists', 'zone'))],
    false,
  ],
];
for (const [name, selectors, expected] of rows) {
  test(`anySelectorMatches() returns ${expected} for ${name}`, () => {
    assert.equal(anySelectorMatches(selectors, labels), expected);
  });
}
