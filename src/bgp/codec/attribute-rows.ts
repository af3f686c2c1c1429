/**
 * The path attributes, one row each: type, flags, treatment of a malformed value (RFC 7606 section 7), decoder and encoder. MP_REACH_NLRI
 * and MP_UNREACH_NLRI are in multiprotocol.ts, because their errors end the session.
 *
 * To add an attribute, add a row here, a field of PathAttributes in ../message.ts, and random values in
 * test/unit/bgp/codec/properties.test.ts. If `number` or `list` of attribute-row.ts makes the row, add the field to the type of their parameter
 * `key` too. test/fuzz/bgp-message-check.ts counts the elements of every list, so count a new list there as well.
 *
 * If our routes carry the attribute, add a field of RouteAttributes in ../speaker-api.ts as well. Two routes with different values must not
 * share an attribute set, so add the field to the key in ../rib/attribute-table.ts. Add the attribute to `pathAttributes` in
 * ../rib/update-writer.ts, and to the estimate in `#fitting` there if its length varies. CONTRIBUTING.md names the files to change for a
 * key of the configuration. In src/speaker/, plan/peer-routes.ts takes the value from the configuration, and route-table.ts merges the
 * values where Services share a prefix. `bellman explain` shows the attributes of a route: see ../../report/explain/ and
 * ../../cli/explain/text.ts.
 */
import { ipFromBytes, ipToBytes } from '../../address/index.ts';
import type { PathAttributes } from '../message.ts';
import { as4PathOf, asTrans, decodeAsPath, writeAsPath } from './as-path.ts';
import {
  type AttributeRow,
  AttributeType,
  isRowsOf,
  judged,
  list,
  number,
  optional,
  optionalTransitive,
  type Problem,
  wellKnown,
  wrongLength,
} from './attribute-row.ts';
import { UpdateSubcode } from './errors.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16, readUint32 } from './octets.ts';
import { judgePmsiTunnel, judgeTunnelEncapsulation } from './tunnel-attributes.ts';

const origins = ['igp', 'egp', 'incomplete'] as const;

