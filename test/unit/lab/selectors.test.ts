import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApiProblem } from '../../../lab/apiserver/problem.ts';
import { resources } from '../../../lab/apiserver/resources.ts';
import { fieldMatcher, labelMatcher } from '../../../lab/apiserver/selectors.ts';

describe('labelMatcher()', () => {
  const object = { metadata: { name: 'x', labels: { app: 'web', tier: 'front', 'a.b/c': 'd' } } };
  const rows: readonly (readonly [selector: string | null, matches: boolean])[] = [
    [null, true],
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app=printer', false],
    ['app!=printer', true],
    ['app!=web', false],
    ['absent!=web', true],
    ['app', true],
    ['!app', false],
    ['!absent', true],
    ['absent', false],
    ['app in (web, printer)', true],
    ['app in (printer)', false],
    ['app notin (printer)', true],
    ['absent notin (printer)', true],
    ['absent in (printer)', false],
    ['app=web,tier=front', true],
    ['app=web,tier in (back,front),!absent', true],
    ['app=web,tier=back', false],
    ['a.b/c=d', true],
  ];
  for (const [selector, matches] of rows)
    test(`${selector} ${matches ? 'matches' : 'does not match'}`, () => {
      assert.equal(labelMatcher(selector)(object), matches);
    });
});

describe('fieldMatcher()', () => {
  const events = resources.find(({ kind }) => kind === 'Event');
  assert.ok(events);
  const event = {
    metadata: { name: 'web.1', namespace: 'default' },
    involvedObject: { kind: 'Service', name: 'web' },
    reason: 'IPAllocated',
  };
  const rows: readonly (readonly [selector: string | null, matches: boolean])[] = [
    [null, true],
    ['metadata.name=web.1', true],
    ['metadata.name=web.1,metadata.namespace=default', true],
    ['metadata.namespace!=default', false],
    ['involvedObject.kind=Service,involvedObject.name=web,involvedObject.uid=', true],
    ['involvedObject.uid=1', false],
    ['regarding.name=web', true],
    ['reason==IPAllocated', true],
    ['reason!=IPAllocated', false],
  ];
  for (const [selector, matches] of rows)
    test(`${selector} ${matches ? 'matches' : 'does not match'}`, () => {
      assert.equal(fieldMatcher(events, selector)(event), matches);
    });
  test('refuses an invalid selector, and a field by which the server cannot select', () => {
    assert.throws(() => fieldMatcher(events, 'metadata.name'), ApiProblem);
    assert.throws(() => fieldMatcher(events, 'message=a'), ApiProblem);
  });
});
