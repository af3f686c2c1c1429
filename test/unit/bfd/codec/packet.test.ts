import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type DigestType, hasValidDigest, sectionOctets } from '../../../../src/bfd/codec/authentication.ts';
import { diagnosticText } from '../../../../src/bfd/codec/diagnostic.ts';
import { type BfdPacket, decodePacket, encodePacket } from '../../../../src/bfd/codec/packet.ts';
import { decoded, packet, signed } from '../packets.ts';

const plain = encodePacket(packet());
const sha1 = signed({}, 'meticulous-sha1', { id: 7, octets: Buffer.from('key') }, 9);

function changed(octets: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(octets);
  copy[at] = value;
  return copy;
}

function errorOf(octets: Uint8Array): string {
  const result = decodePacket(octets);
  return result.ok ? '' : result.error;
}

describe('decodePacket', () => {
  /** The checks of RFC 5880 section 6.8.6 that need only the packet, in the order of that section. Section 6.5 forbids Poll with Final. */
  const rows: readonly (readonly [name: string, octets: Uint8Array, error: RegExp])[] = [
    ['a short datagram', plain.subarray(0, 23), /23 octets/],
    ['version 0', changed(plain, 0, 0x00), /version is 0/],
    ['version 2', changed(plain, 0, 0x40), /version is 2/],
    ['a Length of 23', changed(plain, 3, 23), /Length is 23, and must be at least 24/],
    ['a Length of 25 with authentication', changed(sha1, 3, 25), /Length is 25, and must be at least 26/],
    ['a Length beyond the datagram', changed(plain, 3, 25), /Length is 25, but the datagram has 24/],
    ['a Detect Mult of 0', changed(plain, 2, 0), /Detect Mult is 0/],
    ['the Multipoint bit', changed(plain, 1, 0xc1), /Multipoint/],
    ['My Discriminator 0', encodePacket(packet({ myDiscriminator: 0 })), /My Discriminator is 0/],
    ['Your Discriminator 0 in state Up', encodePacket(packet({ yourDiscriminator: 0 })), /0 in state Up/],
    [
      'Your Discriminator 0 in state Init',
      encodePacket(packet({ yourDiscriminator: 0, state: 'Init' })),
      /0 in state Init/,
    ],
    ['Poll with Final', encodePacket(packet({ poll: true, final: true })), /both set/],
    ['an Auth Len beyond Length', changed(sha1, 25, 29), /Auth Len is 29, but 28 octets/],
    ['an Auth Len of another type', changed(sha1, 25, 24), /Auth Len is 24, and must be 28/],
  ];
  for (const [name, octets, error] of rows)
    test(`refuses ${name}`, () => assert.match(errorOf(octets), error));

  for (const state of ['Down', 'AdminDown'] as const)
    test(`accepts Your Discriminator 0 in state ${state}`, () => {
      assert.equal(errorOf(encodePacket(packet({ yourDiscriminator: 0, state }))), '');
    });

  test('decodes authentication of an unsupported type as `other`, with its code', () => {
    for (const code of [1, 6, 255])
      assert.deepEqual(decoded(changed(sha1, 24, code)).authentication, { type: 'other', code });
  });

  const arbitraryPacket: fc.Arbitrary<BfdPacket> = fc.record(
    {
      diagnostic: fc.nat(31),
      state: fc.constantFrom('AdminDown', 'Down', 'Init', 'Up'),
      poll: fc.boolean(),
      final: fc.constant(false),
      controlPlaneIndependent: fc.boolean(),
      demand: fc.boolean(),
      detectMultiplier: fc.integer({ min: 1, max: 255 }),
      myDiscriminator: fc.integer({ min: 1, max: 0xffff_ffff }),
      yourDiscriminator: fc.integer({ min: 1, max: 0xffff_ffff }),
      desiredMinTxInterval: fc.nat(0xffff_ffff),
      requiredMinRxInterval: fc.nat(0xffff_ffff),
      requiredMinEchoRxInterval: fc.nat(0xffff_ffff),
    },
    { noNullPrototype: true },
  );

  test('ignores octets after Length', () => {
    const rest = fc.uint8Array({ maxLength: 40, size: 'max' });
    fc.assert(
      fc.property(arbitraryPacket, rest, (any, after) =>
        assert.deepEqual(decoded(Buffer.concat([encodePacket(any), after])), any),
      ),
    );
  });

  test('inverts encodePacket', () => {
    fc.assert(fc.property(arbitraryPacket, (any) => assert.deepEqual(decoded(encodePacket(any)), any)));
  });

  test('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80, size: 'max' }), (octets) => void decodePacket(octets)),
    );
  });
});

describe('authentication', () => {
  const key = { id: 7, octets: Buffer.from('correct horse') };
  for (const type of ['keyed-md5', 'meticulous-md5', 'keyed-sha1', 'meticulous-sha1'] as DigestType[])
    test(`${type} detects a change of any octet`, () => {
      const octets = signed({}, type, key, 0x01020304);
      assert.equal(octets.length, 24 + sectionOctets(type));
      assert.deepEqual(decoded(octets).authentication, { type, keyId: 7, sequence: 0x01020304 });
      assert.ok(hasValidDigest(octets, type, key));
      assert.ok(!hasValidDigest(octets, type, { id: 7, octets: Buffer.from('correct horsf') }));
      for (let at = 0; at < octets.length; at++) {
        const bad = changed(octets, at, (octets[at] ?? 0) ^ 0x10);
        const result = decodePacket(bad);
        // Some changes make the packet invalid, or give it another type of authentication.
        if (result.ok && result.value.authentication?.type === type)
          assert.ok(!hasValidDigest(bad, type, key), `octet ${at}`);
      }
    });
});

test('diagnosticText names defined and reserved codes', () => {
  assert.equal(diagnosticText(1), 'control detection time expired');
  assert.equal(diagnosticText(8), 'reverse concatenated path down');
  assert.equal(diagnosticText(31), 'reserved diagnostic 31');
});