export const attributeRows: ReadonlyMap<number, AttributeRow> = new Map<number, AttributeRow>([
  [
    AttributeType.origin,
    {
      name: 'ORIGIN',
      flags: wellKnown,
      treatment: 'withdraw',
      decode(value, draft) {
        if (value.length !== 1) return wrongLength(value);
        const origin = origins[readUint8(value, 0)];
        if (!origin)
          return { subcode: UpdateSubcode.origin, text: `the value ${readUint8(value, 0)} is undefined` };
        draft.origin = origin;
        return undefined;
      },
      encode: ({ origin }) => origin && Uint8Array.of(origins.indexOf(origin)),
    },
  ],
  [
    AttributeType.asPath,
    {
      name: 'AS_PATH',
      flags: wellKnown,
      treatment: 'withdraw',
      decode(value, draft, { fourOctetAs, internal }) {
        const path = decodeAsPath(value, fourOctetAs ? 4 : 2, internal);
        if (!path.ok) return { subcode: UpdateSubcode.asPath, text: path.error };
        draft.asPath = path.value;
        return undefined;
      },
      encode({ asPath }, { fourOctetAs }) {
        if (!asPath) return undefined;
        const writer = new OctetWriter();
        writeAsPath(writer, asPath, fourOctetAs ? 4 : 2);
        return writer.finish();
      },
    },
  ],
  [
    AttributeType.nextHop,
    {
      name: 'NEXT_HOP',
      flags: wellKnown,
      treatment: 'withdraw',
      decode(value, draft) {
        if (value.length !== 4) return wrongLength(value);
        draft.nextHop = ipFromBytes(value);
        return isHostAddress(value)
          ? undefined
          : { subcode: UpdateSubcode.nextHop, text: `${value.join('.')} is not a host address` };
      },
      encode: ({ nextHop }) => nextHop && ipToBytes(nextHop),
    },
  ],
  [4, number('MULTI_EXIT_DISC', optional, 'med')],
  [5, { ...number('LOCAL_PREF', wellKnown, 'localPref'), isInternal: true }],
  [
    6,
    {
      name: 'ATOMIC_AGGREGATE',
      flags: wellKnown,
      treatment: 'discard',
      decode(value, draft) {
        if (value.length !== 0) return wrongLength(value);
        draft.atomicAggregate = true;
        return undefined;
      },
      encode: ({ atomicAggregate }) => (atomicAggregate ? new Uint8Array(0) : undefined),
    },
  ],
  [
    7,
    {
      name: 'AGGREGATOR',
      flags: optionalTransitive,
      treatment: 'discard',
      decode(value, draft, { fourOctetAs }) {
        const aggregator = decodeAggregator(value, fourOctetAs ? 4 : 2);
        if ('subcode' in aggregator) return aggregator;
        draft.aggregator = aggregator;
        return undefined;
      },
      encode: ({ aggregator }, { fourOctetAs }) =>
        aggregator && encodeAggregator(aggregator, fourOctetAs ? 4 : 2),
    },
  ],
  [
    8,
    list('COMMUNITIES', 'communities', 4, {
      flags: optionalTransitive,
      read: readUint32,
      write: (community, writer) => writer.uint32(community),
    }),
  ],
  [9, { ...number('ORIGINATOR_ID', optional, 'originatorId'), isInternal: true }],
  [
    10,
    {
      ...list('CLUSTER_LIST', 'clusterList', 4, {
        flags: optional,
        read: readUint32,
        write: (cluster, writer) => writer.uint32(cluster),
      }),
      isInternal: true,
    },
  ],
  [
    16,
    list('EXTENDED_COMMUNITIES', 'extendedCommunities', 8, {
      flags: optionalTransitive,
      read: (value, at) => value.slice(at, at + 8),
      write: (community, writer) => writer.octets(community),
    }),
  ],
  [
    17,
    {
      name: 'AS4_PATH',
      flags: optionalTransitive,
      treatment: 'discard',
      decode(value, draft, { fourOctetAs }) {
        // RFC 6793 section 4.1: between two speakers with four-octet AS numbers the attribute is discarded, whatever its value.
        if (fourOctetAs) return fromNewPeer;
        // RFC 6793 section 6: confederation segments are skipped (mergeAsPaths does that), and a malformed path is discarded.
        const path = decodeAsPath(value, 4, true);
        if (!path.ok) return { subcode: UpdateSubcode.optional, text: path.error };
        if (path.value.length === 0) return { subcode: UpdateSubcode.optional, text: 'the path is empty' };
        draft.as4Path = path.value;
        return undefined;
      },
      encode({ asPath }, { fourOctetAs }) {
        const as4Path = asPath && !fourOctetAs ? as4PathOf(asPath) : undefined;
        if (!as4Path) return undefined;
        const writer = new OctetWriter();
        writeAsPath(writer, as4Path, 4);
        return writer.finish();
      },
    },
  ],
  [
    18,
    {
      name: 'AS4_AGGREGATOR',
      flags: optionalTransitive,
      treatment: 'discard',
      decode(value, draft, { fourOctetAs }) {
        if (fourOctetAs) return fromNewPeer;
        const aggregator = decodeAggregator(value, 4);
        if ('subcode' in aggregator) return aggregator;
        draft.as4Aggregator = aggregator;
        return undefined;
      },
      encode: ({ aggregator }, { fourOctetAs }) =>
        aggregator && !fourOctetAs && aggregator.asn > 0xffff ? encodeAggregator(aggregator, 4) : undefined,
    },
  ],
  [22, judged('PMSI_TUNNEL', judgePmsiTunnel)],
  [23, judged('TUNNEL_ENCAPSULATION', judgeTunnelEncapsulation)],
  [
    25,
    judged('IPV6_EXTENDED_COMMUNITIES', (value) => (isRowsOf(value, 20) ? undefined : wrongLength(value))),
  ],
  [
    32,
    list('LARGE_COMMUNITIES', 'largeCommunities', 12, {
      flags: optionalTransitive,
      read: (value, at) => [readUint32(value, at), readUint32(value, at + 4), readUint32(value, at + 8)],
      write: (community, writer) => {
        for (const part of community) writer.uint32(part);
      },
    }),
  ],
  [
    35,
    {
      name: 'ONLY_TO_CUSTOMER',
      flags: optionalTransitive,
      treatment: 'withdraw',
      decode(value, draft) {
        if (value.length !== 4) return wrongLength(value);
        const asn = readUint32(value, 0);
        if (asn === 0) return { subcode: UpdateSubcode.optional, text: 'AS 0 is reserved' };
        draft.onlyToCustomer = asn;
        return undefined;
      },
      encode: ({ onlyToCustomer }) =>
        onlyToCustomer === undefined ? undefined : new OctetWriter().uint32(onlyToCustomer).finish(),
    },
  ],
]);

/** RFC 6793 section 4.1: a peer with four-octet AS numbers must not send AS4_PATH or AS4_AGGREGATOR. If it does, they are discarded. */
const fromNewPeer: Problem = {
  subcode: UpdateSubcode.optional,
  text: 'the attribute is not allowed in a session with four-octet AS numbers',
  treatment: 'discard',
};

type Aggregator = NonNullable<PathAttributes['aggregator']>;

/** AGGREGATOR (RFC 4271 section 4.3, RFC 6793): `AS number 2 or 4 | IPv4 address 4`. AS 0 is malformed (RFC 7607). */
function decodeAggregator(value: Uint8Array, width: 2 | 4): Aggregator | Problem {
  if (value.length !== width + 4) return wrongLength(value);
  const asn = width === 4 ? readUint32(value, 0) : readUint16(value, 0);
  if (asn === 0) return { subcode: UpdateSubcode.optional, text: 'AS 0 is reserved' };
  return { asn, address: ipFromBytes(value.subarray(width)) };
}

function encodeAggregator({ asn, address }: Aggregator, width: 2 | 4): Uint8Array {
  const writer = new OctetWriter();
  if (width === 4) writer.uint32(asn);
  else writer.uint16(asn > 0xffff ? asTrans : asn);
  return writer.octets(ipToBytes(address)).finish();
}

/** RFC 4271 section 6.3 asks for a valid host address. Such an address lies outside of 0/8 and 127/8, and below 224.0.0.0. */
function isHostAddress(address: Uint8Array): boolean {
  const first = readUint8(address, 0);
  return first !== 0 && first !== 127 && first < 224;
}
