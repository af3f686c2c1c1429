import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Address6 } from 'ip-address';
import {
  compareIp,
  familyBits,
  formatIp,
  formatPrefix,
  type IpAddress,
  ipFromBytes,
  ipToBytes,
  isLinkLocal,
  lastOf,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixesOfRange,
  prefixOf,
  rangeOfPrefix,
  rangeSize,
} from '../../../src/address/index.ts';

const address: fc.Arbitrary<IpAddress> = fc.oneof(
  fc.bigInt(0n, 2n ** 32n - 1n).map((value) => ({ family: 4 as const, value })),
  fc.bigInt(0n, 2n ** 128n - 1n).map((value) => ({ family: 6 as const, value })),
);

for (const [text, canonical] of [
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['192.0.2.1', '192.0.2.1'],
  ['::', '::'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8::0:1', '2001:db8::1'],
  ['::ffff:192.0.2.1', '::ffff:c000:201'],
] as const) {
  test(`parseIp() reads ${text}`, () => {
    const parsed = parseIp(text);
    assert.ok(parsed);
    assert.equal(formatIp(parsed), canonical);
  });
}

for (const text of [
  '',
  '10.0.0',
  '10.0.0.300',
  '10.0.0.01',
  '10.0.0.1.',
  '1.2.3.4/32',
  ':',
  '::1::',
  'fe80::1%eth0',
  '2001:db8::g',
  ' 10.0.0.1',
  '0x0a.0.0.1',
])
  test(`parseIp() rejects ${JSON.stringify(text)}`, () => assert.equal(parseIp(text), undefined));

for (const text of [
  '10.0.0.0',
  '10.0.0.1/24',
  '10.0.0.0/33',
  '10.0.0.0/',
  '10.0.0.0/08',
  '2001:db8::/129',
  '2001:db8::1/64',
  '/8',
])
  test(`parsePrefix() rejects ${text}`, () => assert.equal(parsePrefix(text), undefined));

test('addresses survive formatting as text and as octets', () => {
  fc.assert(
    fc.property(address, (a) => {
      assert.deepEqual(parseIp(formatIp(a)), a);
      assert.deepEqual(ipFromBytes(ipToBytes(a)), a);
      assert.equal(compareIp(a, a), 0);
    }),
  );
});

test('prefixOf() returns a prefix that contains the address, and parsePrefix() reads its text back', () => {
  fc.assert(
    fc.property(address, fc.nat(128), (a, n) => {
      const prefix = prefixOf(a, n % (familyBits(a.family) + 1));
      assert.ok(prefixContains(prefix, a));
      assert.ok(prefixContains(prefix, lastOf(prefix)));
      assert.deepEqual(parsePrefix(formatPrefix(prefix)), prefix);
      assert.deepEqual(prefixesOfRange(rangeOfPrefix(prefix)), [prefix]);
      const neighbours = [prefix.value - 1n, lastOf(prefix).value + 1n];
      for (const value of neighbours) assert.ok(!prefixContains(prefix, { family: a.family, value }));
      assert.equal(rangeSize(rangeOfPrefix(prefix)), 2n ** BigInt(familyBits(a.family) - prefix.length));
    }),
  );
});

test('prefixContains() tells the families apart', () => {
  const prefix = parsePrefix('::/0');
  assert.ok(prefix);
  assert.ok(prefixContains(prefix, { family: 6, value: 1n }));
  assert.ok(!prefixContains(prefix, { family: 4, value: 1n }));
});

test('prefixesOfRange() covers exactly the range', () => {
  fc.assert(
    fc.property(fc.nat(5000), fc.nat(5000), (x, y) => {
      const range = { family: 4 as const, first: BigInt(Math.min(x, y)), last: BigInt(Math.max(x, y)) };
      let next = range.first;
      for (const prefix of prefixesOfRange(range)) {
        assert.equal(prefix.value, next);
        next = lastOf(prefix).value + 1n;
      }
      assert.equal(next - range.first, rangeSize(range));
    }),
  );
});

test('isLinkLocal() accepts fe80::/10 only', () => {
  for (const [text, expected] of [
    ['fe80::1', true],
    ['febf::1', true],
    ['fec0::1', false],
    ['169.254.0.1', false],
  ] as const) {
    const parsed = parseIp(text);
    assert.ok(parsed);
    assert.equal(isLinkLocal(parsed), expected);
  }
});

test('formatIp() and the package ip-address write the same text for IPv6 addresses with any runs of zeros', () => {
  const group = fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const value = groups.reduce((sum, each) => (sum << 16n) | each, 0n);
      assert.equal(formatIp({ family: 6, value }), Address6.fromBigInt(value).correctForm());
    }),
    { numRuns: 300 },
  );
});
