import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, type Prefix } from '../../../../src/address/index.ts';
import { decodePassedItem, encodePassedPrefixes } from '../../../../src/bgp/codec/index.ts';

test('encodePassedPrefixes() divides many prefixes into items of at most 2048, and loses none', () => {
  const prefixes = Array.from({ length: 5000 }, (_, i): Prefix[] => [
    { family: 4, value: 0x0a000000n + BigInt(i), length: 32 },
    { family: 6, value: (0x20010db8n << 96n) + BigInt(i), length: 128 },
  ]).flat();
  const lists = [...encodePassedPrefixes(3, prefixes)].map((octets) => {
    const item = decodePassedItem(octets);
    assert.ok(item.ok && item.value.kind === 'prefixes');
    assert.equal(item.value.session, 3);
    return [...item.value.prefixes].map(formatPrefix);
  });
  assert.deepEqual(lists.map(({ length }) => length).sort(), [2048, 2048, 2048, 2048, 904, 904]);
  assert.deepEqual(lists.flat().sort(), prefixes.map(formatPrefix).sort());
});
