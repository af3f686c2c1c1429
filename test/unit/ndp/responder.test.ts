import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ipToBytes } from '../../../src/address/index.ts';
import { AddressIndex } from '../../../src/link/address-index.ts';
import { formatMac } from '../../../src/link/frame.ts';
import {
  encodeDuplicateAddressProbe,
  encodeSolicitation,
  encodeUnsolicitedAdvertisement,
  groupMac,
  readAdvertisement,
  solicitedNodeGroup,
} from '../../../src/ndp/packet.ts';
import { NdpResponder } from '../../../src/ndp/responder.ts';
import { ip } from '../../support/addresses.ts';
import {
  captured,
  changed,
  frame,
  hex,
  mac as macFrom,
  tagged,
  withChecksum,
} from '../../support/neighbour-frames.ts';

const ownMac = macFrom('02:00:00:00:00:0a');
const solicitation = frame(captured.solicitation);
/** The solicitation without its source link-layer option. */
const bare = withChecksum(changed(solicitation.subarray(0, 78), { 19: 24 }));

function responder(text: string, answering = true, mac = ownMac) {
  const index = new AddressIndex<{ text: string; answering: boolean }>();
  index.set(ip(text), { text, answering });
  return new NdpResponder(mac, index);
}

test('encodeSolicitation() writes a solicitation octet for octet like the kernel', () => {
  const sender = macFrom('02:00:00:00:00:0b');
  assert.equal(hex(encodeSolicitation(sender, ip('2001:db8::b'), ip('2001:db8::a'))), captured.solicitation);
});

test('readAdvertisement() reads an advertisement of the kernel, and no other frame', () => {
  const advertisement = frame(captured.advertisement);
  const read = readAdvertisement(advertisement, advertisement.length);
  assert.deepEqual(read?.address, ip('2001:db8::a'));
  assert.equal(formatMac(advertisement, read?.macAt), '02:00:00:00:00:0a');
  for (const other of [captured.solicitation, captured.arpReply])
    assert.equal(readAdvertisement(frame(other), other.length / 2), undefined);
  for (let length = 0; length < advertisement.length; length++)
    assert.equal(readAdvertisement(advertisement, length), undefined);
});

test('NdpResponder answers for an address on trial only to other speakers', () => {
  const index = new AddressIndex<{ answering: boolean; isOnTrial: boolean }>();
  index.set(ip('2001:db8::a'), { answering: false, isOnTrial: true });
  const verdict = (speaker: string) =>
    new NdpResponder(ownMac, index, (each) => each === speaker).receive(solicitation, solicitation.length);
  assert.equal(verdict('02:00:00:00:00:0b'), 'answer');
  assert.equal(verdict('02:00:00:00:00:0c'), 'unknown-address');
});

const owner = () => responder('2001:db8::a');

const sourceOption = '010102000000000b';

/** The solicitation with these options in place of its own. */
function withOptions(...options: readonly string[]): Buffer {
  const bytes = Buffer.concat([solicitation.subarray(0, 78), frame(options.join(''))]);
  bytes.writeUInt16BE(bytes.length - 54, 18);
  return withChecksum(bytes);
}

function withSource(text: string): Buffer {
  const bytes = Buffer.from(solicitation);
  bytes.set(ipToBytes(ip(text)), 22);
  return withChecksum(bytes);
}

