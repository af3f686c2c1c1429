import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  decodeRecord,
  encodeRecord,
  maxRecordOctets,
  type SuccessionRecord,
} from '../../../src/succession/record.ts';

const records: readonly (readonly [SuccessionRecord, string])[] = [
  [{ kind: 'hello', version: 1 }, '0162656c6c6d616e000001'],
  [{ kind: 'ready' }, '02'],
  [{ kind: 'item', octets: Uint8Array.of(7, 8) }, '030708'],
  [{ kind: 'offered', items: 258 }, '0400000102'],
  [{ kind: 'accepted' }, '05'],
  [{ kind: 'committed' }, '06'],
];

describe('records', () => {
  for (const [record, hex] of records)
    test(`${record.kind} has the documented layout`, () => {
      const octets = encodeRecord(record);
      assert.equal(Buffer.from(octets).toString('hex'), hex);
      assert.deepEqual(decodeRecord(octets), { ok: true, value: record });
    });

  test('a hello of a later version may be longer', () => {
    const octets = Uint8Array.of(...encodeRecord({ kind: 'hello', version: 9 }), 1, 2);
    assert.deepEqual(decodeRecord(octets), { ok: true, value: { kind: 'hello', version: 9 } });
  });

  for (const [what, hex] of [
    ['a message without octets', ''],
    ['an unknown kind', '07'],
    ['kind 0', '00'],
    ['a hello that ends early', '0162656c6c6d616e0000'],
    ['a hello of another program', '0142656c6c6d616e000001'],
    ['ready with a body', '0200'],
    ['an offer with a body of three octets', '04000001'],
  ] as const)
    test(`${what} is an error`, () => {
      assert.equal(decodeRecord(Buffer.from(hex, 'hex')).ok, false);
    });

  test('an item that is too long cannot be encoded', () => {
    const octets = new Uint8Array(maxRecordOctets);
    assert.throws(() => encodeRecord({ kind: 'item', octets }), RangeError);
  });

  test('any octets decode to a value or an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40, size: 'max' }), (octets) => {
        const decoded = decodeRecord(octets);
        if (decoded.ok && decoded.value.kind !== 'hello')
          assert.deepEqual(encodeRecord(decoded.value), octets);
      }),
    );
  });
});
