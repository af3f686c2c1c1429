import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { peerSettingsOf } from '../../../../src/speaker/peers/peer-settings.ts';
import { ip } from '../../../support/addresses.ts';
import { peer } from '../fixtures.ts';

describe('peerSettingsOf()', () => {
  test('maps the defaults, and leaves out settings that BGP does not use', () => {
    assert.deepEqual(peerSettingsOf(peer('router')), {
      name: 'router',
      localAsn: 64512,
      peerAsn: 64500,
      address: ip('10.0.0.1'),
      port: 179,
      holdTimeSeconds: 90,
      keepaliveTimeSeconds: 30,
      connectRetrySeconds: 5,
      ttlSecurity: false,
      passive: false,
    });
  });

  test('uses local-asn in place of my-asn', () => {
    assert.equal(peerSettingsOf(peer('router', { localAsn: 65000 })).localAsn, 65000);
  });

  test('keeps the interface, the source address, graceful restart and the families', () => {
    const optional = {
      interface: 'eth0',
      sourceAddress: ip('10.0.0.2'),
      gracefulRestart: { restartTimeSeconds: 60 },
      families: [4 as const],
    };
    const settings = peerSettingsOf(peer('router', optional));
    assert.deepEqual({ ...settings, ...optional }, settings);
  });
});
