import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, type ReceiveOptions } from '../../../../src/bgp/codec/index.ts';
import {
  asPath,
  attribute,
  external,
  hex,
  internal,
  localPref,
  nextHop,
  octets,
  onePrefix,
  origin,
  plainAttributes,
  readable,
  update,
} from './wire.ts';

/**
 * Decodes an UPDATE. Returns `reset code subcode data` when the UPDATE ends the session. Otherwise it returns each fault as
 * `type treatment code subcode`.
 */
function verdict(bytes: Uint8Array, options: ReceiveOptions): string | readonly string[] {
  const result = decodeMessage(bytes, options);
  if (!result.ok) {
    const { code, subcode, data } = result.error;
    return `reset ${code} ${subcode} ${hex(data)}`.trim();
  }
  return result.value.faults.map(
    ({ attributeType, treatment, error }) => `${attributeType} ${treatment} ${error.code} ${error.subcode}`,
  );
}

type Verdict = readonly string[] | `reset ${string}`;
interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly options?: ReceiveOptions;
  readonly verdict: Verdict;
}

function check(title: string, cases: readonly Case[]): void {
  test(title, async (t) => {
    for (const { name, bytes, options = external, verdict: expected } of cases)
      await t.test(name, () => assert.deepEqual(verdict(bytes, options), expected));
  });
}

/** The options for a peer with two-octet AS numbers. */
const old: ReceiveOptions = { ...external, fourOctetAs: false };

/** An UPDATE that announces one prefix. `extra` replaces the valid attribute of its type, or is added when there is none. */
function route(extra: string, options: ReceiveOptions = external): Uint8Array {
  const type = octets(extra)[1];
  const path = options.fourOctetAs ? asPath : attribute(0x40, 2, '0201fde9');
  const sound: readonly [number, string][] = [
    [1, origin],
    [2, path],
    [3, nextHop],
    ...(options.internal ? [[5, localPref] as [number, string]] : []),
  ];
  const attributes = sound.filter(([of]) => of !== type).map(([, text]) => text);
  return update({ attributes: [...attributes, extra].join(''), nlri: onePrefix });
}

/** An attribute, the verdict when an external peer sends it, and the verdict for an internal peer if the two verdicts differ. */
type Row = readonly [
  name: string,
  flags: number,
  type: number,
  value: string,
  external: Verdict,
  internal?: Verdict,
];

