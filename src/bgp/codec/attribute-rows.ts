/**
 * The path attributes, one row each: number, flags, what is malformed about a value and how that is treated (RFC 7606 section 7), its
 * decoding and its encoding. MP_REACH_NLRI and MP_UNREACH_NLRI are in multiprotocol.ts: errors in them reset the session.
 */
import { ipFromBytes, ipToBytes } from '../../address/index.ts';
import type { PathAttributes } from '../message.ts';
import { as4PathOf, asTrans, decodeAsPath, writeAsPath } from './as-path.ts';
import { UpdateSubcode } from './errors.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16, readUint32 } from './octets.ts';
import type { ReceiveOptions, SendOptions } from './options.ts';

/** RFC 4271 section 4.3. */
export const Flag = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;
const wellKnown = Flag.transitive;
const optional = Flag.optional;
const optionalTransitive = Flag.optional | Flag.transitive;

/** IANA's numbers of those that are named elsewhere. */
export const AttributeType = { origin: 1, asPath: 2, nextHop: 3, mpReach: 14, mpUnreach: 15 } as const;

/** The attributes while they are read. */
export type Draft = { -readonly [K in keyof PathAttributes]: PathAttributes[K] } & {
  /** RFC 6793: what an old peer could not say in AS_PATH and AGGREGATOR. */
  as4Path?: PathAttributes['asPath'];
  as4Aggregator?: PathAttributes['aggregator'];
};

/** What is wrong with a value, and the subcode that names it. */
export interface Problem {
  readonly subcode: number;
  readonly text: string;
  /** Where it differs from the row's. */
  readonly treatment?: 'discard' | 'withdraw';
}