describe('NdpResponder answers', () => {
  test('a solicitation to the solicited-node group, octet for octet like the kernel', () => {
    const ndp = owner();
    assert.equal(ndp.receive(solicitation, solicitation.length), 'answer');
    assert.equal(hex(ndp.reply), captured.advertisement);
    assert.equal(ndp.matched?.text, '2001:db8::a');
  });

  test('a solicitation without a link-layer option (the reply goes to the source MAC of the frame)', () => {
    const ndp = owner();
    assert.equal(ndp.receive(bare, bare.length), 'answer');
    assert.equal(hex(ndp.reply), captured.advertisement);
  });

  test('a solicitation with two source link-layer options (the first option counts)', () => {
    const ndp = owner();
    const bytes = withOptions(sourceOption, '01010200000000ff');
    assert.equal(ndp.receive(bytes, bytes.length), 'answer');
    assert.equal(hex(ndp.reply), captured.advertisement);
    const wrongSecond = withOptions(sourceOption, `0102${'00'.repeat(14)}`);
    assert.equal(ndp.receive(wrongSecond, wrongSecond.length), 'answer');
    assert.equal(hex(ndp.reply), captured.advertisement);
  });

  test('a unicast solicitation', () => {
    const ndp = responder('2001:db8::b', true, macFrom('02:00:00:00:00:0b'));
    const bytes = frame(captured.unicastSolicitation);
    assert.equal(ndp.receive(bytes, bytes.length), 'answer');
    const reply = hex(ndp.reply);
    assert.equal(reply.slice(0, 12), '02000000000a');
    assert.equal(reply.slice(76, 108), 'fe80000000000000000000fffe00000a');
    assert.equal(reply.slice(116, 124), '60000000');
  });

  test('a probe of duplicate address detection (the advertisement goes to all nodes and has the Solicited flag clear)', () => {
    const ndp = responder('2001:db8::b');
    const bytes = frame(captured.duplicateAddressProbe);
    assert.equal(ndp.receive(bytes, bytes.length), 'answer');
    const reply = ndp.reply;
    assert.equal(hex(reply.subarray(0, 6)), '333300000001');
    assert.equal(hex(reply.subarray(38, 54)), 'ff020000000000000000000000000001');
    assert.equal(reply[58], 0x20);
    assert.equal(hex(withChecksum(reply)), hex(reply), 'the checksum is right');
  });

  test('a solicitation with a priority tag', () => {
    const bytes = tagged(solicitation, 0);
    assert.equal(owner().receive(bytes, bytes.length), 'answer');
  });

  test('a frame longer than its packet', () => {
    const ndp = owner();
    const bytes = Buffer.concat([solicitation, Buffer.alloc(6, 0xff)]);
    assert.equal(ndp.receive(bytes, bytes.length), 'answer');
  });
});

describe('NdpResponder, following RFC 4861 section 7.1.1 and the Linux kernel, does not answer:', () => {
  const probe = frame(captured.duplicateAddressProbe);
  for (const [name, bytes, verdict] of [
    ['hop limit below 255', changed(solicitation, { 21: 254 }), 'hop-limit'],
    ['wrong checksum', changed(solicitation, { 57: 4 }), 'checksum'],
    ['code other than 0', withChecksum(changed(solicitation, { 55: 1 })), 'malformed'],
    ['IP version other than 6', changed(solicitation, { 14: 0x40 }), 'malformed'],
    ['next header other than ICMPv6', changed(solicitation, { 20: 17 }), 'malformed'],
    ['multicast target', withChecksum(changed(solicitation, { 62: 0xff })), 'malformed'],
    ['option of length 0', withChecksum(changed(solicitation, { 79: 0 })), 'malformed'],
    ['option past the end', withChecksum(changed(solicitation, { 79: 2 })), 'malformed'],
    ['router solicitation', withChecksum(changed(solicitation, { 54: 133 })), 'malformed'],
    [
      'unspecified source, but not to a solicited-node group',
      withChecksum(changed(probe, { 49: 2 })),
      'malformed',
    ],
    ['unspecified source, with a link-layer option', withChecksum(changed(probe, { 78: 1 })), 'malformed'],
    ['another target', withChecksum(changed(solicitation, { 77: 9 })), 'unknown-address'],
    ['frame to another station', changed(solicitation, { 0: 2 }), 'not-for-us'],
    ['frame with the tag of a VLAN', tagged(solicitation, 7), 'other-vlan'],
    ['its own frame', changed(solicitation, { 11: 10 }), 'own-frame'],
    ['group source MAC', changed(solicitation, { 6: 3 }), 'malformed'],
    ['multicast source', withSource('ff02::1'), 'malformed'],
    ['loopback source', withSource('::1'), 'malformed'],
    ['source link-layer option of 16 octets', withOptions(`0102${'00'.repeat(14)}`), 'malformed'],
    [
      'source link-layer option of 16 octets, then an option of 8 octets',
      withOptions(`0102${'00'.repeat(14)}`, sourceOption),
      'malformed',
    ],
  ] as const)
    test(name, () => assert.equal(owner().receive(bytes, bytes.length), verdict));

  test('a solicitation truncated at any octet', () => {
    for (let length = 0; length < solicitation.length; length++)
      assert.equal(owner().receive(solicitation, length), 'malformed', `${length} octets`);
  });

  test('a solicitation with one changed octet, because the checksum or another check fails', () => {
    for (let at = 14; at < solicitation.length; at++) {
      // No check covers the traffic class and the flow label.
      if (at >= 15 && at <= 17) continue;
      for (let value = 0; value < 256; value++) {
        if (value === solicitation[at] || (at === 14 && value >> 4 === 6)) continue;
        assert.notEqual(
          owner().receive(changed(solicitation, { [at]: value }), solicitation.length),
          'answer',
          `octet ${at} = ${value}`,
        );
      }
    }
  });

  test('a solicitation for an address that we are still probing', () => {
    assert.equal(responder('2001:db8::a', false).receive(solicitation, 86), 'unknown-address');
  });
});

