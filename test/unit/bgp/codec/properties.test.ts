import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { prefixOf } from '../../../../src/address/index.ts';
import { encodeMessage, type ReceiveOptions } from '../../../../src/bgp/codec/index.ts';
import type {
  AsPathSegment,
  Capability,
  Message,
  Nlri,
  PathAttributes,
  UpdateMessage,
} from '../../../../src/bgp/message.ts';
import { asesOutside } from '../../../fuzz/bgp-message-check.ts';
import { decoded, decodedUpdate, external, readable } from './wire.ts';

/** Generates records that have a prototype, as decoded values do. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}
/** The options for a record in which any field may be absent. */
const partial: { noNullPrototype: true; requiredKeys: [] } = { noNullPrototype: true, requiredKeys: [] };
const uint8 = fc.nat(0xff);
const uint16 = fc.nat(0xffff);
const uint32 = fc.nat(0xffff_ffff);
const asn = uint32.map((value) => value || 1);
const octetsOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const afiSafi = record({ afi: uint16, safi: uint8 });

/** Octets of the longest name that the encoder does not cut. */
const longestName = 64;
const name = fc
  .string({ maxLength: 16, size: 'max', unit: 'grapheme' })
  .filter((text) => Buffer.byteLength(text) <= longestName);
const capability: fc.Arbitrary<Capability> = fc.oneof(
  afiSafi.map((family) => ({ kind: 'multiprotocol', family }) as const),
  fc.constantFrom(
    { kind: 'route-refresh' } as const,
    { kind: 'extended-message' } as const,
    { kind: 'enhanced-route-refresh' } as const,
    { kind: 'bfd-strict' } as const,
  ),
  fc
    .array(record({ afi: uint16, safi: uint16, nextHopAfi: uint16 }), { maxLength: 5 })
    .map((tuples) => ({ kind: 'extended-next-hop', tuples }) as const),
  asn.map((value) => ({ kind: 'four-octet-as', asn: value }) as const),
  fc
    .array(record({ afi: uint16, safi: uint8, mode: uint8 }), { maxLength: 5 })
    .map((tuples) => ({ kind: 'add-path', tuples }) as const),
  record({ host: name, domain: name }).map((names) => ({ kind: 'fqdn', ...names }) as const),
  record({
    code: fc.integer({ min: 75, max: 255 }),
    value: fc.uint8Array({ maxLength: 40, size: 'max' }),
  }).map((unknown) => ({ kind: 'unknown', ...unknown }) as const),
);
const gracefulRestart: fc.Arbitrary<Capability> = record({
  kind: fc.constant('graceful-restart' as const),
  restarting: fc.boolean(),
  notification: fc.boolean(),
  restartTimeSeconds: fc.nat(4095),
  families: fc.array(record({ afi: uint16, safi: uint8, forwarding: fc.boolean() }), { maxLength: 5 }),
});
const longLived: fc.Arbitrary<Capability> = record({
  kind: fc.constant('long-lived-graceful-restart' as const),
  families: fc.array(
    record({
      afi: uint16,
      safi: uint8,
      forwarding: fc.boolean(),
      staleTimeSeconds: fc.nat(0xffffff),
    }),
    { maxLength: 5 },
  ),
});
const role: fc.Arbitrary<Capability> = record({ kind: fc.constant('role' as const), role: uint8 });

const message: fc.Arbitrary<Message> = fc.oneof(
  record({
    kind: fc.constant('open' as const),
    version: fc.constant(4),
    myAs: uint16.map((value) => value || 1),
    holdTimeSeconds: uint16.map((seconds) => (seconds === 1 || seconds === 2 ? 0 : seconds)),
    routerId: asn,
    capabilities: fc
      .tuple(
        fc.array(capability, { maxLength: 12, size: 'max' }),
        fc.array(gracefulRestart, { maxLength: 1 }),
        fc.array(longLived, { maxLength: 1 }),
        fc.array(role, { maxLength: 1 }),
      )
      .map((lists) => lists.flat()),
  }),
  record({
    kind: fc.constant('notification' as const),
    code: uint8,
    subcode: uint8,
    data: fc.uint8Array({ maxLength: 300, size: 'max' }),
  }),
  record({ kind: fc.constant('route-refresh' as const), afi: uint16, subtype: uint8, safi: uint8 }),
  fc.constant({ kind: 'keepalive' as const }),
);

function nlriOf(family: 4 | 6, hasPathId: boolean): fc.Arbitrary<Nlri[]> {
  const bits = family === 4 ? 32 : 128;
  const prefix = fc
    .tuple(fc.bigInt(0n, (1n << BigInt(bits)) - 1n), fc.nat(bits), uint32)
    .map(([value, length, pathId]) => {
      const of = prefixOf({ family, value }, length);
      return hasPathId ? { ...of, pathId } : of;
    });
  return fc.array(prefix, { maxLength: 20, size: 'max' });
}

const ipv4 = fc.tuple(fc.integer({ min: 1, max: 126 }), fc.nat(0xff_ffff)).map(([net, host]) => ({
  family: 4 as const,
  value: BigInt(net) * 2n ** 24n + BigInt(host),
}));
const ipv6 = fc.bigInt(0n, (1n << 128n) - 1n).map((value) => ({ family: 6 as const, value }));

