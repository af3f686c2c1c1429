import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEcho, encodeEcho } from '../../../../src/bfd/codec/echo-packet.ts';

const address = Uint8Array.of(192, 0, 2, 1);
const cookie = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const echo = { discriminator: 0x01020304, sequence: 7, cookie };

test('encodeEcho makes an IPv4 packet to ourselves with TTL 255 and a correct checksum', () => {
  const octets = encodeEcho(echo, address);
  assert.equal(
    Buffer.from(octets).toString('hex'),
    '45c0002c00004000ff11f6fdc0000201c00002010ec90ec900180000' + '01020304000000070102030405060708',
  );
  const view = new DataView(octets.buffer);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += view.getUint16(at);
  assert.equal((sum & 0xffff) + (sum >>> 16), 0xffff);
});

test('decodeEcho inverts encodeEcho, and never throws', () => {
  const octets = encodeEcho(echo, address);
  assert.deepEqual(decodeEcho(octets), { ok: true, value: echo });
  for (let length = 0; length < octets.length; length++)
    assert.equal(decodeEcho(octets.subarray(0, length)).ok, false);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100, size: 'max' }), (any) => void decodeEcho(any)));
});