const rows: readonly Row[] = [
  ['ORIGIN EGP', 0x40, 1, '01', []],
  ['ORIGIN of zero octets', 0x40, 1, '', ['1 withdraw 3 5']],
  ['ORIGIN of two octets', 0x40, 1, '0000', ['1 withdraw 3 5']],
  ['ORIGIN 3', 0x40, 1, '03', ['1 withdraw 3 6']],
  ['ORIGIN with the Optional flag', 0xc0, 1, '00', ['1 withdraw 3 4']],
  ['ORIGIN without the Transitive flag', 0x00, 1, '00', ['1 withdraw 3 4']],
  ['ORIGIN with the Partial flag (RFC 7606 section 3 c)', 0x60, 1, '00', []],
  ['ORIGIN with the lower flag bits set', 0x4f, 1, '00', []],
  ['ORIGIN with an extended length', 0x50, 1, '00', []],
  ['an empty AS_PATH', 0x40, 2, '', []],
  ['AS_PATH with an AS_SET', 0x40, 2, '0201 0000fde9 0102 00000001 00000002', []],
  ['AS_PATH with segment type 0', 0x40, 2, '0001 0000fde9', ['2 withdraw 3 11']],
  ['AS_PATH with segment type 5', 0x40, 2, '0501 0000fde9', ['2 withdraw 3 11']],
  ['AS_PATH with an empty segment', 0x40, 2, '0200', ['2 withdraw 3 11']],
  ['AS_PATH with a segment that is too long', 0x40, 2, '0202 0000fde9', ['2 withdraw 3 11']],
  ['AS_PATH with one octet left over', 0x40, 2, '0201 0000fde9 02', ['2 withdraw 3 11']],
  ['AS_PATH of two-octet numbers', 0x40, 2, '0201 fde9', ['2 withdraw 3 11']],
  ['AS_PATH with AS 0 (RFC 7607)', 0x40, 2, '0201 00000000', ['2 withdraw 3 11']],
  ['AS_PATH with a confederation sequence (RFC 5065)', 0x40, 2, '0301 0000fde9', ['2 withdraw 3 11'], []],
  ['AS_PATH with a confederation set (RFC 5065)', 0x40, 2, '0401 0000fde9', ['2 withdraw 3 11'], []],
  ['AS_PATH with the Optional flag', 0xc0, 2, '0201 0000fde9', ['2 withdraw 3 4']],
  ['NEXT_HOP of three octets', 0x40, 3, 'c00002', ['3 withdraw 3 5']],
  ['NEXT_HOP of sixteen octets', 0x40, 3, '20010db8000000000000000000000001', ['3 withdraw 3 5']],
  ['NEXT_HOP 0.0.0.0', 0x40, 3, '00000000', ['3 withdraw 3 8']],
  ['NEXT_HOP 127.0.0.1', 0x40, 3, '7f000001', ['3 withdraw 3 8']],
  ['NEXT_HOP 224.0.0.1', 0x40, 3, 'e0000001', ['3 withdraw 3 8']],
  ['NEXT_HOP 255.255.255.255', 0x40, 3, 'ffffffff', ['3 withdraw 3 8']],
  ['NEXT_HOP 223.255.255.255', 0x40, 3, 'dfffffff', []],
  ['MULTI_EXIT_DISC', 0x80, 4, '0000000a', []],
  ['MULTI_EXIT_DISC of three octets', 0x80, 4, '00000a', ['4 withdraw 3 5']],
  ['MULTI_EXIT_DISC with the Transitive flag', 0xc0, 4, '0000000a', ['4 withdraw 3 4']],
  ['MULTI_EXIT_DISC with the Partial flag (RFC 7606 section 3 c)', 0xa0, 4, '0000000a', []],
  ['LOCAL_PREF', 0x40, 5, '00000064', ['5 discard 3 1'], []],
  ['LOCAL_PREF of three octets', 0x40, 5, '000064', ['5 discard 3 1'], ['5 withdraw 3 5']],
  ['LOCAL_PREF with the Optional flag', 0xc0, 5, '00000064', ['5 withdraw 3 4']],
  ['ATOMIC_AGGREGATE', 0x40, 6, '', []],
  ['ATOMIC_AGGREGATE of one octet', 0x40, 6, '00', ['6 discard 3 5']],
  ['AGGREGATOR', 0xc0, 7, '0000fde9 c0000202', []],
  ['AGGREGATOR with the Partial flag', 0xe0, 7, '0000fde9 c0000202', []],
  ['AGGREGATOR of six octets', 0xc0, 7, 'fde9 c0000202', ['7 discard 3 5']],
  ['AGGREGATOR of zero octets', 0xc0, 7, '', ['7 discard 3 5']],
  ['AGGREGATOR of AS 0 (RFC 7607)', 0xc0, 7, '00000000 c0000202', ['7 discard 3 9']],
  ['AGGREGATOR without the Transitive flag', 0x80, 7, '0000fde9 c0000202', ['7 withdraw 3 4']],
  ['COMMUNITIES', 0xc0, 8, 'ffffff01 0001fde9', []],
  ['COMMUNITIES of zero octets', 0xc0, 8, '', ['8 withdraw 3 5']],
  ['COMMUNITIES of five octets', 0xc0, 8, 'ffffff0100', ['8 withdraw 3 5']],
  ['COMMUNITIES without the Transitive flag', 0x80, 8, 'ffffff01', ['8 withdraw 3 4']],
  ['ORIGINATOR_ID', 0x80, 9, 'c0000202', ['9 discard 3 1'], []],
  ['ORIGINATOR_ID of three octets', 0x80, 9, 'c00002', ['9 discard 3 1'], ['9 withdraw 3 5']],
  ['CLUSTER_LIST', 0x80, 10, 'c0000202', ['10 discard 3 1'], []],
  ['CLUSTER_LIST of zero octets', 0x80, 10, '', ['10 discard 3 1'], ['10 withdraw 3 5']],
  ['CLUSTER_LIST of six octets', 0x80, 10, 'c00002020000', ['10 discard 3 1'], ['10 withdraw 3 5']],
  ['EXTENDED_COMMUNITIES', 0xc0, 16, '0002fde900000001', []],
  ['EXTENDED_COMMUNITIES of zero octets', 0xc0, 16, '', ['16 withdraw 3 5']],
  ['EXTENDED_COMMUNITIES of nine octets', 0xc0, 16, '0002fde90000000100', ['16 withdraw 3 5']],
  [
    'AS4_PATH from a peer with four-octet AS numbers (RFC 6793)',
    0xc0,
    17,
    '0201 0000fde9',
    ['17 discard 3 9'],
  ],
  [
    'AS4_AGGREGATOR from a peer with four-octet AS numbers (RFC 6793)',
    0xc0,
    18,
    '0000fde9 c0000202',
    ['18 discard 3 9'],
  ],
  ['AS4_AGGREGATOR of seven octets', 0xc0, 18, '0000fde9 c00002', ['18 discard 3 9']],
  ['IPV6_EXTENDED_COMMUNITIES', 0xc0, 25, '00'.repeat(20), []],
  ['IPV6_EXTENDED_COMMUNITIES of 21 octets', 0xc0, 25, '00'.repeat(21), ['25 withdraw 3 5']],
  ['LARGE_COMMUNITIES', 0xc0, 32, '0000fde90000000100000002', []],
  ['LARGE_COMMUNITIES of zero octets', 0xc0, 32, '', ['32 withdraw 3 5']],
  ['LARGE_COMMUNITIES of 13 octets', 0xc0, 32, '0000fde9000000010000000200', ['32 withdraw 3 5']],
  ['ONLY_TO_CUSTOMER', 0xc0, 35, '0000fde9', []],
  ['ONLY_TO_CUSTOMER of AS 0 (RFC 9234)', 0xc0, 35, '00000000', ['35 withdraw 3 9']],
  ['ONLY_TO_CUSTOMER of three octets', 0xc0, 35, '00fde9', ['35 withdraw 3 5']],
  ['PMSI_TUNNEL of ingress replication', 0xc0, 22, '00 06 000000 c0000202', []],
  ['PMSI_TUNNEL without an identifier', 0xc0, 22, '00 00 000000', []],
  ['PMSI_TUNNEL of ingress replication without an address', 0xc0, 22, '00 06 000000', ['22 withdraw 3 5']],
  ['PMSI_TUNNEL of ingress replication over IPv6', 0xc0, 22, `00 06 000000 ${'20'.repeat(16)}`, []],
  ['PMSI_TUNNEL of four octets', 0xc0, 22, '00 00 0000', ['22 withdraw 3 5']],
  ['PMSI_TUNNEL of type 7', 0xc0, 22, '00 07 000000 c0000202', []],
  ['PMSI_TUNNEL of type 8', 0xc0, 22, '00 08 000000 c0000202', ['22 withdraw 3 9']],
  ['TUNNEL_ENCAPSULATION', 0xc0, 23, '0008 0006 0104 ffffffff 000f 0004 80 0001 aa', []],
  ['TUNNEL_ENCAPSULATION without sub-TLVs', 0xc0, 23, '0008 0000', []],
  ['TUNNEL_ENCAPSULATION with empty sub-TLVs', 0xc0, 23, '0008 0005 0100 80 0000', []],
  ['TUNNEL_ENCAPSULATION with half a sub-TLV', 0xc0, 23, '0008 0001 01', ['23 withdraw 3 5']],
  [
    'TUNNEL_ENCAPSULATION with a sub-TLV that overruns it',
    0xc0,
    23,
    '0008 0004 80 0002 aa',
    ['23 withdraw 3 5'],
  ],
  ['a truncated TUNNEL_ENCAPSULATION', 0xc0, 23, '0008 00', ['23 withdraw 3 5']],
  ['an unknown optional transitive attribute', 0xc0, 128, 'aabb', []],
  ['an unknown optional attribute', 0x80, 129, 'aabb', []],
  ['an unknown attribute of zero octets', 0x80, 130, '', []],
  ['the attribute 255', 0xe0, 255, '00', []],
  ['the attribute 0', 0xc0, 0, '00', []],
  ['an unknown well-known attribute', 0x40, 131, 'aabb', 'reset 3 2 408302aabb'],
];

