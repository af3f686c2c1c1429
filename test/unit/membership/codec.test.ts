import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePacket, encodePacket, updateSize } from '../../../src/membership/codec.ts';
import type { Body, Packet, Update } from '../../../src/membership/packet.ts';
import { digestBuckets } from '../../../src/membership/payload.ts';
import { textPayload, textPayloads } from '../../support/text-payloads.ts';

const text = fc.string({
  unit: fc.integer({ min: 33, max: 126 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 40,
});
const u32 = fc.nat(0xffff_ffff);
const u48 = fc.maxSafeNat().map((value) => value % 2 ** 48);
const endpoint = fc.record({ host: text, port: fc.nat(65535) });
const hashes = fc
  .array(u32, { minLength: digestBuckets, maxLength: digestBuckets })
  .map((all) => Uint32Array.from(all));
const body: fc.Arbitrary<Body> = fc.oneof(
  fc.record({ kind: fc.constant('ping' as const), sequence: u32 }),
  fc.record({ kind: fc.constant('ack' as const), sequence: u32, target: text }),
  fc.record({ kind: fc.constant('ping-request' as const), sequence: u32, target: text, endpoint }),
  fc.record({ kind: fc.constant('verify' as const), target: text, incarnation: u48 }),
  fc.record({
    kind: fc.constant('digest' as const),
    members: hashes,
    payloads: hashes,
    wantsReply: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('gossip' as const, 'records' as const) }),
);
const update: fc.Arbitrary<Update> = fc.oneof(
  text.map(textPayload),
  fc.record({
    kind: fc.constant('member' as const),
    name: text,
    state: fc.constantFrom('alive' as const, 'suspect' as const, 'dead' as const, 'left' as const),
    incarnation: u48,
    endpoint,
    metadata: text,
  }),
);
const packet: fc.Arbitrary<Packet> = fc.record({
  from: text,
  incarnation: u48,
  summary: u32,
  body,
  updates: fc.array(update),
});

/** Updates with octets as text, whichever class holds them. */
function comparable(updates: readonly Update[]): unknown[] {
  return updates.map((each) =>
    each.kind === 'payload' ? { ...each, octets: Buffer.from(each.octets).toString('hex') } : each,
  );
}

test('a packet is read as it was written, and its updates take the room that was counted', () => {
  fc.assert(
    fc.property(packet, (drawn) => {
      const written = structuredClone(drawn);
      const bytes = encodePacket(written);
      const read = decodePacket(bytes, textPayloads);
      assert.ok(read.ok);
      assert.deepEqual(comparable(read.value.updates), comparable(written.updates));
      assert.deepEqual({ ...read.value, updates: [] }, { ...written, updates: [] });
      const without = encodePacket({ ...written, updates: [] }).length;
      const counted = written.updates.reduce((sum, each) => sum + updateSize(each), 0);
      assert.ok(bytes.length - without <= counted, 'never more than counted');
    }),
  );
});

test('a packet cut anywhere is refused, or is one with fewer updates', () => {
  fc.assert(
    fc.property(packet, fc.nat(), (drawn, at) => {
      const written = structuredClone(drawn);
      const bytes = encodePacket(written);
      const cut = decodePacket(bytes.subarray(0, at % bytes.length), textPayloads);
      if (!cut.ok) return;
      const { updates } = cut.value;
      assert.deepEqual(comparable(updates), comparable(written.updates.slice(0, updates.length)));
    }),
  );
});

test('no octets crash the decoder', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void decodePacket(bytes, textPayloads)),
    { numRuns: 500 },
  );
});