describe('NdpResponder reports a conflict:', () => {
  test('an advertisement by another station for our address', () => {
    const ndp = responder('2001:db8::a', true, macFrom('02:00:00:00:00:0b'));
    assert.equal(ndp.receive(frame(captured.advertisement), 86), 'conflict');
    assert.equal(formatMac(ndp.conflictingMac), '02:00:00:00:00:0a');
  });

  test('a solicitation by another station from our address', () => {
    const ndp = responder('2001:db8::b');
    assert.equal(ndp.receive(solicitation, 86), 'conflict');
    assert.equal(formatMac(ndp.conflictingMac), '02:00:00:00:00:0b');
  });

  test("another host's probe for an address that we are probing (RFC 4862 section 5.4.3)", () => {
    const bytes = frame(captured.duplicateAddressProbe);
    assert.equal(responder('2001:db8::b', false).receive(bytes, bytes.length), 'conflict');
  });

  test('but not for a malformed advertisement: one with the Solicited flag that goes to a group', () => {
    const bytes = withChecksum(
      changed(frame(captured.advertisement), { 0: 0x33, 1: 0x33, 5: 1, 38: 0xff, 39: 2 }),
    );
    assert.equal(
      responder('2001:db8::a', true, macFrom('02:00:00:00:00:0c')).receive(bytes, 86),
      'malformed',
    );
  });
});

test('NdpResponder judges arbitrary octets without throwing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 160, size: 'max' }), fc.boolean(), (bytes, realistic) => {
      const input = realistic ? Buffer.concat([solicitation.subarray(0, 54), bytes]) : Buffer.from(bytes);
      assert.equal(typeof owner().receive(input, input.length), 'string');
    }),
  );
});

test('NdpResponder finds the source link-layer option among any well-formed options', () => {
  const option = fc.record({
    type: fc.integer({ min: 3, max: 255 }),
    units: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(option, { maxLength: 4 }), (options) => {
      const extra = Buffer.concat(
        options.map(({ type, units }) =>
          Buffer.concat([Buffer.of(type, units), Buffer.alloc(units * 8 - 2, 7)]),
        ),
      );
      const bytes = Buffer.concat([solicitation.subarray(0, 78), extra, solicitation.subarray(78)]);
      bytes.writeUInt16BE(32 + extra.length, 18);
      const ndp = owner();
      const sealed = withChecksum(bytes);
      assert.equal(ndp.receive(sealed, sealed.length), 'answer');
      assert.equal(hex(ndp.reply), captured.advertisement);
    }),
  );
});

test("encodeDuplicateAddressProbe() writes the kernel's frame without the nonce option", () => {
  const mac = macFrom('02:00:00:00:00:0b');
  const expected = withChecksum(changed(frame(captured.duplicateAddressProbe).subarray(0, 78), { 19: 24 }));
  assert.equal(hex(encodeDuplicateAddressProbe(mac, ip('2001:db8::b'))), hex(expected));
});

test('encodeUnsolicitedAdvertisement() sends to the group of all nodes, and sets only the Override flag', () => {
  const bytes = encodeUnsolicitedAdvertisement(ownMac, ip('2001:db8::a'));
  const expected = withChecksum(
    Buffer.concat([
      frame('333300000001'),
      frame(captured.advertisement).subarray(6, 38),
      frame('ff020000000000000000000000000001'),
      frame(captured.advertisement).subarray(54, 58),
      frame('20'),
      frame(captured.advertisement).subarray(59),
    ]),
  );
  assert.equal(hex(bytes), hex(expected));
});

test('solicitedNodeGroup() returns the example of RFC 4291 section 2.7.1', () => {
  const group = solicitedNodeGroup(ip('4037::1:800:200e:8c6c'));
  assert.equal(hex(group), 'ff0200000000000000000001ff0e8c6c');
  assert.equal(formatMac(groupMac(group)), '33:33:ff:0e:8c:6c');
});