check(
  'decodeMessage() treats one malformed attribute as RFC 7606 sections 3 and 7 require',
  rows.flatMap(([name, flags, type, value, fromExternal, fromInternal = fromExternal]): Case[] => [
    { name: `${name}, external`, bytes: route(attribute(flags, type, value)), verdict: fromExternal },
    {
      name: `${name}, internal`,
      bytes: route(attribute(flags, type, value), internal),
      options: internal,
      verdict: fromInternal,
    },
  ]),
);

check('decodeMessage() judges attributes from a peer with two-octet AS numbers (RFC 6793)', [
  { name: 'AS_PATH', bytes: route(attribute(0x40, 2, '0202 5ba0 fde9'), old), options: old, verdict: [] },
  {
    name: 'AS_PATH of four-octet numbers',
    bytes: route(asPath, old),
    options: old,
    verdict: ['2 withdraw 3 11'],
  },
  { name: 'AGGREGATOR', bytes: route(attribute(0xc0, 7, 'fde9 c0000202'), old), options: old, verdict: [] },
  {
    name: 'AGGREGATOR of eight octets',
    bytes: route(attribute(0xc0, 7, '0000fde9 c0000202'), old),
    options: old,
    verdict: ['7 discard 3 5'],
  },
  { name: 'AS4_PATH', bytes: route(attribute(0xc0, 17, '0201 fa56ea00'), old), options: old, verdict: [] },
  {
    name: 'an empty AS4_PATH',
    bytes: route(attribute(0xc0, 17, ''), old),
    options: old,
    verdict: ['17 discard 3 9'],
  },
  {
    name: 'AS4_PATH with segment type 0',
    bytes: route(attribute(0xc0, 17, '0001 fa56ea00'), old),
    options: old,
    verdict: ['17 discard 3 9'],
  },
  {
    name: 'AS4_PATH with AS 0',
    bytes: route(attribute(0xc0, 17, '0201 00000000'), old),
    options: old,
    verdict: ['17 discard 3 9'],
  },
]);

