import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  encodeArp,
  encodeArpAnnouncement,
  encodeArpProbe,
  encodeArpRequest,
  readArpReply,
} from '../../../src/arp/packet.ts';
import { ArpResponder } from '../../../src/arp/responder.ts';
import { AddressIndex } from '../../../src/link/address-index.ts';
import { formatMac } from '../../../src/link/frame.ts';
import { ip } from '../../support/addresses.ts';
import { captured, changed, frame, hex, mac as macFrom, tagged } from '../../support/neighbour-frames.ts';

const ownMac = macFrom('02:00:00:00:00:0a');

function responder(...addresses: { text: string; answering: boolean }[]) {
  const index = new AddressIndex<{ text: string; answering: boolean }>();
  for (const state of addresses) index.set(ip(state.text), state);
  return new ArpResponder(ownMac, index);
}

const owner = () => responder({ text: '192.0.2.1', answering: true });

test('encodeArpRequest() writes a request octet for octet like the kernel', () => {
  const request = encodeArpRequest(macFrom('02:00:00:00:00:0b'), ip('192.0.2.2'), ip('192.0.2.1'));
  assert.equal(hex(request), captured.arpRequest);
});

test('readArpReply() reads a reply of the kernel, and refuses other kinds of frames and truncated replies', () => {
  const reply = frame(captured.arpReply);
  const read = readArpReply(reply, reply.length);
  assert.deepEqual(read?.address, ip('192.0.2.1'));
  assert.equal(formatMac(reply, read?.macAt), '02:00:00:00:00:0a');
  for (const other of [captured.arpRequest, captured.arpProbe, captured.advertisement])
    assert.equal(readArpReply(frame(other), other.length / 2), undefined);
  for (let length = 0; length < reply.length; length++) assert.equal(readArpReply(reply, length), undefined);
});

test('ArpResponder answers requests for an address on trial only when they come from other speakers', () => {
  const index = new AddressIndex<{ answering: boolean; isOnTrial: boolean }>();
  index.set(ip('192.0.2.1'), { answering: false, isOnTrial: true });
  const request = frame(captured.arpRequest);
  const speaker = '02:00:00:00:00:0b';
  const verdict = (mac: string) =>
    new ArpResponder(ownMac, index, (each) => each === mac).receive(request, request.length);
  assert.equal(verdict(speaker), 'answer');
  assert.equal(verdict('02:00:00:00:00:0c'), 'unknown-address');
});

describe('ArpResponder answers octet for octet like the kernel:', () => {
  for (const [name, request, reply] of [
    ['a broadcast request', captured.arpRequest, captured.arpReply],
    ['a unicast request', captured.arpUnicastRequest, captured.arpReply],
    ['a probe', captured.arpProbe, captured.arpProbeReply],
  ] as const)
    test(name, () => {
      const arp = owner();
      assert.equal(arp.receive(frame(request), request.length / 2), 'answer');
      assert.equal(hex(arp.reply), reply);
      assert.equal(arp.matched?.text, '192.0.2.1');
    });

  test('a request with a priority tag (the reply has no tag)', () => {
    const arp = owner();
    const request = tagged(frame(captured.arpRequest), 0);
    assert.equal(arp.receive(request, request.length), 'answer');
    assert.equal(hex(arp.reply), captured.arpReply);
  });

  test('a request padded to the minimum length of Ethernet', () => {
    const arp = owner();
    assert.equal(arp.receive(Buffer.concat([frame(captured.arpRequest), Buffer.alloc(18)]), 60), 'answer');
  });

  test('a request after a probe (the second reply keeps nothing of the first one)', () => {
    const arp = owner();
    arp.receive(frame(captured.arpProbe), 42);
    arp.receive(frame(captured.arpRequest), 42);
    assert.equal(hex(arp.reply), captured.arpReply);
  });
});

