import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRefusal } from '../../../src/speaker/node-refusal.ts';
import { node } from './fixtures.ts';

const label = 'node.kubernetes.io/exclude-from-external-load-balancers';
const strict = { leavesWhenCordoned: true, ignoresExcludeLabel: false };
const lenient = { leavesWhenCordoned: false, ignoresExcludeLabel: true };

/** Name of the case, the node, the field that decides by the strict rules, and whether the lenient rules refuse the node too. */
const rows: readonly (readonly [string, ReturnType<typeof node> | undefined, string | undefined, boolean])[] =
  [
    ['a node that may announce', node('a'), undefined, false],
    ['an unknown node', undefined, 'Node metadata.name', true],
    ['a node that is not Ready', node('a', { ready: false }), 'Node status.conditions[type=Ready]', true],
    [
      'a node without network',
      node('a', { networkUnavailable: true }),
      'Node status.conditions[type=NetworkUnavailable]',
      true,
    ],
    ['a cordoned node', node('a', { unschedulable: true }), 'Node spec.unschedulable', false],
    ['an excluded node', node('a', { labels: { [label]: '' } }), `Node metadata.labels[${label}]`, false],
  ];
for (const [name, object, field, isRefusedAnyway] of rows)
  test(`nodeRefusal() names the field that decides: ${name}`, () => {
    assert.equal(nodeRefusal('a', object, strict)?.field, field);
    assert.equal(nodeRefusal('a', object, lenient) !== undefined, isRefusedAnyway);
  });
