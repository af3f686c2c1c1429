import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { directLink } from '../../../../src/bgp/session/direct-link.ts';
import { ip, prefix } from '../../../support/addresses.ts';

describe('directLink()', () => {
  const interfaces = [
    { name: 'lo', addresses: [ip('127.0.0.1')], subnets: [prefix('127.0.0.0/8')] },
    {
      name: 'eth0',
      addresses: [ip('192.0.2.1'), ip('2001:db8::1')],
      subnets: [prefix('192.0.2.0/24'), prefix('2001:db8::/64')],
    },
    { name: 'eth1', addresses: [ip('203.0.113.1')] },
  ];

  test('is the interface whose subnet holds both ends', () => {
    assert.equal(directLink(ip('192.0.2.1'), ip('192.0.2.2'), undefined, interfaces), 'eth0');
    assert.equal(directLink(ip('2001:db8::1'), ip('2001:db8::2'), undefined, interfaces), 'eth0');
  });

  test('is the zone of a link-local peer, once the interface is listed', () => {
    assert.equal(directLink(ip('fe80::1'), ip('fe80::2'), 'eth1', interfaces), 'eth1');
    assert.equal(directLink(ip('fe80::1'), ip('fe80::2'), 'eth2', interfaces), undefined);
  });

  test('is absent when the peer is behind a router, or the subnet is not known', () => {
    assert.equal(directLink(ip('192.0.2.1'), ip('198.51.100.9'), undefined, interfaces), undefined);
    assert.equal(directLink(ip('203.0.113.1'), ip('203.0.113.2'), undefined, interfaces), undefined);
  });
});