test('decodeMessage() discards a malformed AS4_PATH from a peer with four-octet AS numbers (RFC 6793 section 4.1)', () => {
  const malformed = route(attribute(0xc0, 17, '0001 0000fde9'));
  assert.deepEqual(verdict(malformed, external), ['17 discard 3 9']);
});

const anyReach = '0001 01 04 c0000202 00';
const ipv6Reach = `0002 01 10 20010db8000000000000000000000002 00`;
const ipv6Unreach = '0002 01 30 20010db80100';
const reach = (value: string) => update({ attributes: origin + asPath + attribute(0x80, 14, value) });
const unreach = (value: string) => update({ attributes: attribute(0x80, 15, value) });
const withExtendedNextHop: ReceiveOptions = { ...external, extendedNextHop: true };
const ends = (type: string, value: string): Verdict =>
  `reset 3 9 80${type}${hex(Uint8Array.of(octets(value).length))}${hex(octets(value))}`;

const badReach: readonly [name: string, value: string][] = [
  ['of four octets', '0002 01 00'],
  ['of zero octets', ''],
  ['with a next hop that is too long', '0002 01 20 20010db8000000000000000000000002 00'],
  ['with a next hop of 9 octets', '0002 01 09 20010db80000000000 00 40 20010db800000001'],
  ['with a next hop of 17 octets', `0002 01 11 ${'20'.repeat(17)} 00`],
  ['with a next hop of zero octets', '0002 01 00 00 40 20010db800000001'],
  ['that ends within its next hop', '0002 01 10 20010db800000000'],
  ['with an IPv6 next hop for IPv4', '0001 01 10 20010db8000000000000000000000002 00 18 c63364'],
  ['with an IPv4 next hop for IPv6', '0002 01 04 c0000202 00 40 20010db800000001'],
  ['with a prefix of 129 bits', `${ipv6Reach} 81 ${'20'.repeat(17)}`],
  ['with an IPv4 prefix of 33 bits', `${anyReach} 21 c633640000`],
  ['with a truncated prefix', `${ipv6Reach} 40 20010db8`],
  ['of an unsupported family with a next hop that is too long', '0001 80 0c 0000 00'],
];