const segment: fc.Arbitrary<AsPathSegment> = record({
  type: fc.constantFrom('sequence', 'set', 'confed-sequence', 'confed-set'),
  asns: fc.array(asn, { minLength: 1, maxLength: 300, size: 'max' }),
});

/** The segments as a round trip returns them, with at most 255 AS numbers each. */
function cut(path: readonly AsPathSegment[]): AsPathSegment[] {
  return path.flatMap(({ type, asns }) =>
    Array.from({ length: Math.ceil(asns.length / 255) }, (_, part) => ({
      type,
      asns: asns.slice(part * 255, part * 255 + 255),
    })),
  );
}

function listOf<T>(element: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(element, { minLength: 1, maxLength: 90, size: 'max' });
}

const attributes: fc.Arbitrary<PathAttributes> = fc
  .record(
    {
      med: uint32,
      localPref: uint32,
      atomicAggregate: fc.constant(true),
      aggregator: record({ asn, address: ipv4 }),
      communities: listOf(uint32),
      originatorId: uint32,
      clusterList: listOf(uint32),
      extendedCommunities: listOf(octetsOf(8)),
      largeCommunities: listOf(fc.tuple(uint32, uint32, uint32)),
      onlyToCustomer: asn,
      unknown: fc.uniqueArray(
        record({
          type: fc.integer({ min: 100, max: 255 }),
          flags: fc.constantFrom(0x80, 0xc0, 0xe0),
          value: fc.uint8Array({ maxLength: 300, size: 'max' }),
        }),
        { minLength: 1, maxLength: 4, selector: ({ type }) => type },
      ),
    },
    partial,
  )
  .map(({ unknown, ...known }) =>
    unknown ? { ...known, unknown: unknown.toSorted((a, b) => a.type - b.type) } : known,
  );

const families = [
  { afi: 1, safi: 1 },
  { afi: 2, safi: 1 },
];
const session: fc.Arbitrary<ReceiveOptions> = record({
  fourOctetAs: fc.boolean(),
  internal: fc.constant(true),
  extendedNextHop: fc.constant(true),
  receiveLimit: fc.constant(65535),
  addPath: fc.subarray(families),
});

const exchange: fc.Arbitrary<{ update: UpdateMessage; options: ReceiveOptions }> = session.chain(
  (options) => {
    const hasPathId = (afi: number) => options.addPath?.some((family) => family.afi === afi) ?? false;
    const nextHops = fc.oneof(fc.tuple(ipv6), fc.tuple(ipv6, ipv6));
    const mpReach = fc.oneof(
      record({
        afi: fc.constant(1),
        safi: fc.constant(1),
        nextHops: fc.oneof(fc.tuple(ipv4), nextHops),
        nlri: nlriOf(4, hasPathId(1)),
      }),
      record({ afi: fc.constant(2), safi: fc.constant(1), nextHops, nlri: nlriOf(6, hasPathId(2)) }),
    );
    const mpUnreach = record({
      afi: fc.constant(2),
      safi: fc.constant(1),
      withdrawn: nlriOf(6, hasPathId(2)),
    });
    const mandatory = record({
      origin: fc.constantFrom('igp', 'egp', 'incomplete'),
      asPath: fc.array(segment, { maxLength: 3 }),
      nextHop: ipv4,
    });
    const multiprotocol = fc.record({ mpReach, mpUnreach }, partial);
    return record({
      withdrawn: nlriOf(4, hasPathId(1)),
      nlri: nlriOf(4, hasPathId(1)),
      attributes: fc.tuple(mandatory, attributes, multiprotocol).map(
        (parts): PathAttributes => ({
          ...parts[0],
          ...parts[1],
          ...parts[2],
        }),
      ),
    }).map((parts) => ({ update: { kind: 'update' as const, ...parts }, options }));
  },
);

test('OPEN, NOTIFICATION, ROUTE-REFRESH and KEEPALIVE survive a round trip', () => {
  fc.assert(
    fc.property(message, (sent) => {
      assert.deepEqual(decoded(encodeMessage(sent, external)), sent);
    }),
    { numRuns: 400 },
  );
});

test('an UPDATE survives a round trip with and without four-octet AS numbers and ADD-PATH', () => {
  fc.assert(
    fc.property(exchange, ({ update, options }) => {
      const received = readable(decodedUpdate(encodeMessage(update, options), options));
      const expected = readable(update);
      const { asPath = [] } = update.attributes;
      if (options.fourOctetAs) {
        assert.deepEqual(received, { ...expected, asPath: cut(asPath) });
        return;
      }
      // Merging AS_PATH with AS4_PATH joins sequences and can drop confederation segments, so only AS numbers outside such segments are compared.
      const { asPath: merged = [] } = received;
      assert.deepEqual({ ...received, asPath: [] }, { ...expected, asPath: [] });
      assert.deepEqual(asesOutside(merged), asesOutside(asPath));
    }),
    { numRuns: 300 },
  );
});
