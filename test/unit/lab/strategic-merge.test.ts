import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mergePatch, strategicMerge } from '../../../lab/apiserver/strategic-merge.ts';

/** The table of RFC 7396, appendix A. */
const rfc7396: readonly (readonly [target: unknown, patch: unknown, result: unknown])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

describe('mergePatch()', () => {
  for (const [target, patch, result] of rfc7396)
    test(`${JSON.stringify(target)} with ${JSON.stringify(patch)}`, () => {
      assert.deepEqual(mergePatch(target, patch), result);
    });
});

describe('strategicMerge()', () => {
  const rows: readonly (readonly [what: string, target: unknown, patch: unknown, result: unknown])[] = [
    [
      'merges ports by their number and keeps the others',
      { spec: { ports: [{ port: 80, name: 'a' }, { port: 81 }] } },
      { spec: { ports: [{ port: 80, name: 'b' }] } },
      { spec: { ports: [{ port: 80, name: 'b' }, { port: 81 }] } },
    ],
    [
      'deletes one item of a list by its key',
      { spec: { ports: [{ port: 80 }, { port: 81 }] } },
      { spec: { ports: [{ $patch: 'delete', port: 80 }] } },
      { spec: { ports: [{ port: 81 }] } },
    ],
    [
      'orders a merged list by a directive',
      { spec: { ports: [{ port: 80 }, { port: 81 }] } },
      {
        spec: {
          '$setElementOrder/ports': [{ port: 82 }, { port: 81 }, { port: 80 }],
          ports: [{ port: 82 }],
        },
      },
      { spec: { ports: [{ port: 82 }, { port: 81 }, { port: 80 }] } },
    ],
    [
      'replaces a list on request',
      { spec: { ports: [{ port: 80 }] } },
      { spec: { ports: [{ port: 82 }, { $patch: 'replace' }] } },
      { spec: { ports: [{ port: 82 }] } },
    ],
    ['replaces a map on request', { a: { b: 1 } }, { a: { $patch: 'replace', c: 2 } }, { a: { c: 2 } }],
    ['deletes a map on request', { a: { b: 1 }, c: 1 }, { a: { $patch: 'delete' } }, { c: 1 }],
    ['deletes a field', { a: { b: 1, c: 2 } }, { a: { b: null } }, { a: { c: 2 } }],
    [
      'adds finalizers, and removes them by a directive',
      { finalizers: ['a', 'b'] },
      { '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] },
      { finalizers: ['b', 'c'] },
    ],
    [
      'replaces a list without a merge key',
      { ipFamilies: ['a'] },
      { ipFamilies: ['b'] },
      { ipFamilies: ['b'] },
    ],
    ['keeps only the keys of $retainKeys', { a: 1, b: 2 }, { $retainKeys: ['a', 'c'], c: 3 }, { a: 1, c: 3 }],
    [
      'replaces the whole list of addresses when the patch has two of one type',
      { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] } },
      {
        status: {
          addresses: [
            { type: 'InternalIP', address: '192.0.2.2' },
            { type: 'InternalIP', address: '2001:db8::2' },
          ],
        },
      },
      {
        status: {
          addresses: [
            { type: 'InternalIP', address: '192.0.2.2' },
            { type: 'InternalIP', address: '2001:db8::2' },
          ],
        },
      },
    ],
    [
      'merges the ports of a container by their own key',
      { spec: { containers: [{ name: 'a', ports: [{ containerPort: 80, name: 'x' }] }] } },
      { spec: { containers: [{ name: 'a', ports: [{ containerPort: 443 }, { containerPort: 80 }] }] } },
      {
        spec: {
          containers: [{ name: 'a', ports: [{ containerPort: 443 }, { containerPort: 80, name: 'x' }] }],
        },
      },
    ],
    [
      'adds the ports of a container that has none',
      { spec: { containers: [{ name: 'a' }] } },
      { spec: { containers: [{ name: 'a', ports: [{ containerPort: 80 }, { containerPort: 443 }] }] } },
      { spec: { containers: [{ name: 'a', ports: [{ containerPort: 80 }, { containerPort: 443 }] }] } },
    ],
    [
      'replaces the ports of an EndpointSlice',
      { ports: [{ port: 80, name: 'a' }, { port: 81 }] },
      { ports: [{ port: 80 }] },
      { ports: [{ port: 80 }] },
    ],
    [
      'replaces the taints of a Node',
      { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }, { key: 'b' }] } },
      { spec: { taints: [{ key: 'b' }] } },
      { spec: { taints: [{ key: 'b' }] } },
    ],
  ];
  for (const [what, target, patch, result] of rows)
    test(what, () => {
      const before = structuredClone(target);
      assert.deepEqual(strategicMerge(target, patch), result);
      assert.deepEqual(target, before, 'the target is left as it was');
    });
});