export interface AttributeRow {
  readonly name: string;
  /** Optional and transitive as they must be. */
  readonly flags: number;
  /** RFC 7606's treatment of a malformed value. */
  readonly treatment: 'discard' | 'withdraw';
  /** Means nothing from an external peer: discarded whatever it says (RFC 7606 sections 7.5, 7.9 and 7.10). */
  readonly isInternal?: true;
  /** Puts the value into the draft, says what is malformed about it, or both where it can be read all the same. */
  decode(value: Uint8Array, draft: Draft, options: ReceiveOptions): Problem | undefined;
  /** The value to send; `undefined` when the attribute is not there, or is only understood and never sent. */
  encode?(attributes: PathAttributes, options: SendOptions): Uint8Array | undefined;
}

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
        if (!origin) return { subcode: UpdateSubcode.origin, text: `${readUint8(value, 0)} is no origin` };
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
          : { subcode: UpdateSubcode.nextHop, text: `${value.join('.')} is not the address of a host` };
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
      treatment: 'withdraw',
      decode(value, draft, { fourOctetAs }) {
        // RFC 6793 section 6: a confederation's segments are passed over, and mergeAsPaths does.
        const path = decodeAsPath(value, 4, true);
        const isMalformed = !path.ok || path.value.length === 0;
        // RFC 6793 section 6 discards what an old peer sends; a new one must not send it, and then only a sound one is harmless.
        if (isMalformed)
          return {
            subcode: UpdateSubcode.optional,
            text: path.ok ? 'the path is empty' : path.error,
            treatment: fourOctetAs ? 'withdraw' : 'discard',
          };
        if (fourOctetAs) return fromNewPeer;
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
        const aggregator = decodeAggregator(value, 4);
        if ('subcode' in aggregator) return aggregator;
        if (fourOctetAs) return fromNewPeer;
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

/** RFC 6793 section 4.1: between peers that both know four octets it must not be sent, and is discarded. */
const fromNewPeer: Problem = {
  subcode: UpdateSubcode.optional,
  text: 'the session has AS numbers of four octets',
  treatment: 'discard',
};

function wrongLength(value: Uint8Array): Problem {
  return { subcode: UpdateSubcode.length, text: `the value has ${value.length} octets` };
}

/** One or more rows, nothing left over. */
function isRowsOf(value: Uint8Array, octets: number): boolean {
  return value.length > 0 && value.length % octets === 0;
}

/** An attribute of one number in four octets. */
function number(name: string, flags: number, key: 'med' | 'localPref' | 'originatorId'): AttributeRow {
  return {
    name,
    flags,
    treatment: 'withdraw',
    decode(value, draft) {
      if (value.length !== 4) return wrongLength(value);
      draft[key] = readUint32(value, 0);
      return undefined;
    },
    encode(attributes) {
      const value = attributes[key];
      return value === undefined ? undefined : new OctetWriter().uint32(value).finish();
    },
  };
}

type ListKey = 'communities' | 'clusterList' | 'extendedCommunities' | 'largeCommunities';
type Element<K extends ListKey> = NonNullable<PathAttributes[K]>[number];

/** An attribute of one or more elements of equal size. An empty list is not sent. */
function list<K extends ListKey>(
  name: string,
  key: K,
  octets: number,
  form: {
    readonly flags: number;
    read(value: Uint8Array, at: number): Element<K>;
    write(element: Element<K>, writer: OctetWriter): void;
  },
): AttributeRow {
  return {
    name,
    flags: form.flags,
    treatment: 'withdraw',
    decode(value, draft) {
      if (!isRowsOf(value, octets)) return wrongLength(value);
      const elements: Element<K>[] = [];
      for (let at = 0; at < value.length; at += octets) elements.push(form.read(value, at));
      Object.assign(draft, { [key]: elements });
      return undefined;
    },
    encode(attributes) {
      const elements: readonly Element<K>[] = attributes[key] ?? [];
      if (elements.length === 0) return undefined;
      const writer = new OctetWriter();
      for (const element of elements) form.write(element, writer);
      return writer.finish();
    },
  };
}

/** An optional transitive attribute that is judged as its RFC says and not understood further. */
function judged(name: string, judge: (value: Uint8Array) => Problem | undefined): AttributeRow {
  return { name, flags: optionalTransitive, treatment: 'withdraw', decode: judge };
}

type Aggregator = NonNullable<PathAttributes['aggregator']>;

/** `AS 2 or 4 | IPv4 address` (RFC 4271 section 4.3, RFC 6793); AS 0 is malformed (RFC 7607). */
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

/** RFC 4271 section 6.3 asks for an address that a host can have: not of 0/8, 127/8, multicast or what is above. */
function isHostAddress(address: Uint8Array): boolean {
  const first = readUint8(address, 0);
  return first !== 0 && first !== 127 && first < 224;
}

/** RFC 6514 section 5: `flags | tunnel type | label 3 | tunnel identifier`; ingress replication's identifier is an address. */
function judgePmsiTunnel(value: Uint8Array): Problem | undefined {
  if (value.length < 5) return wrongLength(value);
  const type = readUint8(value, 1);
  if (type > 7) return { subcode: UpdateSubcode.optional, text: `the tunnel type ${type} is unknown` };
  if (type === 6 && value.length !== 9 && value.length !== 21) return wrongLength(value);
  return undefined;
}

/** RFC 9012 section 2: `tunnel type 2 | length 2 | sub-TLVs: type | length 1, or 2 from type 128 on | value`. */
function judgeTunnelEncapsulation(value: Uint8Array): Problem | undefined {
  let at = 0;
  while (at < value.length) {
    const end = at + 4 + readUint16(value, at + 2);
    if (at + 4 > value.length || end > value.length) return wrongLength(value);
    for (at += 4; at < end; ) {
      const isLong = readUint8(value, at) >= 128;
      const valueAt = at + (isLong ? 3 : 2);
      if (valueAt > end) return wrongLength(value);
      at = valueAt + (isLong ? readUint16(value, at + 1) : readUint8(value, at + 1));
      if (at > end) return wrongLength(value);
    }
  }
  return undefined;
}
