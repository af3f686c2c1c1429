/**
 * Packets that BIRD 2.0.12, FRR 8.4.4 and keepalived 2.2.7 sent to the BFD process. The expected values come from the configuration of the
 * sender.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type DigestType,
  hasValidDigest,
  sectionOctets,
  sign,
} from '../../../../src/bfd/codec/authentication.ts';
import {
  type BfdPacket,
  decodePacket,
  encodePacket,
  type ReceivedPacket,
} from '../../../../src/bfd/codec/packet.ts';
import { decoded } from '../packets.ts';

interface Capture {
  readonly name: string;
  readonly hex: string;
  readonly means: Partial<BfdPacket>;
  readonly type?: DigestType;
}

const timers = { detectMultiplier: 20, requiredMinRxInterval: 200_000 };
const slow = { ...timers, desiredMinTxInterval: 1_000_000 };
/** The password of the sender's configuration, with the id 7. */
const key = { id: 7, octets: Buffer.from('correct horse') };

const captures: readonly Capture[] = [
  {
    name: 'BIRD, Down after our AdminDown, with a poll',
    hex: '23601418edd3af6736f19e92000f424000030d4000000000',
    means: { ...slow, state: 'Down', diagnostic: 3, poll: true, myDiscriminator: 0xedd3af67 },
  },
  {
    name: 'BIRD, keyed MD5',
    hex: '23641430656e5ee9e84570c6000f424000030d400000000002180700e4f13d0d0b0bfe48d3018fde0754f94b71b5cdbc',
    means: { ...slow, state: 'Down', diagnostic: 3, poll: true },
    type: 'keyed-md5',
  },
  {
    name: 'BIRD, meticulous MD5',
    hex: '23641430ff70f2a8ff5fd9a8000f424000030d4000000000031807003abddf19aba026fb6baa763c3d68bf50b631d385',
    means: { ...slow, state: 'Down', diagnostic: 3, poll: true },
    type: 'meticulous-md5',
  },
  {
    name: 'BIRD, keyed SHA1',
    hex: '23641434ebcfd2faa189c8ef000f424000030d4000000000041c0700fac4bc7fd2a4a8b9c5b7c990d199ca31f62754754227f09f',
    means: { ...slow, state: 'Down', diagnostic: 3, poll: true },
    type: 'keyed-sha1',
  },
  {
    name: 'BIRD, meticulous SHA1',
    hex: '20441434c3c0c4f200000000000f424000030d4000000000051c07004cf30051b7622b05829ebcbb9de24c5d3d38b865836abb64',
    means: { ...slow, state: 'Down', diagnostic: 0, poll: false, yourDiscriminator: 0 },
    type: 'meticulous-sha1',
  },
  {
    name: 'FRR, AdminDown',
    hex: '200014183a857f597d671ce500030d4000030d400000c350',
    means: { ...timers, state: 'AdminDown', diagnostic: 0, requiredMinEchoRxInterval: 50_000 },
  },
  {
    name: 'FRR, Init, with the echo function',
    hex: '20801418b68f65a6d1a063a3000f4240000f4240000186a0',
    means: { state: 'Init', requiredMinRxInterval: 1_000_000, requiredMinEchoRxInterval: 100_000 },
  },
  {
    name: 'keepalived, Up, with the Final bit',
    hex: '20d003185a596c2007d5a46200030d4000030d4000000000',
    means: { state: 'Up', final: true, detectMultiplier: 3, desiredMinTxInterval: 200_000 },
  },
  {
    name: 'keepalived, Down after our silence',
    hex: '2340031833fee7a107d5a462000f424000030d4000000000',
    means: { state: 'Down', diagnostic: 3, detectMultiplier: 3, yourDiscriminator: 0x07d5a462 },
  },
];

function encodedAgain(packet: ReceivedPacket): Uint8Array {
  const { authentication } = packet;
  if (!authentication || authentication.type === 'other') return encodePacket(packet);
  const octets = encodePacket(packet, sectionOctets(authentication.type));
  sign(
    octets,
    authentication.type,
    { id: authentication.keyId, octets: key.octets },
    authentication.sequence,
  );
  return octets;
}

for (const { name, hex, means, type } of captures)
  describe(name, () => {
    const octets = Buffer.from(hex, 'hex');

    test('decodes to what its sender was configured to send', () => {
      const packet = decoded(octets);
      for (const [field, value] of Object.entries(means))
        assert.equal(packet[field as keyof BfdPacket], value, field);
      assert.equal(packet.authentication?.type, type);
      if (type) assert.ok(hasValidDigest(octets, type, key));
    });

    test('is what our encoder writes', () => {
      assert.equal(Buffer.from(encodedAgain(decoded(octets))).toString('hex'), hex);
    });

    test('is refused when it is cut off anywhere', () => {
      for (let length = 0; length < octets.length; length++)
        assert.equal(decodePacket(octets.subarray(0, length)).ok, false, `${length} octets`);
    });

    test(`raises no exception after a change of any octet${type ? ', and is no longer authentic' : ''}`, () => {
      for (let at = 0; at < octets.length; at++)
        for (let value = 0; value < 256; value++) {
          if (value === octets[at]) continue;
          const changed = Uint8Array.from(octets);
          changed[at] = value;
          const result = decodePacket(changed);
          if (type && result.ok && result.value.authentication?.type === type)
            assert.ok(!hasValidDigest(changed, type, key), `octet ${at} = ${value}`);
        }
    });
  });
