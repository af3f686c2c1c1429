import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerSettings, ResolvedPeer } from '../../../src/bgp/peer.ts';
import { type SettingsChange, settingsChange } from '../../../src/bgp/session/settings-change.ts';
import { peerSettingsOf } from '../../../src/speaker/peers/peer-settings.ts';
import { ip } from '../../support/addresses.ts';
import { peer } from '../speaker/fixtures.ts';

const before: ResolvedPeer = { id: 'a', settings: peerSettingsOf(peer('router')), routerId: 1 };

const edits: readonly (readonly [string, Partial<PeerSettings>, SettingsChange])[] = [
  ['nothing', {}, 'none'],
  ['the name', { name: 'other' }, 'none'],
  ['the keepalive time', { keepaliveTimeSeconds: 7 }, 'apply'],
  ['passive', { passive: true }, 'apply'],
  ['TTL security', { ttlSecurity: true }, 'apply'],
  ['BFD strict mode', { bfd: { strict: 'negotiate', holdDownSeconds: 0 } }, 'apply'],
  ['the hold time', { holdTimeSeconds: 60 }, 'restart'],
  ['the address', { address: ip('10.0.0.2') }, 'restart'],
  ['the families', { families: [4] }, 'restart'],
  ['graceful restart', { gracefulRestart: { restartTimeSeconds: 30 } }, 'restart'],
];
for (const [what, edit, change] of edits)
  test(`settingsChange() of ${what}: ${change}`, () => {
    const after = { ...before, settings: { ...before.settings, ...edit } };
    assert.equal(settingsChange(before, after), change);
    assert.equal(settingsChange(after, before), change);
  });
