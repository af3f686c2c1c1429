import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { octetsOf } from '../../../../src/bfd/transport/address-octets.ts';
import { isOwnAddress, linkTo } from '../../../../src/bfd/transport/echo-link.ts';

const of = (address: string, length = 24): NetworkInterfaceInfo => ({
  ...{ address, cidr: `${address}/${length}`, family: 'IPv4', internal: false },
  ...{ netmask: '255.255.255.0', mac: '02:00:00:00:00:01' },
});
const interfaces = {
  lo: [of('127.0.0.1', 8)],
  'eth0:1': [of('192.0.2.1')],
  eth0: [of('198.51.100.1')],
  'eth0.5:vlan': [of('203.0.113.1')],
};

for (const [what, key, device, address] of [
  ['by the subnet', { peerAddress: '198.51.100.9' }, 'eth0', '198.51.100.1'],
  ['by a subnet whose address has a label', { peerAddress: '192.0.2.9' }, 'eth0', '192.0.2.1'],
  ['by the interface', { peerAddress: '192.0.2.9', interface: 'eth0' }, 'eth0', '192.0.2.1'],
  ['by our address', { peerAddress: '10.0.0.9', localAddress: '203.0.113.1' }, 'eth0.5', '203.0.113.1'],
] as const)
  test(`the link to the peer is found ${what}`, () => {
    assert.deepEqual(linkTo(key, interfaces), { device, address: octetsOf(address) });
  });

test('a peer on another link or without a link of ours is refused', () => {
  for (const key of [{ peerAddress: '192.0.2.9', interface: 'eth0.5' }, { peerAddress: '10.0.0.9' }])
    assert.throws(() => linkTo(key, interfaces), /need an IPv4 address of ours on the link to/);
});

test('an address is ours only while the node has it', () => {
  assert.equal(isOwnAddress(octetsOf('127.0.0.1'), 'lo'), true);
  assert.equal(isOwnAddress(octetsOf('192.0.2.1'), 'lo'), false);
});

// `isOwnAddress()` asks for the address on the interface, because the address of an interface in a VRF exists only in the VRF. When the
// interface is gone, the function cannot ask, and returns true.
test('isOwnAddress() looks for an address on its interface, and counts the address as ours when the interface is gone', () => {
  assert.equal(isOwnAddress(octetsOf('192.0.2.1'), 'absent'), true);
});