check('a malformed MP_REACH_NLRI or MP_UNREACH_NLRI ends the session (RFC 7606 sections 5.3 and 7.11)', [
  ...badReach.map(
    ([name, value]): Case => ({
      name: `MP_REACH_NLRI ${name}`,
      bytes: reach(value),
      verdict: ends('0e', value),
    }),
  ),
  ...[
    ['of two octets', '0002'],
    ['with a prefix of 129 bits', `0002 01 81 ${'20'.repeat(17)}`],
    ['with a truncated prefix', '0002 01 40 20010db8'],
  ].map(
    ([name = '', value = '']): Case => ({
      name: `MP_UNREACH_NLRI ${name}`,
      bytes: unreach(value),
      verdict: ends('0f', value),
    }),
  ),
  { name: 'MP_REACH_NLRI of IPv4 is accepted', bytes: reach(`${anyReach} 18 c63364`), verdict: [] },
  { name: 'MP_REACH_NLRI of IPv6 is accepted', bytes: reach(`${ipv6Reach} 30 20010db80100`), verdict: [] },
  {
    name: 'MP_REACH_NLRI with two next hops is accepted',
    bytes: reach(
      '0002 01 20 20010db8000000000000000000000002 fe80000000000000000000000000cafe 00 30 20010db80100',
    ),
    verdict: [],
  },
  {
    name: 'MP_REACH_NLRI of IPv4 with an IPv6 next hop is accepted (RFC 8950)',
    bytes: reach('0001 01 10 20010db8000000000000000000000002 00 18 c63364'),
    options: withExtendedNextHop,
    verdict: [],
  },
  {
    name: 'MP_REACH_NLRI of IPv4 with two IPv6 next hops is accepted (RFC 8950)',
    bytes: reach('0001 01 20 20010db8000000000000000000000002 fe80000000000000000000000000cafe 00 18 c63364'),
    options: withExtendedNextHop,
    verdict: [],
  },
  {
    name: 'MP_REACH_NLRI twice (section 3 g)',
    bytes: update({
      attributes: origin + asPath + attribute(0x80, 14, ipv6Reach) + attribute(0x80, 14, ipv6Reach),
      nlri: onePrefix,
    }),
    verdict: 'reset 3 1',
  },
  {
    name: 'MP_UNREACH_NLRI twice (section 3 g)',
    bytes: update({ attributes: attribute(0x80, 15, ipv6Unreach) + attribute(0x80, 15, ipv6Unreach) }),
    verdict: 'reset 3 1',
  },
  {
    name: 'MP_REACH_NLRI with wrong flags withdraws its routes',
    bytes: update({ attributes: origin + asPath + attribute(0xc0, 14, `${ipv6Reach} 30 20010db80100`) }),
    verdict: ['14 withdraw 3 4'],
  },
  {
    name: 'MP_UNREACH_NLRI with wrong flags still withdraws its routes',
    bytes: update({ attributes: attribute(0xc0, 15, ipv6Unreach) }),
    verdict: ['15 withdraw 3 4'],
  },
  {
    name: 'MP_REACH_NLRI of an unsupported family without a next hop (flow specification) is accepted',
    bytes: reach('0001 85 00 00'),
    verdict: [],
  },
  {
    name: 'MP_REACH_NLRI of an unsupported family without routes needs no other attribute',
    bytes: update({ attributes: attribute(0x80, 14, '0001 85 00 00') }),
    verdict: [],
  },
  {
    name: 'MP_REACH_NLRI of an unsupported family with routes needs ORIGIN and AS_PATH',
    bytes: update({ attributes: attribute(0x80, 14, '0001 85 00 00 03 010800') }),
    verdict: ['1 withdraw 3 3', '2 withdraw 3 3'],
  },
  {
    name: 'MP_REACH_NLRI of an unsupported family (VPN) is accepted',
    bytes: reach('0001 80 0c 0000000000000000c0000202 00 70 000640 0000fde900000001 c63364'),
    verdict: [],
  },
]);

