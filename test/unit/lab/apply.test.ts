import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mergePatch } from '../../../lab/apiserver/strategic-merge.ts';
import { patchOf } from '../../../lab/apply.ts';

describe('patchOf()', () => {
  const live = { spec: { type: 'LoadBalancer', clusterIP: '10.96.0.1', ports: [{ port: 80 }] }, status: {} };
  const before = { spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } };

  for (const [what, after, expected] of [
    ['changes nothing when nothing changes', before, live],
    [
      'sets a new field, and keeps the fields that others have set',
      { spec: { ...before.spec, externalTrafficPolicy: 'Local' } },
      { ...live, spec: { ...live.spec, externalTrafficPolicy: 'Local' } },
    ],
    [
      'removes a field that is left out, and keeps the fields that others have set',
      { spec: { type: 'LoadBalancer' } },
      { ...live, spec: { type: 'LoadBalancer', clusterIP: '10.96.0.1' } },
    ],
    [
      'replaces a list',
      { spec: { type: 'LoadBalancer', ports: [{ port: 81 }] } },
      { ...live, spec: { ...live.spec, ports: [{ port: 81 }] } },
    ],
  ] as const)
    test(what, () => assert.deepEqual(mergePatch(live, patchOf(before, after)), expected));
});
