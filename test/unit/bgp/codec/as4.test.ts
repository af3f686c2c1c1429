import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePathAttributes } from '../../../../src/bgp/codec/index.ts';
import type { AsPathSegment, PathAttributes } from '../../../../src/bgp/message.ts';
import {
  attribute,
  decodedUpdate,
  external,
  hex,
  internal,
  localPref,
  nextHop,
  octets,
  onePrefix,
  origin,
  update,
} from './wire.ts';

const old = { ...external, fourOctetAs: false };

function received(asPath: string, ...others: string[]): PathAttributes {
  const attributes = [origin, attribute(0x50, 2, asPath), nextHop, ...others].join('');
  return decodedUpdate(update({ attributes, nlri: onePrefix }), old).attributes;
}

const as4Path = (value: string) => attribute(0xc0, 17, value);
const sequence = (...asns: number[]): AsPathSegment => ({ type: 'sequence', asns });
const set = (...asns: number[]): AsPathSegment => ({ type: 'set', asns });

/** AS_PATH, AS4_PATH, and the path that results from merging them (RFC 6793 section 4.2.3). */
const merges: readonly [name: string, asPath: string, as4Path: string, means: AsPathSegment[]][] = [
  [
    'replaces an AS_PATH that has as many ASes',
    '0202 5ba0 5ba0',
    '0202 00010001 00010002',
    [sequence(65537, 65538)],
  ],
  [
    'shorter than AS_PATH keeps the leading AS of AS_PATH',
    '0203 fde9 5ba0 5ba0',
    '0202 00010001 00010002',
    [sequence(65001, 65537, 65538)],
  ],
  ['longer than AS_PATH is ignored', '0201 5ba0', '0202 00010001 00010002', [sequence(23456)]],
  [
    'with a set counts the set as one AS',
    '0202 fde9 5ba0 0102 0001 5ba0',
    '0201 00010001 0102 00000001 00010002',
    [sequence(65001, 65537), set(1, 65538)],
  ],
  [
    'shorter than AS_PATH keeps a leading set of AS_PATH whole',
    '0102 0001 0002 0201 5ba0',
    '0201 00010001',
    [set(1, 2), sequence(65537)],
  ],
  [
    'with a set at the end keeps the set',
    '0201 5ba0 0101 5ba0',
    '0201 00010001 0101 00010002',
    [sequence(65537), set(65538)],
  ],
  [
    'with confederation segments is merged without those segments',
    '0202 fde9 5ba0',
    '0301 0000fdea 0201 00010001',
    [sequence(65001, 65537)],
  ],
];

for (const [name, asPath, as4, means] of merges)
  test(`AS4_PATH ${name}`, () => assert.deepEqual(received(asPath, as4Path(as4)).asPath, means));

for (const [where, asPath, leading] of [
  ['at the start of AS_PATH', '', []],
  ['next to a kept segment', '0201 fde9', [sequence(65001)]],
] as const)
  test(`a merge with AS4_PATH keeps a confederation segment ${where} (RFC 6793 section 4.2.3)`, () => {
    const path = attribute(0x50, 2, `${asPath} 0301 fdea 0201 5ba0`);
    const attributes = [origin, path, nextHop, localPref, as4Path('0201 00010001')].join('');
    const from = { ...internal, fourOctetAs: false };
    const found = decodedUpdate(update({ attributes, nlri: onePrefix }), from);
    const confederation: AsPathSegment = { type: 'confed-sequence', asns: [65002] };
    assert.deepEqual(found.attributes.asPath, [...leading, confederation, sequence(65537)]);
  });

test('AS_PATH without AS4_PATH stays as received', () =>
  assert.deepEqual(received('0202 fde9 5ba0').asPath, [sequence(65001, 23456)]));

test('a merged sequence has no more than 255 AS numbers', () => {
  const asPath = `02ff ${'fde9'.repeat(255)} 0201 5ba0`;
  assert.deepEqual(received(asPath, as4Path('0201 00010001')).asPath, [
    sequence(...Array.from({ length: 255 }, () => 65001)),
    sequence(65537),
  ]);
});

