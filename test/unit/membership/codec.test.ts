import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePacket, encodePacket, updateSize } from '../../../src/membership/codec.ts';
import { isDeliverable } from '../../../src/membership/endpoint.ts';
import { treeWidth } from '../../../src/membership/hash-tree.ts';
import {
  type Body,
  type Branch,
  maxBranches,
  type Packet,
  type Update,
} from '../../../src/membership/packet.ts';
import { textPayload, textPayloads } from '../../support/text-payloads.ts';

const text = fc.string({
  unit: fc.integer({ min: 33, max: 126 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 40,
  size: 'max',
});
const u32 = fc.nat(0xffff_ffff);
const epochMs = 1_700_000_000_000;
const dayMs = 86_400_000;
const context = { payloads: textPayloads, epochMs, readsBranches: true };
const incarnation = fc.nat(epochMs + dayMs);
const host = fc.oneof(fc.ipV4(), fc.ipV6()).filter((each) => isDeliverable({ host: each, port: 1 }));
const endpoint = fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) });
const hashes = fc
  .array(u32, { minLength: treeWidth, maxLength: treeWidth })
  .map((all) => Uint32Array.from(all));
const body: fc.Arbitrary<Body> = fc.oneof(
  fc.record({ kind: fc.constant('ping' as const), sequence: u32 }),
  fc.record({ kind: fc.constant('ack' as const), sequence: u32, target: text }),
  fc.record({ kind: fc.constant('ping-request' as const), sequence: u32, target: text, endpoint }),
  fc.record({ kind: fc.constant('verify' as const), target: text, incarnation }),
  fc.record({
    kind: fc.constant('digest' as const),
    members: hashes,
    payloads: hashes,
    wantsReply: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('branches' as const),
    branches: fc.array(
      fc.record({
        tree: fc.constantFrom('members' as const, 'payloads' as const),
        bucket: fc.nat(treeWidth - 1),
        leaves: hashes,
      }),
      { maxLength: maxBranches },
    ),
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
    incarnation,
    endpoint,
    metadata: text,
  }),
);
const packet: fc.Arbitrary<Packet> = fc.record({
  from: text,
  incarnation,
  summary: u32,
  readsBranches: fc.constant(true),
  body,
  updates: fc.array(update),
});

/** Updates with their octets in hexadecimal, so that a Buffer equals a Uint8Array. */
function comparable(updates: readonly Update[]): unknown[] {
  return updates.map((each) =>
    each.kind === 'payload' ? { ...each, octets: Buffer.from(each.octets).toString('hex') } : each,
  );
}

test('a packet survives a round trip, and its updates take no more octets than updateSize() says', () => {
  fc.assert(
    fc.property(packet, (drawn) => {
      const written = structuredClone(drawn);
      const bytes = encodePacket(written);
      const read = decodePacket(bytes, context);
      assert.ok(read.ok);
      assert.deepEqual(comparable(read.value.updates), comparable(written.updates));
      assert.deepEqual({ ...read.value, updates: [] }, { ...written, updates: [] });
      const without = encodePacket({ ...written, updates: [] }).length;
      const counted = written.updates.reduce((sum, each) => sum + updateSize(each), 0);
      assert.ok(bytes.length - without <= counted, 'never more than updateSize says');
    }),
  );
});

test('a packet that is cut at any octet does not decode, or loses only its last updates', () => {
  fc.assert(
    fc.property(packet, fc.nat(), (drawn, at) => {
      const written = structuredClone(drawn);
      const bytes = encodePacket(written);
      const cut = decodePacket(bytes.subarray(0, at % bytes.length), context);
      if (!cut.ok) return;
      const { updates } = cut.value;
      assert.deepEqual(comparable(updates), comparable(written.updates.slice(0, updates.length)));
    }),
  );
});

test('no input makes the decoder throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400, size: 'max' }), (bytes) => void decodePacket(bytes, context)),
    { numRuns: 500 },
  );
});

