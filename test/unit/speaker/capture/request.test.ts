import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp, parseIp, parsePrefix } from '../../../../src/address/index.ts';
import { interfacesOfAddress, interfaceWith } from '../../../../src/speaker/capture/interfaces.ts';
import { readCaptureRequest } from '../../../../src/speaker/capture/request.ts';

const rows: readonly (readonly [string, string])[] = [
  ['', 'give address=IP or peer=NAME, each as often as needed'],
  ['address=web', 'address="web" is not an IP address'],
  ['peer=a&seconds=0', 'seconds must be a number from 1 to 120'],
  ['peer=a&seconds=121', 'seconds must be a number from 1 to 120'],
  ['peer=a&seconds=1e1', 'seconds must be a number from 1 to 120'],
  ['peer=a&frames=10001', 'frames must be a number from 1 to 10000'],
  [`peer=a${'&peer=a'.repeat(16)}`, 'at most 16 addresses and peers, not 17'],
];
for (const [query, message] of rows)
  test(`readCaptureRequest() refuses ${query.slice(0, 40) || 'an empty query'}`, () => {
    assert.deepEqual(readCaptureRequest(new URLSearchParams(query)), { ok: false, error: message });
  });

test('readCaptureRequest() reads subjects and limits', () => {
  const read = readCaptureRequest(
    new URLSearchParams('address=192.0.2.1&address=2001:db8::1&peer=a%20b&seconds=3&frames=7'),
  );
  assert.ok(read.ok);
  assert.deepEqual(read.value.addresses.map(formatIp), ['192.0.2.1', '2001:db8::1']);
  assert.deepEqual([read.value.peers, read.value.seconds, read.value.frames], [['a b'], 3, 7]);
});

test('the interfaces of an address are those of its subnet and those that an advertisement names', () => {
  const parsed = <T>(value: T | undefined): T => {
    assert.ok(value !== undefined);
    return value;
  };
  const ip = (text: string) => parsed(parseIp(text));
  const all = [
    { name: 'eth0', addresses: [ip('192.0.2.11')], subnets: [parsed(parsePrefix('192.0.2.0/24'))] },
    { name: 'eth1', addresses: [ip('10.0.0.1')], subnets: [parsed(parsePrefix('10.0.0.0/8'))] },
  ];
  assert.deepEqual(interfacesOfAddress(ip('192.0.2.240'), all, []), ['eth0']);
  assert.deepEqual(interfacesOfAddress(ip('198.51.100.1'), all, ['eth1', 'eth7']), ['eth1']);
  assert.deepEqual(interfacesOfAddress(ip('198.51.100.1'), all, []), []);
  assert.equal(interfaceWith(ip('10.0.0.1'), all), 'eth1');
  assert.equal(interfaceWith(ip('10.0.0.2'), all), undefined);
});
