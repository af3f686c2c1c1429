import assert from 'node:assert/strict';
import { test } from 'node:test';
import { floors, machineSettings } from '../../../src/bfd/floor.ts';
import { base } from './engine-nodes.ts';

for (const [what, changes, interval] of [
  ['over one hop and IPv4', {}, 50_000],
  ['over IPv6', { peerAddress: '2001:db8::2' }, undefined],
  ['over several hops', { mode: { kind: 'multihop', minimumTtl: 254 } }, undefined],
] as const)
  test(`the machine ${interval === undefined ? 'does not wake' : 'wakes'} for Echo packets of a session ${what}`, () => {
    const { settings } = machineSettings(
      { ...base, echo: { intervalMs: 50 }, ...changes },
      floors.realtime,
      true,
    );
    assert.equal(settings.echoInterval, interval);
  });
