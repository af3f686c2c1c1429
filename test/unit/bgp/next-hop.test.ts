import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatIp } from '../../../src/address/index.ts';
import { type InterfaceAddresses, nextHopsOf } from '../../../src/bgp/next-hop.ts';
import { ip } from '../../support/addresses.ts';

const interfaces: readonly InterfaceAddresses[] = [
  { name: 'lo', addresses: [ip('127.0.0.1'), ip('::1')] },
  { name: 'eth0', addresses: [ip('192.0.2.1'), ip('fe80::1'), ip('2001:db8::1')] },
  { name: 'eth1', addresses: [ip('fe80::1'), ip('169.254.0.1'), ip('2001:db8:1::1')] },
  { name: 'eth2', addresses: [ip('fe80::2')] },
];

/**
 * Each row has a name, the local address, the zone, whether extended next hops are negotiated, and the expected next hops of IPv4 routes
 * and of IPv6 routes.
 */
const rows: readonly (readonly [string, string, string | undefined, boolean, string, string])[] = [
  [
    'on an IPv4 session, the next hop of IPv6 routes is an address of the same interface',
    '192.0.2.1',
    undefined,
    false,
    '192.0.2.1',
    '2001:db8::1',
  ],
  [
    'on an IPv6 session, the next hop of IPv4 routes is an address of the same interface',
    '2001:db8::1',
    undefined,
    true,
    '192.0.2.1',
    '2001:db8::1',
  ],
  [
    'over an interface without a global IPv4 address, IPv4 routes have the IPv6 next hop when the peer accepts it',
    '2001:db8:1::1',
    undefined,
    true,
    '2001:db8:1::1',
    '2001:db8:1::1',
  ],
  [
    'over an interface without a global IPv4 address, IPv4 routes are not sent when the peer does not accept an IPv6 next hop',
    '2001:db8:1::1',
    undefined,
    false,
    '',
    '2001:db8:1::1',
  ],
  [
    'on a link-local session, the global address comes first',
    'fe80::1',
    'eth0',
    false,
    '192.0.2.1',
    '2001:db8::1 fe80::1',
  ],
  [
    'on a link-local session, the zone chooses the interface',
    'fe80::1',
    'eth1',
    true,
    '2001:db8:1::1 fe80::1',
    '2001:db8:1::1 fe80::1',
  ],
  [
    'on a link-local session over an interface without a global address, the link-local address is the only next hop',
    'fe80::2',
    'eth2',
    true,
    'fe80::2',
    'fe80::2',
  ],
  [
    'on a session over loopback, the next hop is a global address of any interface',
    '127.0.0.1',
    undefined,
    false,
    '192.0.2.1',
    '2001:db8::1',
  ],
  [
    'on a session from an address that no interface has, that address is the only next hop',
    '203.0.113.9',
    undefined,
    false,
    '203.0.113.9',
    '',
  ],
];

describe('nextHopsOf()', () => {
  for (const [what, local, interfaceName, extendedNextHop, ipv4, ipv6] of rows)
    test(what, () => {
      const session = {
        local: ip(local),
        interfaces,
        extendedNextHop,
        ...(interfaceName === undefined ? {} : { interfaceName }),
      };
      const text = (family: 4 | 6) => (nextHopsOf(family, session) ?? []).map(formatIp).join(' ');
      assert.deepEqual([text(4), text(6)], [ipv4, ipv6]);
    });
});
