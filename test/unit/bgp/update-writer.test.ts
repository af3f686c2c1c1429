import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Family, formatIp, formatPrefix, type Prefix } from '../../../src/address/index.ts';
import { decodeMessage, FrameReader } from '../../../src/bgp/codec/index.ts';
import { AdjRibOut } from '../../../src/bgp/rib/adj-rib-out.ts';
import { AttributeTable } from '../../../src/bgp/rib/attribute-table.ts';
import { PrefixTable } from '../../../src/bgp/rib/prefix-table.ts';
import { UpdateWriter, type WireSession } from '../../../src/bgp/rib/update-writer.ts';
import type { RouteAttributes } from '../../../src/bgp/speaker-api.ts';
import { ip, prefix } from '../../support/addresses.ts';

const plain: RouteAttributes = { asPathPrepend: 0, communities: [], largeCommunities: [] };
const external: WireSession = {
  internal: false,
  localAsn: 64512,
  fourOctetAs: true,
  sendLimit: 4096,
  nextHops: { 4: [ip('192.0.2.1')], 6: [ip('2001:db8::1')] },
};

function fixture(session: Partial<WireSession> = {}) {
  const prefixes = new PrefixTable();
  const attributes = new AttributeTable();
  const rib = new AdjRibOut(prefixes, attributes);
  const writer = new UpdateWriter(rib, prefixes, attributes, { ...external, ...session });
  rib.up([4, 6], false);
  return {
    rib,
    writer,
    /** The messages that bring the peer up to date. */
    frames(): Uint8Array[] {
      const reader = new FrameReader();
      const frames: Uint8Array[] = [];
      for (let written = writer.next(); written; written = writer.next()) {
        reader.push(written.bytes);
        for (let frame = reader.next(65535); frame; frame = reader.next(65535)) {
          assert.ok(frame.ok);
          frames.push(frame.value);
        }
      }
      return frames;
    },
  };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const marker = 'ff'.repeat(16);

function updates(frames: readonly Uint8Array[]) {
  return frames.map((frame) => {
    const decoded = decodeMessage(frame, {
      receiveLimit: 65535,
      fourOctetAs: true,
      internal: false,
      extendedNextHop: true,
    });
    assert.ok(decoded.ok && decoded.value.message.kind === 'update');
    assert.deepEqual(decoded.value.faults, []);
    return decoded.value.message;
  });
}

describe('UpdateWriter: encoding by RFC 4271 section 4.3 and RFC 4760', () => {
  test('IPv4 routes travel in NLRI, with NEXT_HOP', () => {
    const { rib, frames } = fixture();
    rib.announce(prefix('198.51.100.1/32'), plain);
    assert.deepEqual(frames().map(hex), [
      `${marker}0030` +
        '02' +
        '0000' +
        '0014' +
        '40010100' +
        '4002060201' +
        '0000fc00' +
        '400304c0000201' +
        '20c6336401',
    ]);
  });

  test('IPv6 routes travel in MP_REACH_NLRI, which is the first attribute', () => {
    const { rib, frames } = fixture();
    rib.announce(prefix('2001:db8:100::/64'), plain);
    assert.deepEqual(frames().map(hex), [
      `${marker}0046` +
        '02' +
        '0000' +
        '002f' +
        '900e001e' +
        '0002' +
        '01' +
        '10' +
        '20010db8000000000000000000000001' +
        '00' +
        '4020010db801000000' +
        '40010100' +
        '4002060201' +
        '0000fc00',
    ]);
  });

  test('withdrawals and End-of-RIB of IPv6 travel in MP_UNREACH_NLRI, and those of IPv4 need no attribute', () => {
    const { rib, frames } = fixture();
    rib.announce(prefix('198.51.100.1/32'), plain);
    rib.announce(prefix('2001:db8:100::/64'), plain);
    frames();
    rib.withdraw(prefix('198.51.100.1/32'));
    rib.withdraw(prefix('2001:db8:100::/64'));
    rib.synced();
    assert.deepEqual(frames().map(hex), [
      `${marker}001c02000520c63364010000`,
      `${marker}00270200000010900f000c0002014020010db801000000`,
      `${marker}00170200000000`,
      `${marker}001e0200000007900f0003000201`,
    ]);
  });

  test('IPv4 with an IPv6 next hop travels in MP_REACH_NLRI without NEXT_HOP (RFC 8950)', () => {
    const { rib, frames } = fixture({ nextHops: { 4: [ip('2001:db8::1')] } });
    rib.announce(prefix('198.51.100.1/32'), plain);
    const [update] = updates(frames());
    assert.equal(update?.attributes.nextHop, undefined);
    assert.deepEqual(update?.attributes.mpReach?.nextHops.map(formatIp), ['2001:db8::1']);
    rib.withdraw(prefix('198.51.100.1/32'));
    const [withdrawal] = updates(frames());
    assert.deepEqual([...(withdrawal?.attributes.mpUnreach?.withdrawn ?? [])].map(formatPrefix), [
      '198.51.100.1/32',
    ]);
  });

  test('internal peers get LOCAL_PREF and no AS number, and external peers get AS numbers and no LOCAL_PREF', () => {
    const attributes = { ...plain, localPref: 250, asPathPrepend: 2 };
    const seen = (session: Partial<WireSession>) => {
      const { rib, frames } = fixture(session);
      rib.announce(prefix('198.51.100.1/32'), attributes);
      const frame = frames()[0];
      assert.ok(frame);
      const decoded = decodeMessage(frame, {
        receiveLimit: 4096,
        fourOctetAs: true,
        internal: session.internal ?? false,
        extendedNextHop: false,
      });
      assert.ok(decoded.ok && decoded.value.message.kind === 'update');
      const { localPref, asPath } = decoded.value.message.attributes;
      return { localPref, asns: (asPath ?? []).flatMap(({ asns }) => asns) };
    };
    assert.deepEqual(seen({}), { localPref: undefined, asns: [64512, 64512, 64512] });
    assert.deepEqual(seen({ internal: true }), { localPref: 250, asns: [] });
  });
});

describe('UpdateWriter: packing', () => {
  const host = (family: Family, i: number): Prefix =>
    family === 4
      ? { family, value: 0x0a000000n + BigInt(i), length: 32 }
      : { family, value: (0x20010db8n << 96n) + BigInt(i), length: 128 };

  for (const family of [4, 6] as const)
    for (const [sendLimit, count] of [
      [4096, 3000],
      [65535, family === 4 ? 14_000 : 4000],
    ] as const)
      test(`announcements and withdrawals of ${count} host routes of IPv${family} fill messages of ${sendLimit} octets`, () => {
        const { rib, frames } = fixture({ sendLimit });
        for (let i = 0; i < count; i++) rib.announce(host(family, i), plain);
        const octets = family === 4 ? 5 : 17;
        for (const way of ['announced', 'withdrawn'] as const) {
          const sent = frames();
          assert.ok(sent.length > 1);
          assert.ok(sent.every((frame) => frame.length <= sendLimit));
          for (const frame of sent.slice(0, -1))
            assert.ok(sendLimit - frame.length < octets, 'one more prefix would not fit');
          const lists = updates(sent).map(({ nlri, withdrawn, attributes }) =>
            way === 'announced'
              ? [...nlri, ...(attributes.mpReach?.nlri ?? [])]
              : [...withdrawn, ...(attributes.mpUnreach?.withdrawn ?? [])],
          );
          assert.equal(new Set(lists.flat().map(formatPrefix)).size, count);
          for (let i = 0; i < count; i++) rib.withdraw(host(family, i));
        }
      });

  test('a few octets that wait for the socket do not keep a large buffer', () => {
    const { rib, writer } = fixture();
    rib.announce(host(4, 1), plain);
    const bytes = writer.next()?.bytes ?? assert.fail();
    assert.ok(bytes.length < 200);
    assert.ok(bytes.buffer.byteLength < 1024, `${bytes.buffer.byteLength} octets`);
  });

  test('attributes that fit into no message are refused without being encoded', () => {
    for (const huge of [
      { communities: Array.from({ length: 20_000 }, (_, i) => i) },
      { largeCommunities: Array.from({ length: 6000 }, (_, i) => [1, 2, i] as const) },
      { asPathPrepend: 40_000 },
    ]) {
      const { rib, writer } = fixture();
      rib.announce(host(4, 1), { ...plain, ...huge });
      rib.announce(host(6, 1), { ...plain, ...huge });
      writer.next();
      assert.deepEqual([rib.desiredCount, rib.sentCount, rib.refusedCount], [2, 0, 2]);
    }
  });

  test('a route whose attributes leave no room for a prefix delays no other route, and the older version of that route is withdrawn', () => {
    const { rib, writer } = fixture();
    const communities = Array.from({ length: 1100 }, (_, i) => i);
    const counts = () => [rib.desiredCount, rib.sentCount, rib.refusedCount, rib.queuedCount];
    rib.announce(host(4, 1), plain);
    writer.next();
    rib.announce(host(4, 1), { ...plain, communities });
    rib.announce(host(4, 2), plain);
    rib.announce(host(6, 3), { ...plain, communities });
    assert.deepEqual(writer.next()?.updates, [1, 1], 'one announcement, one withdrawal');
    assert.deepEqual(counts(), [3, 1, 2, 0]);
    assert.equal(writer.next(), undefined);
    rib.announce(host(4, 4), { ...plain, communities });
    assert.deepEqual(counts(), [4, 1, 3, 0], 'refused attributes are not tried again');
    rib.announce(host(4, 1), plain);
    rib.withdraw(host(4, 4));
    rib.withdraw(host(6, 3));
    assert.deepEqual(writer.next()?.updates, [1]);
    assert.deepEqual(counts(), [2, 2, 0, 0]);
  });
});