check(
  'a field that overruns the message ends the session, and so does a malformed prefix (RFC 4271 section 6.3, RFC 7606 section 5.3)',
  [
    {
      name: 'withdrawn routes longer than the message',
      bytes: octets(`${'ff'.repeat(16)} 0017 02 0001 0000`),
      verdict: 'reset 3 1',
    },
    {
      name: 'path attributes longer than the message',
      bytes: octets(`${'ff'.repeat(16)} 0017 02 0000 0001`),
      verdict: 'reset 3 1',
    },
    {
      name: 'both lengths 65535',
      bytes: octets(`${'ff'.repeat(16)} 0017 02 ffff ffff`),
      verdict: 'reset 3 1',
    },
    {
      name: 'a withdrawn prefix of 33 bits',
      bytes: update({ withdrawn: '21 c633640000' }),
      verdict: 'reset 3 10',
    },
    {
      name: 'a truncated withdrawn prefix',
      bytes: update({ withdrawn: '18 c633' }),
      verdict: 'reset 3 10',
    },
    {
      name: 'a prefix of 33 bits',
      bytes: update({ attributes: plainAttributes, nlri: '21 c633640000' }),
      verdict: 'reset 3 10',
    },
    {
      name: 'a truncated prefix',
      bytes: update({ attributes: plainAttributes, nlri: `${onePrefix} 20 c63364` }),
      verdict: 'reset 3 10',
    },
    {
      name: 'a path identifier without a prefix (RFC 7911)',
      bytes: update({ attributes: plainAttributes, nlri: '00000007' }),
      options: { ...external, addPath: [{ afi: 1, safi: 1 }] },
      verdict: 'reset 3 10',
    },
  ],
);

const overrun = '40 05 ff 00000064';

check(
  'an attribute that overruns the path attributes withdraws the announced routes, or ends the session when the UPDATE has no announced routes that can be read (RFC 7606 sections 4 and 5.2)',
  [
    {
      name: 'with NLRI',
      bytes: update({ attributes: plainAttributes + overrun, nlri: onePrefix }),
      verdict: ['5 withdraw 3 5'],
    },
    {
      name: 'with NLRI and missing attributes',
      bytes: update({ attributes: origin + overrun, nlri: onePrefix }),
      verdict: ['5 withdraw 3 5', '2 withdraw 3 3', '3 withdraw 3 3'],
    },
    {
      name: 'with MP_REACH_NLRI in front',
      bytes: update({
        attributes: attribute(0x80, 14, `${ipv6Reach} 30 20010db80100`) + origin + asPath + overrun,
      }),
      verdict: ['5 withdraw 3 5'],
    },
    {
      name: 'without routes',
      bytes: update({ attributes: plainAttributes + overrun }),
      verdict: `reset 3 5 ${hex(octets(overrun))}`,
    },
    {
      name: 'with withdrawn routes only',
      bytes: update({ withdrawn: onePrefix, attributes: plainAttributes + overrun }),
      verdict: `reset 3 5 ${hex(octets(overrun))}`,
    },
    {
      name: 'with only MP_UNREACH_NLRI in front',
      bytes: update({ attributes: attribute(0x80, 15, ipv6Unreach) + overrun }),
      verdict: `reset 3 5 ${hex(octets(overrun))}`,
    },
    {
      name: 'MP_REACH_NLRI itself, with NLRI',
      bytes: update({ attributes: `${plainAttributes} 80 0e 40 0002 01`, nlri: onePrefix }),
      verdict: 'reset 3 5 800e40000201',
    },
    {
      name: 'MP_UNREACH_NLRI itself',
      bytes: update({ attributes: '80 0f 40 0002 01' }),
      verdict: 'reset 3 5 800f40000201',
    },
    {
      name: 'only the flags of an attribute at the end',
      bytes: update({ attributes: `${plainAttributes} 40`, nlri: onePrefix }),
      verdict: ['0 withdraw 3 5'],
    },
    {
      name: 'only the flags and the type of an attribute at the end',
      bytes: update({ attributes: `${plainAttributes} 4005`, nlri: onePrefix }),
      verdict: ['5 withdraw 3 5'],
    },
    {
      name: 'flags and type of MP_REACH_NLRI at the end, with NLRI',
      bytes: update({ attributes: `${plainAttributes} 800e`, nlri: onePrefix }),
      verdict: 'reset 3 5 800e',
    },
    {
      name: 'half of an extended length at the end',
      bytes: update({ attributes: `${plainAttributes} 500500`, nlri: onePrefix }),
      verdict: ['5 withdraw 3 5'],
    },
    {
      name: 'only the flags of an attribute, without routes',
      bytes: update({ attributes: 'c0' }),
      verdict: 'reset 3 5 c0',
    },
  ],
);