describe('ArpResponder does not answer:', () => {
  const request = frame(captured.arpRequest);
  for (const [name, bytes, verdict] of [
    ['a request for another address', changed(request, { 41: 9 }), 'unknown-address'],
    [
      'a reply to another host',
      frame(
        captured.arpReply
          .replace('02000000000b', '02000000000a')
          .replace('02000000000ac0000201', '02000000000cc0000203'),
      ),
      'unknown-address',
    ],
    ['a frame for another station', changed(request, { 0: 2, 1: 0, 2: 0, 3: 0, 4: 0, 5: 12 }), 'not-for-us'],
    ['a frame with the tag of a VLAN', tagged(request, 5), 'other-vlan'],
    ['its own frame', changed(request, { 27: 10 }), 'own-frame'],
    ['a sender with a group MAC', changed(request, { 22: 3 }), 'malformed'],
    ['a sender whose MAC is all zeros', changed(request, { 22: 0, 27: 0 }), 'malformed'],
    ['hardware other than Ethernet', changed(request, { 15: 6 }), 'malformed'],
    ['a protocol other than IPv4', changed(request, { 16: 0x86 }), 'malformed'],
    ['a hardware address length other than 6', changed(request, { 18: 8 }), 'malformed'],
    ['an operation other than request and reply', changed(request, { 21: 3 }), 'malformed'],
  ] as const)
    test(name, () => assert.equal(owner().receive(bytes, bytes.length), verdict));

  test('a request truncated at any octet', () => {
    for (let length = 0; length < request.length; length++)
      assert.equal(owner().receive(request, length), 'malformed', `${length} octets`);
  });

  test('a request for an address that we are still probing', () => {
    assert.equal(
      responder({ text: '192.0.2.1', answering: false }).receive(request, request.length),
      'unknown-address',
    );
  });
});

describe('ArpResponder reports a conflict:', () => {
  for (const [name, bytes] of [
    ['a gratuitous request', captured.arpGratuitousRequest],
    ['a gratuitous reply', captured.arpGratuitousReply],
    ['a request for another address, sent from the address in conflict', captured.arpRequest],
  ] as const)
    for (const answering of [true, false])
      test(`${name}, ${answering ? 'while answering' : 'while probing'}`, () => {
        const arp = responder({ text: '192.0.2.2', answering });
        assert.equal(arp.receive(frame(bytes), bytes.length / 2), 'conflict');
        assert.equal(formatMac(arp.conflictingMac), '02:00:00:00:00:0b');
        assert.equal(arp.matched?.text, '192.0.2.2');
      });

  test("another host's probe for an address that we are probing (RFC 5227 section 2.1.1)", () => {
    const arp = responder({ text: '192.0.2.1', answering: false });
    assert.equal(arp.receive(frame(captured.arpProbe), 42), 'conflict');
  });
});

test('ArpResponder does not answer a request when any octet that it must check has another value', () => {
  const request = frame(captured.arpRequest);
  // EtherType, the fixed ARP fields, the operation, and our address.
  const decisive = new Set([12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 38, 39, 40, 41]);
  for (let at = 0; at < request.length; at++)
    for (let value = 0; value < 256; value++) {
      if (value === request[at]) continue;
      const verdict = owner().receive(changed(request, { [at]: value }), request.length);
      if (decisive.has(at)) assert.notEqual(verdict, 'answer', `octet ${at} = ${value}`);
    }
});

test('ArpResponder judges arbitrary octets without throwing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80, size: 'max' }), (bytes) => {
      assert.equal(typeof owner().receive(bytes, bytes.length), 'string');
    }),
  );
});

test('encodeArp() writes the same frames as the kernel and arping, but sets the target MAC to zeros where arping sets it to all ones', () => {
  const mac = macFrom('02:00:00:00:00:0b');
  const broadcast = macFrom('ff:ff:ff:ff:ff:ff');
  const common = { destination: broadcast, senderMac: mac, senderIp: ip('192.0.2.2') } as const;
  assert.equal(
    hex(encodeArp({ ...common, operation: 'request', targetIp: ip('192.0.2.1') })),
    captured.arpRequest,
  );
  const [request, reply] = encodeArpAnnouncement(mac, ip('192.0.2.2'));
  assert.equal(hex(reply), captured.arpGratuitousReply);
  assert.equal(
    hex(request),
    captured.arpGratuitousRequest.replace('c0000202ffffffffffff', 'c0000202000000000000'),
  );
  assert.equal(
    hex(encodeArpProbe(mac, ip('192.0.2.1'))),
    captured.arpProbe.replace('00000000ffffffffffff', '00000000000000000000'),
  );
});
