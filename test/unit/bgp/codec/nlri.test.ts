import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '../../../../src/address/index.ts';
import { encodeMessage } from '../../../../src/bgp/codec/index.ts';
import type { Nlri } from '../../../../src/bgp/message.ts';
import {
  attribute,
  decodedUpdate,
  external,
  hex,
  onePrefix,
  plainAttributes,
  prefixes,
  update,
} from './wire.ts';

/** Prefixes and their octets (RFC 4271 section 4.3, RFC 4760 section 5). */
const ipv4: readonly [text: string, wire: string][] = [
  ['0.0.0.0/0', '00'],
  ['128.0.0.0/1', '01 80'],
  ['10.0.0.0/8', '08 0a'],
  ['10.128.0.0/9', '09 0a80'],
  ['192.0.2.0/24', '18 c00002'],
  ['192.0.2.128/25', '19 c0000280'],
  ['192.0.2.254/31', '1f c00002fe'],
  ['255.255.255.255/32', '20 ffffffff'],
];
const ipv6: readonly [text: string, wire: string][] = [
  ['::/0', '00'],
  ['8000::/1', '01 80'],
  ['2001:db8::/32', '20 20010db8'],
  ['2001:db8:8000::/33', '21 20010db880'],
  ['2001:db8:0:1::/64', '40 20010db800000001'],
  ['2001:db8:0:1:8000::/65', '41 20010db80000000180'],
  ['2001:db8::ff00:0:0/95', '5f 20010db8000000000000ff00'],
  ['2001:db8::1/128', '80 20010db8000000000000000000000001'],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', `80 ${'ff'.repeat(16)}`],
];

function prefix(text: string): Nlri {
  const parsed = parsePrefix(text);
  assert.ok(parsed, text);
  return parsed;
}

const bare = { kind: 'update', withdrawn: [], nlri: [], attributes: {} } as const;

test('IPv4 prefixes take the fewest octets that hold their bits', () => {
  const wire = ipv4.map(([, text]) => text).join('');
  const bytes = update({ withdrawn: wire });
  assert.deepEqual(
    prefixes(decodedUpdate(bytes).withdrawn),
    ipv4.map(([text]) => text),
  );
  const withdrawn = ipv4.map(([text]) => prefix(text));
  assert.equal(hex(encodeMessage({ ...bare, withdrawn }, external)), hex(bytes));
});

test('IPv6 prefixes take the fewest octets that hold their bits', () => {
  const wire = ipv6.map(([, text]) => text).join('');
  const bytes = update({ attributes: attribute(0x80, 15, `0002 01 ${wire}`) });
  const { mpUnreach } = decodedUpdate(bytes).attributes;
  assert.ok(mpUnreach);
  assert.deepEqual(
    prefixes(mpUnreach.withdrawn),
    ipv6.map(([text]) => text),
  );
  const attributes = { mpUnreach: { afi: 2, safi: 1, withdrawn: ipv6.map(([text]) => prefix(text)) } };
  assert.equal(hex(encodeMessage({ ...bare, attributes }, external)), hex(bytes));
});

test('decoding ignores bits beyond the length of a prefix', () => {
  const bytes = update({ withdrawn: '00 01 ff 09 0aff 1f c00002ff' });
  assert.deepEqual(prefixes(decodedUpdate(bytes).withdrawn), [
    '0.0.0.0/0',
    '128.0.0.0/1',
    '10.128.0.0/9',
    '192.0.2.254/31',
  ]);
  const unreach = update({
    attributes: attribute(0x80, 15, '0002 01 21 20010db8ff 5f 20010db8000000000000ffff'),
  });
  const { mpUnreach } = decodedUpdate(unreach).attributes;
  assert.deepEqual(prefixes(mpUnreach?.withdrawn ?? []), ['2001:db8:8000::/33', '2001:db8::fffe:0:0/95']);
});

test('prefixes of families with ADD-PATH have path identifiers (RFC 7911)', () => {
  const options = { ...external, addPath: [{ afi: 1, safi: 1 }] };
  const bytes = update({
    withdrawn: `00000001 ${onePrefix} ffffffff 00`,
    attributes: plainAttributes + attribute(0x80, 15, '0002 01 30 20010db80100'),
    nlri: `00000000 ${onePrefix} 80000000 ${onePrefix}`,
  });
  const decoded = decodedUpdate(bytes, options);
  assert.deepEqual(prefixes(decoded.withdrawn), ['1@198.51.100.0/24', '4294967295@0.0.0.0/0']);
  assert.deepEqual(prefixes(decoded.nlri), ['0@198.51.100.0/24', '2147483648@198.51.100.0/24']);
  assert.deepEqual(prefixes(decoded.attributes.mpUnreach?.withdrawn ?? []), ['2001:db8:100::/48']);
  const again = encodeMessage(decoded, options);
  assert.deepEqual(prefixes(decodedUpdate(again, options).nlri), prefixes(decoded.nlri));
  assert.equal(decoded.nlri.length, 2);
});

test('encodeMessage() sends path identifier 0 for a prefix without a path identifier', () => {
  const options = { ...external, addPath: [{ afi: 1, safi: 1 }] };
  const bytes = encodeMessage({ ...bare, withdrawn: [prefix('10.0.0.0/8')] }, options);
  assert.equal(hex(bytes), hex(update({ withdrawn: '00000000 08 0a' })));
});

test('encodeMessage() refuses an UPDATE over 65,535 octets', () => {
  const withdrawn = Array.from({ length: 13_200 }, () => prefix('192.0.2.1/32'));
  assert.throws(() => encodeMessage({ ...bare, withdrawn }, external), RangeError);
});

test('a decoded list of prefixes knows its length and can be iterated twice', () => {
  const { withdrawn } = decodedUpdate(update({ withdrawn: '18 c63364 18 c63365' }));
  assert.equal(withdrawn.length, 2);
  for (let time = 0; time < 2; time++)
    assert.deepEqual(prefixes(withdrawn), ['198.51.100.0/24', '198.51.101.0/24']);
});
