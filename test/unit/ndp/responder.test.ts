import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AddressIndex } from '../../../src/link/address-index.ts';
import { formatMac } from '../../../src/link/frame.ts';
import {
  encodeDuplicateAddressProbe,
  encodeUnsolicitedAdvertisement,
  groupMac,
  solicitedNodeGroup,
} from '../../../src/ndp/packet.ts';
import { NdpResponder } from '../../../src/ndp/responder.ts';
import {
  captured,
  changed,
  frame,
  hex,
  ip,
  mac as macFrom,
  tagged,
  withChecksum,
} from '../../support/neighbour-frames.ts';

const ownMac = macFrom('02:00:00:00:00:0a');
const solicitation = frame(captured.solicitation);
/** Without its source link-layer option. */
const bare = withChecksum(changed(solicitation.subarray(0, 78), { 19: 24 }));

function responder(text: string, answering = true, mac = ownMac) {
  const index = new AddressIndex<{ text: string; answering: boolean }>();
  index.set(ip(text), { text, answering });
  return new NdpResponder(mac, index);
}

const owner = () => responder('2001:db8::a');

describe('NdpResponder answers', () => {
  test('a solicitation to the group as the kernel does, octet for octet', () => {
    const ndp = owner();
    assert.equal(ndp.receive(solicitation, solicitation.length), 'answer');
    assert.equal(hex(ndp.reply), captured.advertisement);
    assert.equal(ndp.entry?.text, '2001:db8::a');
  });

  test('a solicitation without a link-layer option, to the station that the frame came from', () => {
    const ndp = owner();
    assert.equal(ndp.receive(bare, bare.length), 'answer');
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

  test('duplicate address detection to all nodes, not solicited', () => {
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

  test('a frame longer than the packet in it', () => {
    const ndp = owner();
    const bytes = Buffer.concat([solicitation, Buffer.alloc(6, 0xff)]);
    assert.equal(ndp.receive(bytes, bytes.length), 'answer');
  });
});

describe('NdpResponder stays silent (RFC 4861 section 7.1.1):', () => {
  const probe = frame(captured.duplicateAddressProbe);
  for (const [name, bytes, verdict] of [
    ['hop limit below 255', changed(solicitation, { 21: 254 }), 'hop-limit'],
    ['wrong checksum', changed(solicitation, { 57: 4 }), 'checksum'],
    ['code other than 0', withChecksum(changed(solicitation, { 55: 1 })), 'malformed'],
    ['not version 6', changed(solicitation, { 14: 0x40 }), 'malformed'],
    ['not ICMPv6', changed(solicitation, { 20: 17 }), 'malformed'],
    ['multicast target', withChecksum(changed(solicitation, { 62: 0xff })), 'malformed'],
    ['option of length 0', withChecksum(changed(solicitation, { 79: 0 })), 'malformed'],
    ['option past the end', withChecksum(changed(solicitation, { 79: 2 })), 'malformed'],
    ['router solicitation', withChecksum(changed(solicitation, { 54: 133 })), 'malformed'],
    ['from nowhere, but not to a solicited-node group', withChecksum(changed(probe, { 49: 2 })), 'malformed'],
    ['from nowhere, with a link-layer option', withChecksum(changed(probe, { 78: 1 })), 'malformed'],
    ['for another address', withChecksum(changed(solicitation, { 77: 9 })), 'unknown-address'],
    ['to another station', changed(solicitation, { 0: 2 }), 'not-for-us'],
    ['of a VLAN', tagged(solicitation, 7), 'other-vlan'],
    ['our own frame', changed(solicitation, { 11: 10 }), 'own-frame'],
    ['from a group MAC', changed(solicitation, { 6: 3 }), 'malformed'],
  ] as const)
    test(name, () => assert.equal(owner().receive(bytes, bytes.length), verdict));

  test('cut off at any octet', () => {
    for (let length = 0; length < solicitation.length; length++)
      assert.equal(owner().receive(solicitation, length), 'malformed', `${length} octets`);
  });

  test('any octet of the packet changed: the checksum or a field tells', () => {
    for (let at = 14; at < solicitation.length; at++) {
      // Traffic class and flow label are covered by nothing.
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

  test('about an address that is only probed', () => {
    assert.equal(responder('2001:db8::a', false).receive(solicitation, 86), 'unknown-address');
  });
});

describe('NdpResponder reports a claim:', () => {
  test('an advertisement of another station', () => {
    const ndp = responder('2001:db8::a', true, macFrom('02:00:00:00:00:0b'));
    assert.equal(ndp.receive(frame(captured.advertisement), 86), 'claim');
    assert.equal(formatMac(ndp.claimant), '02:00:00:00:00:0a');
  });

  test('a solicitation that comes from the address', () => {
    const ndp = responder('2001:db8::b');
    assert.equal(ndp.receive(solicitation, 86), 'claim');
    assert.equal(formatMac(ndp.claimant), '02:00:00:00:00:0b');
  });

  test("another host's probe, while probing (RFC 4862 section 5.4.3)", () => {
    const bytes = frame(captured.duplicateAddressProbe);
    assert.equal(responder('2001:db8::b', false).receive(bytes, bytes.length), 'claim');
  });

  test('not for an advertisement with the solicited flag to a group', () => {
    const bytes = withChecksum(
      changed(frame(captured.advertisement), { 0: 0x33, 1: 0x33, 5: 1, 38: 0xff, 39: 2 }),
    );
    assert.equal(
      responder('2001:db8::a', true, macFrom('02:00:00:00:00:0c')).receive(bytes, 86),
      'malformed',
    );
  });
});

test('NdpResponder judges any octets without throwing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 160 }), fc.boolean(), (bytes, realistic) => {
      const input = realistic ? Buffer.concat([solicitation.subarray(0, 54), bytes]) : Buffer.from(bytes);
      assert.equal(typeof owner().receive(input, input.length), 'string');
    }),
  );
});

test('NdpResponder accepts any options that are well formed and finds the source among them', () => {
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

test('encodeDuplicateAddressProbe() writes what the kernel writes, but for the nonce', () => {
  const mac = macFrom('02:00:00:00:00:0b');
  const expected = withChecksum(changed(frame(captured.duplicateAddressProbe).subarray(0, 78), { 19: 24 }));
  assert.equal(hex(encodeDuplicateAddressProbe(mac, ip('2001:db8::b'))), hex(expected));
});

test('encodeUnsolicitedAdvertisement() speaks to all nodes with override set and the others clear', () => {
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

test('solicitedNodeGroup() is that of RFC 4291 section 2.7.1', () => {
  const group = solicitedNodeGroup(ip('4037::1:800:200e:8c6c'));
  assert.equal(hex(group), 'ff0200000000000000000001ff0e8c6c');
  assert.equal(formatMac(groupMac(group)), '33:33:ff:0e:8c:6c');
});
