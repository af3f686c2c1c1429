import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rangeContains } from '../../../src/address/index.ts';
import { comparePools, PoolIndex, poolIndexOf, usableSize } from '../../../src/config/index.ts';
import { ip } from '../../support/addresses.ts';
import { pool } from '../speaker/fixtures.ts';

test('PoolIndex agrees with a linear search', () => {
  /** A range: the gap before it, the number of addresses after its first one, its pool and its family. */
  const piece = fc.record({ gap: fc.nat(3), size: fc.nat(3), pool: fc.nat(4), isIpv6: fc.boolean() });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30, size: 'max' }), (pieces) => {
      const next = { 4: 10n, 6: 10n };
      const pools = Array.from({ length: 5 }, (_, i) => ({ name: `p${i}`, ranges: [] as Range[] }));
      for (const { gap, size, pool: index, isIpv6 } of pieces) {
        const family = isIpv6 ? 6 : 4;
        const first = next[family] + BigInt(gap);
        next[family] = first + BigInt(size) + 1n;
        pools[index]?.ranges.push({ family, first, last: first + BigInt(size) });
      }
      const poolIndex = new PoolIndex(pools);
      for (const family of [4, 6] as const)
        for (let value = 8n; value < next[family] + 2n; value++) {
          const address = { family, value };
          const expected = pools.find(({ ranges }) => ranges.some((range) => rangeContains(range, address)));
          assert.equal(poolIndex.poolOf(address), expected);
        }
    }),
  );
});

interface Range {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

test('poolIndexOf() builds the index of a configuration only once', () => {
  const config = { pools: [pool('a', ['192.0.2.0/24'])] };
  assert.equal(poolIndexOf(config), poolIndexOf(config));
  assert.equal(poolIndexOf(config).poolOf(ip('192.0.2.7'))?.name, 'a');
  assert.equal(poolIndexOf({ pools: [] }).poolOf(ip('192.0.2.7')), undefined);
});

test('comparePools() sorts restricted pools first, then by priority, then by name', () => {
  const pools = [
    pool('b', []),
    pool('a', []),
    pool('late', [], { priority: 9 }),
    pool('early', [], { priority: 1 }),
    pool('team', [], { namespaces: ['team'] }),
    pool('urgent-team', [], { namespaces: ['team'], priority: 5 }),
  ];
  assert.deepEqual(
    pools.sort(comparePools).map(({ name }) => name),
    ['urgent-team', 'team', 'early', 'late', 'a', 'b'],
  );
});

const sizes: readonly (readonly [string, readonly string[], boolean, 4 | 6, bigint])[] = [
  ['all addresses of a prefix', ['192.0.2.0/24'], false, 4, 256n],
  ['no .0 and no .255 address of a pool that avoids them', ['192.0.2.0/24'], true, 4, 254n],
  ['no address of a pool whose only address is an avoided .0 address', ['192.0.2.0/32'], true, 4, 0n],
  ['all IPv6 addresses, which are never buggy', ['2001:db8::/120', '192.0.2.0/24'], true, 6, 256n],
];
for (const [name, cidrs, avoidBuggyIps, family, size] of sizes)
  test(`usableSize() counts ${name}`, () =>
    assert.equal(usableSize(pool('a', cidrs, { avoidBuggyIps }), family), size));
