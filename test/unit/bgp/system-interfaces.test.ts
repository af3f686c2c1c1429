import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOnLink, systemInterfaces } from '../../../src/bgp/system-interfaces.ts';
import { ip } from '../../support/addresses.ts';

test('systemInterfaces() lists the loopback interface with its subnet', () => {
  const loopback = systemInterfaces().find(({ name }) => name === 'lo');
  assert.ok(
    loopback?.subnets?.some(
      ({ family, value, length }) => family === 4 && value === 0x7f000000n && length === 8,
    ),
  );
});

test('isOnLink() compares an address with the subnets of the interfaces', () => {
  assert.equal(isOnLink(ip('127.0.0.99')), true);
  assert.equal(isOnLink(ip('240.0.0.1')), false);
});
