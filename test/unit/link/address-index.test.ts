import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, type IpAddress, ipToBytes } from '../../../src/address/index.ts';
import { AddressIndex } from '../../../src/link/address-index.ts';

const ipv4 = fc.record({ family: fc.constant(4 as const), value: fc.bigInt(0n, 0xffff_ffffn) });
// The 32-bit words of an address come from a small set, so that hashes collide and addresses may differ in any of the four words.
const ipv6 = fc.record({
  family: fc.constant(6 as const),
  value: fc
    .array(fc.constantFrom(0n, 1n, 0x8000_0000n, 0xffff_ffffn), { minLength: 4, maxLength: 4 })
    .map((words) => words.reduce<bigint>((all, word) => (all << 32n) | word, 0n)),
});

test('AddressIndex behaves like a Map keyed by address, with keys read at any offset', () => {
  const step = fc.record({ address: fc.oneof(ipv4, ipv6), add: fc.boolean(), offset: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const index = new AddressIndex<{ readonly address: IpAddress }>();
      const model = new Map<string, { readonly address: IpAddress }>();
      for (const { address, add, offset } of steps) {
        const value = { address };
        if (add) {
          index.set(address, value);
          model.set(formatIp(address), value);
        } else {
          index.delete(address);
          model.delete(formatIp(address));
        }
        const bytes = new Uint8Array(40);
        bytes.set(ipToBytes(address), offset);
        const found = address.family === 4 ? index.find4(bytes, offset) : index.find6(bytes, offset);
        assert.equal(found, model.get(formatIp(address)));
        assert.equal(index.size, model.size);
      }
      for (const [, value] of model) assert.equal(index.get(value.address), value);
    }),
  );
});

test('AddressIndex finds each of 10,000 consecutive addresses', () => {
  const index = new AddressIndex<number>();
  const base = 0x2001_0db8_0000_0000_0000_0000_0000_0000n;
  for (let i = 0; i < 10_000; i++) index.set({ family: 6, value: base + BigInt(i) }, i);
  assert.equal(index.size, 10_000);
  for (let i = 0; i < 10_000; i++) assert.equal(index.get({ family: 6, value: base + BigInt(i) }), i);
  assert.equal(index.get({ family: 6, value: base + 10_000n }), undefined);
});