test('a merged sequence may have 255 AS numbers', () => {
  const asPath = `02fe ${'fde9'.repeat(254)} 0201 5ba0`;
  assert.deepEqual(received(asPath, as4Path('0201 00010001')).asPath, [
    sequence(...Array.from({ length: 254 }, () => 65001), 65537),
  ]);
});

const aggregator = (value: string) => attribute(0xc0, 7, value);
const as4Aggregator = (value: string) => attribute(0xc0, 18, value);

test('an AGGREGATOR that has AS_TRANS is replaced by AS4_AGGREGATOR', () => {
  const { aggregator: found } = received(
    '0201 5ba0',
    aggregator('5ba0 c0000201'),
    as4Aggregator('00010001 c0000202'),
  );
  assert.deepEqual(found, { asn: 65537, address: { family: 4, value: 0xc0000202n } });
});

test('an AGGREGATOR without AS_TRANS voids AS4_PATH and AS4_AGGREGATOR (RFC 6793 section 4.2.3)', () => {
  const found = received(
    '0202 fde9 5ba0',
    aggregator('fde9 c0000201'),
    as4Path('0201 00010001'),
    as4Aggregator('00010001 c0000202'),
  );
  assert.deepEqual(found.aggregator, { asn: 65001, address: { family: 4, value: 0xc0000201n } });
  assert.deepEqual(found.asPath, [sequence(65001, 23456)]);
});

test('AS4_AGGREGATOR without AGGREGATOR is ignored', () =>
  assert.equal(received('0201 5ba0', as4Aggregator('00010001 c0000202')).aggregator, undefined));

const sent = (attributes: PathAttributes) => hex(encodePathAttributes(attributes, old));

test('encodePathAttributes() adds AS4_PATH and AS4_AGGREGATOR for four-octet AS numbers (RFC 6793 section 4.2.2)', () => {
  const address = { family: 4, value: 0xc0000202n } as const;
  assert.equal(
    sent({ asPath: [sequence(65001, 65537)], aggregator: { asn: 65538, address } }),
    hex(
      octets(
        '40 02 06 0202 fde9 5ba0   c0 07 06 5ba0 c0000202   c0 11 0a 0202 0000fde9 00010001   c0 12 08 00010002 c0000202',
      ),
    ),
  );
});

test('encodePathAttributes() adds no AS4_PATH or AS4_AGGREGATOR when all AS numbers fit into two octets', () => {
  const address = { family: 4, value: 0xc0000202n } as const;
  assert.equal(
    sent({ asPath: [sequence(65001, 65535)], aggregator: { asn: 65535, address } }),
    hex(octets('40 02 06 0202 fde9 ffff   c0 07 06 ffff c0000202')),
  );
});

test('encodePathAttributes() leaves confederation segments out of AS4_PATH', () => {
  const confederation: AsPathSegment = { type: 'confed-sequence', asns: [65010] };
  assert.equal(
    sent({ asPath: [confederation, sequence(65537)] }),
    hex(octets('40 02 08 0301 fdf2 0201 5ba0   c0 11 06 0201 00010001')),
  );
});

test('encodePathAttributes() splits a sequence of more than 255 AS numbers', () => {
  const bytes = encodePathAttributes(
    { asPath: [sequence(...Array.from({ length: 300 }, () => 65001))] },
    { fourOctetAs: true },
  );
  assert.equal(bytes.length, 4 + 2 * 2 + 300 * 4);
  assert.deepEqual([bytes[4], bytes[5], bytes[4 + 2 + 255 * 4], bytes[4 + 3 + 255 * 4]], [2, 255, 2, 45]);
});

test('encodePathAttributes() uses the Extended Length flag only for values over 255 octets, and refuses values over 65,535', () => {
  const lengthOf = (octetsOfValue: number) => {
    const value = new Uint8Array(octetsOfValue);
    const bytes = encodePathAttributes({ unknown: [{ type: 200, flags: 0xc0, value }] }, old);
    return hex(bytes.subarray(0, bytes.length - octetsOfValue));
  };
  assert.equal(lengthOf(255), 'c0c8ff');
  assert.equal(lengthOf(256), 'd0c80100');
  assert.equal(lengthOf(65535), 'd0c8ffff');
  assert.throws(() => lengthOf(65536), RangeError);
});
