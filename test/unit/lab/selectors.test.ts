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
    ['app in(web)', true],
    ['empty=', false],
    ['empty in ()', false],
    [' app = web , ! absent ', true],
  ];
  for (const [selector, matches] of rows)
    test(`${selector} ${matches ? 'matches' : 'does not match'}`, () => {
      assert.equal(labelMatcher(selector)(object), matches);
    });
  const malformed = [
    ...['app in web', 'app in', 'app in (web', 'app in (web)x', 'app in (a b)', 'a b', '(app)', 'in (web)'],
    ...['a=b=c', 'a==b=c', 'a=b c', 'a=-b', '=a', '===', '!', '!a=b', 'a!', '-a', 'a,', ',a', 'a,,b', 'a=)'],
  ];
  for (const selector of malformed)
    test(`refuses ${selector}`, () => {
      assert.throws(
        () => labelMatcher(selector),
        (error) => error instanceof ApiProblem && error.code === 400,
      );
    });
});

describe('fieldMatcher()', () => {
  const events = resources.find(({ kind }) => kind === 'Event');
  assert.ok(events);
  const event = {
    metadata: { name: 'web.1', namespace: 'default' },
    involvedObject: { kind: 'Service', name: 'web' },
    reason: 'IPAllocated',
    source: { component: 'bellman-controller', host: 'node-1' },
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
    ['source=bellman-controller', true],
    ['source!=bellman-controller', false],
  ];
  for (const [selector, matches] of rows)
    test(`${selector} ${matches ? 'matches' : 'does not match'}`, () => {
      assert.equal(fieldMatcher(events, selector)(event), matches);
    });
  test('an event without source has the source that its reporting component names', () => {
    const newer = { ...event, source: {}, reportingComponent: 'bellman.dev/speaker' };
    assert.ok(fieldMatcher(events, 'source=bellman.dev/speaker')(newer));
  });
  test('a Node without the field spec.unschedulable is schedulable', () => {
    const nodes = resources.find(({ kind }) => kind === 'Node');
    assert.ok(nodes);
    const metadata = { name: 'node-1' };
    const found = (selector: string) =>
      [{}, { unschedulable: false }, { unschedulable: true }].map((spec) =>
        fieldMatcher(nodes, selector)({ metadata, spec }),
      );
    assert.deepEqual(found('spec.unschedulable=false'), [true, true, false]);
    assert.deepEqual(found('spec.unschedulable=true'), [false, false, true]);
    assert.ok(fieldMatcher(nodes, 'spec.unschedulable=false')({ metadata }));
  });
  test('refuses an invalid selector, and a field by which the server cannot select', () => {
    assert.throws(() => fieldMatcher(events, 'metadata.name'), ApiProblem);
    assert.throws(() => fieldMatcher(events, 'reason=a=b'), ApiProblem);
    assert.throws(() => fieldMatcher(events, 'message=a'), ApiProblem);
  });
});
