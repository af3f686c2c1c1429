import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awaitedKinds, InitialSync } from '../../../src/speaker/initial-sync.ts';
import { unreadyReasons } from '../../../src/speaker/readiness.ts';

const ready = { nodeName: 'node-1', missing: [], hasNode: true, troubles: [] };

for (const [name, over, reasons] of [
  ['in sync', {}, []],
  ['without a configuration', { missing: ['config'] }, ['no accepted configuration yet']],
  [
    'before Services are listed',
    { missing: ['services', 'endpoints'] },
    ['not yet read from the API server: services, endpoints'],
  ],
  ['on an unknown node', { hasNode: false }, ['node node-1 is not known to Kubernetes']],
  [
    'before nodes are listed',
    { hasNode: false, missing: ['nodes'] },
    ['not yet read from the API server: nodes'],
  ],
  ['without membership keys', { troubles: ['layer 2: no keys'] }, ['layer 2: no keys']],
] as const)
  test(`unreadyReasons() returns ${reasons.length === 0 ? 'no reason' : 'the reason'} for a speaker ${name}`, () => {
    assert.deepEqual(unreadyReasons({ ...ready, ...over }), reasons);
  });

test('InitialSync completes once, when the last kind arrives', () => {
  const sync = new InitialSync();
  assert.deepEqual(
    awaitedKinds.map((kind) => sync.arrived(kind)),
    [false, false, false, false, true],
  );
  assert.deepEqual(
    awaitedKinds.map((kind) => sync.arrived(kind)),
    [false, false, false, false, false],
  );
  assert.deepEqual(sync.missing, []);
});