check(
  'a treat-as-withdraw fault ends the session when the UPDATE announces no route (RFC 7606 section 5.2)',
  [
    {
      name: 'ORIGIN 3 and no routes',
      bytes: update({ attributes: attribute(0x40, 1, '03') }),
      verdict: 'reset 3 6 40010103',
    },
    {
      name: 'ORIGIN 3 beside MP_UNREACH_NLRI',
      bytes: update({ attributes: attribute(0x80, 15, ipv6Unreach) + attribute(0x40, 1, '03') }),
      verdict: 'reset 3 6 40010103',
    },
    {
      name: 'ORIGIN 3 beside an MP_REACH_NLRI without routes',
      bytes: update({ attributes: attribute(0x80, 14, ipv6Reach) + attribute(0x40, 1, '03') + asPath }),
      verdict: 'reset 3 6 40010103',
    },
    {
      name: 'an attribute that is discarded leaves the session up',
      bytes: update({ attributes: attribute(0x40, 6, '00') }),
      verdict: ['6 discard 3 5'],
    },
    {
      name: 'attributes without an error leave the session up',
      bytes: update({ attributes: plainAttributes }),
      verdict: [],
    },
  ],
);

check('routes without a mandatory attribute are treated as withdrawn (RFC 7606 section 3 d)', [
  {
    name: 'no attributes at all',
    bytes: update({ nlri: onePrefix }),
    verdict: ['1 withdraw 3 3', '2 withdraw 3 3', '3 withdraw 3 3'],
  },
  {
    name: 'no ORIGIN',
    bytes: update({ attributes: asPath + nextHop, nlri: onePrefix }),
    verdict: ['1 withdraw 3 3'],
  },
  {
    name: 'no AS_PATH',
    bytes: update({ attributes: origin + nextHop, nlri: onePrefix }),
    verdict: ['2 withdraw 3 3'],
  },
  {
    name: 'no NEXT_HOP',
    bytes: update({ attributes: origin + asPath, nlri: onePrefix }),
    verdict: ['3 withdraw 3 3'],
  },
  {
    name: 'no NEXT_HOP for NLRI beside MP_REACH_NLRI',
    bytes: update({
      attributes: attribute(0x80, 14, `${ipv6Reach} 30 20010db80100`) + origin + asPath,
      nlri: onePrefix,
    }),
    verdict: ['3 withdraw 3 3'],
  },
  {
    name: 'MP_REACH_NLRI alone',
    bytes: update({ attributes: attribute(0x80, 14, `${ipv6Reach} 30 20010db80100`) }),
    verdict: ['1 withdraw 3 3', '2 withdraw 3 3'],
  },
  {
    name: 'a malformed attribute does not count as missing',
    bytes: update({ attributes: attribute(0x40, 1, '03') + asPath + nextHop, nlri: onePrefix }),
    verdict: ['1 withdraw 3 6'],
  },
  {
    name: 'NEXT_HOP 0.0.0.0 is ignored when only MP_REACH_NLRI has routes (RFC 4760 section 3)',
    bytes: update({
      attributes:
        attribute(0x80, 14, `${ipv6Reach} 30 20010db80100`) +
        origin +
        asPath +
        attribute(0x40, 3, '00000000'),
    }),
    verdict: [],
  },
  {
    name: 'NEXT_HOP 0.0.0.0 beside MP_REACH_NLRI and NLRI',
    bytes: update({
      attributes:
        attribute(0x80, 14, `${ipv6Reach} 30 20010db80100`) +
        origin +
        asPath +
        attribute(0x40, 3, '00000000'),
      nlri: onePrefix,
    }),
    verdict: ['3 withdraw 3 8'],
  },
  {
    name: 'NEXT_HOP 0.0.0.0 without any route is ignored',
    bytes: update({ attributes: origin + asPath + attribute(0x40, 3, '00000000') }),
    verdict: [],
  },
  {
    name: 'NEXT_HOP 0.0.0.0 beside withdrawn routes is ignored',
    bytes: update({
      withdrawn: onePrefix,
      attributes: origin + attribute(0x40, 2, '') + attribute(0x40, 3, '00000000'),
    }),
    verdict: [],
  },
  {
    name: 'NEXT_HOP 0.0.0.0 beside MP_UNREACH_NLRI is ignored',
    bytes: update({
      attributes:
        attribute(0x80, 15, ipv6Unreach) + origin + attribute(0x40, 2, '') + attribute(0x40, 3, '00000000'),
    }),
    verdict: [],
  },
  {
    name: 'NEXT_HOP of three octets beside withdrawn routes',
    bytes: update({ withdrawn: onePrefix, attributes: attribute(0x40, 3, 'c00002') }),
    verdict: 'reset 3 5 400303c00002',
  },
  { name: 'withdrawn routes need no attribute', bytes: update({ withdrawn: onePrefix }), verdict: [] },
  { name: 'End-of-RIB needs no attribute', bytes: update({}), verdict: [] },
]);

