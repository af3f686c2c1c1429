import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stopModeOf } from '../../../../src/speaker/leaving/stop-mode.ts';

const shutdown = { kind: 'shutdown', reason: 'node drain: node-1' };
const restart = { kind: 'restart' };
const leaving = { cause: 'cordon', reason: 'is cordoned', field: 'Node spec.unschedulable' } as const;

for (const [name, state, node, expected] of [
  ['stays', { leaving: undefined, isHeldByFloor: false }, { unschedulable: false }, restart],
  ['is not known', { leaving: undefined, isHeldByFloor: false }, undefined, restart],
  [
    'is cordoned and does not leave',
    { leaving: undefined, isHeldByFloor: false },
    { unschedulable: true },
    shutdown,
  ],
  ['leaves', { leaving, isHeldByFloor: false }, { unschedulable: false }, shutdown],
  [
    'leaves but keeps an address because of the floor',
    { leaving, isHeldByFloor: true },
    { unschedulable: true },
    restart,
  ],
] as const)
  test(`stopModeOf() returns ${expected.kind} for a node that ${name}`, () => {
    assert.deepEqual(stopModeOf('node-1', state, node), expected);
  });