test('the decoder refuses a packet with more branches than the maximum, or with a bucket that no tree has', () => {
  const branch = { tree: 'members', bucket: treeWidth - 1, leaves: new Uint32Array(treeWidth) } as const;
  const decodes = (branches: readonly Branch[]) =>
    decodePacket(
      encodePacket({
        ...{ from: 'a', incarnation: 1, summary: 0, readsBranches: true, updates: [] },
        body: { kind: 'branches', branches, wantsReply: true },
      }),
      context,
    ).ok;
  assert.ok(decodes(Array.from({ length: maxBranches }, () => branch)));
  assert.equal(decodes(Array.from({ length: maxBranches + 1 }, () => branch)), false);
  assert.equal(decodes([{ ...branch, bucket: treeWidth }]), false);
});

test('the decoder refuses values beyond their bounds', () => {
  const member = {
    kind: 'member',
    name: 'b',
    state: 'alive',
    incarnation: 1,
    endpoint: { host: '192.0.2.2', port: 7946 },
    metadata: '',
  } as const;
  const plain = {
    from: 'a',
    incarnation: 1,
    summary: 0,
    readsBranches: true,
    body: { kind: 'gossip' },
    updates: [member],
  } as const;
  const decodes = (over: Partial<Packet>) => decodePacket(encodePacket({ ...plain, ...over }), context).ok;
  const keeps = (incarnation: number, now = epochMs) => {
    const packet = encodePacket({ ...plain, updates: [{ ...member, incarnation }, textPayload('kept')] });
    const read = decodePacket(packet, { ...context, epochMs: now });
    assert.ok(read.ok, 'the packet is decoded even if one of its updates is refused');
    return read.value.updates.length === 2;
  };
  const withMember = (over: Partial<Update>) => decodes({ updates: [{ ...member, ...over } as Update] });
  const pingOf = (host: string, port: number) =>
    decodes({ body: { kind: 'ping-request', sequence: 1, target: 'b', endpoint: { host, port } } });

  assert.ok(keeps(epochMs + dayMs));
  assert.equal(keeps(epochMs + dayMs + 1), false);
  assert.equal(keeps(2 ** 48 - 1), false);
  assert.ok(keeps(2 ** 47 - 2, 2 ** 48));
  assert.equal(keeps(2 ** 47 - 1, 2 ** 48), false, 'no refutation could have a greater incarnation');
  assert.ok(
    decodes({ incarnation: epochMs + dayMs + 1 }),
    'a sender that has refuted an update at the limit has an incarnation beyond it',
  );
  assert.equal(decodes({ incarnation: 2 ** 48 - 1 }), false);

  assert.ok(withMember({ endpoint: { host: '', port: 7946 } }), 'a member does not state its own address');
  assert.equal(withMember({ endpoint: { host: '', port: 0 } }), false);
  assert.equal(withMember({ endpoint: { host: '192.0.2.2', port: 0 } }), false);
  assert.equal(withMember({ endpoint: { host: 'node-b', port: 7946 } }), false);
  assert.equal(withMember({ endpoint: { host: '224.0.0.1', port: 7946 } }), false);
  for (const name of ['', 'b\u001b[31m', 'b\u009b', 'a b', 'x'.repeat(254)]) {
    assert.equal(withMember({ name }), false, JSON.stringify(name));
    assert.equal(decodes({ from: name }), false, JSON.stringify(name));
  }
  assert.ok(withMember({ name: 'x'.repeat(253) }));
  assert.ok(withMember({ metadata: 'x'.repeat(1000) }));
  assert.equal(withMember({ metadata: 'x'.repeat(1001) }), false);
  assert.ok(pingOf('192.0.2.2', 7946));
  assert.equal(pingOf('192.0.2.2', 0), false);
  assert.equal(pingOf('node-b', 7946), false);
});