test('decodeMessage() keeps the first of two attributes of one type (RFC 7606 section 3 g)', () => {
  const bytes = update({
    attributes: plainAttributes + attribute(0x80, 4, '00000001') + attribute(0x80, 4, '00000002'),
    nlri: onePrefix,
  });
  assert.deepEqual(verdict(bytes, external), ['4 discard 3 1']);
  const result = decodeMessage(bytes, external);
  assert.ok(result.ok && result.value.message.kind === 'update');
  assert.equal(result.value.message.attributes.med, 1);
});

test('decodeMessage() returns only the strongest fault for an attribute that occurs 21,000 times', () => {
  const options = { ...external, receiveLimit: 65535 };
  const many = 'c06300'.repeat(21_000);
  assert.deepEqual(verdict(update({ attributes: plainAttributes + many, nlri: onePrefix }), options), [
    '99 discard 3 1',
  ]);
  const malformed = attribute(0x40, 6, '00').repeat(1000);
  assert.deepEqual(
    verdict(update({ attributes: `${plainAttributes}${malformed} 4006ff`, nlri: onePrefix }), options),
    ['6 withdraw 3 5'],
  );
});

test('decodeMessage() returns either a fault for each malformed attribute or the error that ends the session (RFC 7606 section 3 h)', () => {
  const faulty = attribute(0x40, 1, '09') + asPath + nextHop + attribute(0x40, 6, 'aa');
  assert.deepEqual(verdict(update({ attributes: faulty, nlri: onePrefix }), external), [
    '1 withdraw 3 6',
    '6 discard 3 5',
  ]);
  const fatal = faulty + attribute(0x80, 15, '00');
  assert.equal(verdict(update({ attributes: fatal, nlri: onePrefix }), external), 'reset 3 9 800f0100');
});

test('decodeMessage() leaves out a malformed attribute and keeps the others', () => {
  const bytes = route(attribute(0xc0, 8, 'ffffff0100'));
  const result = decodeMessage(bytes, external);
  assert.ok(result.ok && result.value.message.kind === 'update');
  assert.deepEqual(readable(result.value.message), {
    origin: 'igp',
    asPath: [{ type: 'sequence', asns: [65001] }],
    nextHop: '192.0.2.2',
    nlri: ['198.51.100.0/24'],
  });
  const [fault] = result.value.faults;
  assert.equal(hex(fault?.error.data ?? new Uint8Array(0)), 'c00805ffffff0100');
});

test('decodeMessage() keeps unknown attributes with their Partial flag', () => {
  const bytes = route(attribute(0xe0, 200, 'aabb') + attribute(0xd0, 201, 'cc'.repeat(300)));
  const result = decodeMessage(bytes, external);
  assert.ok(result.ok && result.value.message.kind === 'update');
  assert.deepEqual(result.value.message.attributes.unknown, [
    { type: 200, flags: 0xe0, value: octets('aabb') },
    { type: 201, flags: 0xc0, value: octets('cc'.repeat(300)) },
  ]);
});

test('the data of an error fits into a NOTIFICATION of 4096 octets (RFC 8654)', () => {
  const bytes = update({ attributes: attribute(0x50, 131, 'aa'.repeat(6000)) });
  const result = decodeMessage(bytes, { ...external, receiveLimit: 65535 });
  assert.ok(!result.ok);
  assert.equal(result.error.data.length, 4096 - 21);
});
