import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRefusal } from '../../../../src/speaker/plan/node-refusal.ts';
import { node } from '../fixtures.ts';

const label = 'node.kubernetes.io/exclude-from-external-load-balancers';
const outOfService = 'node.kubernetes.io/out-of-service';
const strict = { ignoresExcludeLabel: false };
const lenient = { ignoresExcludeLabel: true };

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
    [
      'a node that is out of service',
      node('a', { taints: [{ key: outOfService, value: '', effect: 'NoExecute' }] }),
      `Node spec.taints[key=${outOfService}]`,
      true,
    ],
    ['an excluded node', node('a', { labels: { [label]: '' } }), `Node metadata.labels[${label}]`, false],
  ];
for (const [name, object, field, isRefusedAnyway] of rows)
  test(`nodeRefusal() names the field that decides: ${name}`, () => {
    assert.equal(nodeRefusal('a', object, strict)?.field, field);
    assert.equal(nodeRefusal('a', object, lenient) !== undefined, isRefusedAnyway);
  });
