/**
 * Messages that BIRD 2.0.12, FRR 8.4, GoBGP 3.10 and ExaBGP 4.2 sent to a listener. The expected values come from the configuration of
 * the sender. The sender has AS 64500, or AS 4200000001 when it sends to a peer with two-octet AS numbers. The hexadecimal texts leave out
 * the marker.
 */
import type { ReceiveOptions } from '../../../../src/bgp/codec/index.ts';
import { external, marker, octets } from './wire.ts';

export interface Capture {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly options: ReceiveOptions;
  /** Some or all fields of an OPEN, or the UPDATE as `readable()` shows it. */
  readonly means: object;
  /**
   * Whether our encoder writes the same octets. When false, the sender orders attributes, writes lengths or divides capabilities among
   * parameters in another valid way.
   */
  readonly isOurForm: boolean;
}

const ipv4 = { afi: 1, safi: 1 };
const ipv6 = { afi: 2, safi: 1 };

function capture(
  name: string,
  text: string,
  means: object,
  { isOurForm = true, ...options }: Partial<ReceiveOptions & { isOurForm: boolean }> = {},
): Capture {
  return { name, bytes: octets(marker + text), means, isOurForm, options: { ...external, ...options } };
}

const unknown = (code: number, value: string) => ({ kind: 'unknown', code, value: octets(value) });

export const opens: readonly Capture[] = [
  capture(
    'OPEN from BIRD',
    '004d01 04 fbf4 00f0 c0000202 30 022e 010400010001 010400020001 0200 0506000100010002 0600 400a007800010100 00020100 41040000fbf4 4600 4700',
    {
      version: 4,
      myAs: 64500,
      holdTimeSeconds: 240,
      routerId: 0xc0000202,
      capabilities: [
        { kind: 'multiprotocol', family: ipv4 },
        { kind: 'multiprotocol', family: ipv6 },
        { kind: 'route-refresh' },
        { kind: 'extended-next-hop', tuples: [{ ...ipv4, nextHopAfi: 2 }] },
        { kind: 'extended-message' },
        {
          kind: 'graceful-restart',
          restarting: false,
          notification: false,
          restartTimeSeconds: 120,
          families: [
            { ...ipv4, forwarding: false },
            { ...ipv6, forwarding: false },
          ],
        },
        { kind: 'four-octet-as', asn: 64500 },
        { kind: 'enhanced-route-refresh' },
        { kind: 'long-lived-graceful-restart', families: [] },
      ],
    },
  ),
  capture(
    'OPEN from BIRD to a two-octet-AS peer',
    '004d01 04 5ba0 00f0 c0000202 30 022e 010400010001 010400020001 0200 0506000100010002 0600 400a007800010100 00020100 4104fa56ea01 4600 4700',
    { myAs: 23456, holdTimeSeconds: 240 },
  ),
  capture(
    'OPEN from FRR',
    '008101 04 fbf4 00b4 c0000202 64 0206010400010001 0206010400020001 02028000 02020200 02024600 020641040000fbf4 02020600 020a4508 0001010300020103 020e490c0a6672722d726f7574657200 020c400a c078 00010100 00020100 0210470e 0001018000000000020180000000',
    {
      myAs: 64500,
      holdTimeSeconds: 180,
      capabilities: [
        { kind: 'multiprotocol', family: ipv4 },
        { kind: 'multiprotocol', family: ipv6 },
        unknown(128, ''),
        { kind: 'route-refresh' },
        { kind: 'enhanced-route-refresh' },
        { kind: 'four-octet-as', asn: 64500 },
        { kind: 'extended-message' },
        {
          kind: 'add-path',
          tuples: [
            { ...ipv4, mode: 3 },
            { ...ipv6, mode: 3 },
          ],
        },
        { kind: 'fqdn', host: 'frr-router', domain: '' },
        {
          kind: 'graceful-restart',
          restarting: true,
          notification: true,
          restartTimeSeconds: 120,
          families: [
            { ...ipv4, forwarding: false },
            { ...ipv6, forwarding: false },
          ],
        },
        {
          kind: 'long-lived-graceful-restart',
          families: [1, 2].map((afi) => ({ afi, safi: 1, forwarding: true, staleTimeSeconds: 0 })),
        },
      ],
    },
    { isOurForm: false },
  ),
  capture(
    'OPEN from GoBGP',
    '004d01 04 fbf4 005a c0000202 30 022e 0200 490402766d00 010400010001 010400020001 41040000fbf4 400a403c0001010000020100 0506000100010002',
    {
      holdTimeSeconds: 90,
      capabilities: [
        { kind: 'route-refresh' },
        { kind: 'fqdn', host: 'vm', domain: '' },
        { kind: 'multiprotocol', family: ipv4 },
        { kind: 'multiprotocol', family: ipv6 },
        { kind: 'four-octet-as', asn: 64500 },
        {
          kind: 'graceful-restart',
          restarting: false,
          notification: true,
          restartTimeSeconds: 60,
          families: [
            { ...ipv4, forwarding: false },
            { ...ipv6, forwarding: false },
          ],
        },
        { kind: 'extended-next-hop', tuples: [{ ...ipv4, nextHopAfi: 2 }] },
      ],
    },
  ),
  capture(
    'OPEN from ExaBGP',
    '005701 04 fbf4 005a c0000202 3a 0206010400010001 0206010400020001 020641040000fbf4 0206450400010103 020c400a803c 00010180 00020180 02020200 02024600 02020600',
    {
      capabilities: [
        { kind: 'multiprotocol', family: ipv4 },
        { kind: 'multiprotocol', family: ipv6 },
        { kind: 'four-octet-as', asn: 64500 },
        { kind: 'add-path', tuples: [{ ...ipv4, mode: 3 }] },
        {
          kind: 'graceful-restart',
          restarting: true,
          notification: false,
          restartTimeSeconds: 60,
          families: [
            { ...ipv4, forwarding: true },
            { ...ipv6, forwarding: true },
          ],
        },
        { kind: 'route-refresh' },
        { kind: 'enhanced-route-refresh' },
        { kind: 'extended-message' },
      ],
    },
    { isOurForm: false },
  ),
];

/** 64500:1 and no-export. */
const communities = [0xfbf40001, 0xffffff01];
const largeCommunities = [[4200000000, 1, 2]];
/** Route target 64500:7. */
const routeTarget = ['0002fbf400000007'];
const sequence = (...asns: number[]) => [{ type: 'sequence', asns }];
const old = { fourOctetAs: false };

export const updates: readonly Capture[] = [
  capture(
    'IPv4 routes from BIRD in MP_REACH_NLRI',
    '005402 0000 003d 900e0012000101 04c00002020018c6336419cb007180 40010100 40020602010000fbf4 c00808fbf40001ffffff01 c0200cfa56ea000000000100000002',
    {
      origin: 'igp',
      asPath: sequence(64500),
      communities,
      largeCommunities,
      reach: '1/1 192.0.2.2',
      reachNlri: ['198.51.100.0/24', '203.0.113.128/25'],
    },
    { isOurForm: false },
  ),
  capture(
    'IPv6 routes from BIRD with a long path',
    '005702 0000 0040 900e001c0002011020010db8000000000000000000000002003020010db80100 40010100 40020e02030000fbf40000fde9fa56ea02 c010080002fbf400000007',
    {
      origin: 'igp',
      asPath: sequence(64500, 65001, 4200000002),
      extendedCommunities: routeTarget,
      reach: '2/1 2001:db8::2',
      reachNlri: ['2001:db8:100::/48'],
    },
    { isOurForm: false },
  ),
  capture('End-of-RIB from BIRD', '001702 0000 0000', {}),
  capture('IPv6 End-of-RIB from BIRD', '001d02 0000 0006 800f03000201', { unreach: '2/1', unreachNlri: [] }),
  capture(
    'IPv4 routes from BIRD to a two-octet-AS peer',
    '005502 0000 0035 40010100 400204 02015ba0 400304c0000202 c00808fbf40001ffffff01 c011060201fa56ea01 c0200cfa56ea000000000100000002 18c63364 19cb007180',
    {
      origin: 'igp',
      asPath: sequence(4200000001),
      nextHop: '192.0.2.2',
      communities,
      largeCommunities,
      nlri: ['198.51.100.0/24', '203.0.113.128/25'],
    },
    old,
  ),
  capture(
    'IPv6 routes from BIRD to a two-octet-AS peer, with a link-local next hop',
    '007202 0000 005b 900e002c0002012020010db8000000000000000000000002fe80000000000000142b40fffe143537003020010db80100 40010100 40020802035ba0fde95ba0 c010080002fbf400000007 c0110e0203fa56ea010000fde9fa56ea02',
    {
      origin: 'igp',
      asPath: sequence(4200000001, 65001, 4200000002),
      extendedCommunities: routeTarget,
      reach: '2/1 2001:db8::2 fe80::142b:40ff:fe14:3537',
      reachNlri: ['2001:db8:100::/48'],
    },
    { ...old, isOurForm: false },
  ),
  capture(
    'an aggregate from FRR',
    '006902 0000 004f 40010100 5002000602010000fbf4 400304c0000202 80040400000032 400600 c007080000fbf4c0000202 c00808fbf40001ffffff01 c0200cfa56ea000000000100000002 c010080002fbf400000007 10c633',
    {
      origin: 'igp',
      asPath: sequence(64500),
      nextHop: '192.0.2.2',
      med: 50,
      atomicAggregate: true,
      aggregator: '64500 192.0.2.2',
      communities,
      largeCommunities,
      extendedCommunities: routeTarget,
      nlri: ['198.51.0.0/16'],
    },
    { isOurForm: false },
  ),
  capture(
    'an aggregate from FRR to a two-octet-AS peer',
    '007a02 0000 0060 40010100 5002000402015ba0 400304c0000202 80040400000032 400600 c007065ba0c0000202 c00808fbf40001ffffff01 c0200cfa56ea000000000100000002 c010080002fbf400000007 d01100060201fa56ea01 c01208fa56ea01c0000202 10c633',
    {
      origin: 'igp',
      asPath: sequence(4200000001),
      nextHop: '192.0.2.2',
      med: 50,
      atomicAggregate: true,
      aggregator: '4200000001 192.0.2.2',
      communities,
      largeCommunities,
      extendedCommunities: routeTarget,
      nlri: ['198.51.0.0/16'],
    },
    { ...old, isOurForm: false },
  ),
  capture(
    'IPv4 routes from GoBGP',
    '005b02 0000 0040 40010102 40020602010000fbf4 400304c0000202 80040400000032 c00808fbf40001ffffff01 c010080002fbf400000007 c0200cfa56ea000000000100000002 18c63364',
    {
      origin: 'incomplete',
      asPath: sequence(64500),
      nextHop: '192.0.2.2',
      med: 50,
      communities,
      largeCommunities,
      extendedCommunities: routeTarget,
      nlri: ['198.51.100.0/24'],
    },
  ),
  capture(
    'IPv4 routes from ExaBGP with a path identifier',
    '005402 0000 0035 40010100 40020602010000fbf4 400304c0000202 80040400000032 c00808fbf40001ffffff01 c0200cfa56ea000000000100000002 0000000718c63364',
    {
      origin: 'igp',
      asPath: sequence(64500),
      nextHop: '192.0.2.2',
      med: 50,
      communities,
      largeCommunities,
      nlri: ['7@198.51.100.0/24'],
    },
    { addPath: [ipv4] },
  ),
  capture(
    'reflected IPv4 routes from ExaBGP with an AS_SET',
    '006602 0000 0046 40010100 400218 0202 0000fbf4 fa56ea02 0103 000000010000000200000003 400304c0000202 400600 c007080000fbf4c0000202 800904c0000209 800a08c0000208c0000207 0000000019cb007180',
    {
      origin: 'igp',
      asPath: [...sequence(64500, 4200000002), { type: 'set', asns: [1, 2, 3] }],
      nextHop: '192.0.2.2',
      atomicAggregate: true,
      aggregator: '64500 192.0.2.2',
      originatorId: 0xc0000209,
      clusterList: [0xc0000208, 0xc0000207],
      nlri: ['0@203.0.113.128/25'],
    },
    { addPath: [ipv4], internal: true },
  ),
  capture(
    'IPv6 routes from ExaBGP, with MP_REACH_NLRI as the last attribute',
    '004302 0000 002c 40010100 40020602010000fbf4 800e1c0002011020010db8000000000000000000000002003020010db80100',
    {
      origin: 'igp',
      asPath: sequence(64500),
      reach: '2/1 2001:db8::2',
      reachNlri: ['2001:db8:100::/48'],
    },
    { isOurForm: false },
  ),
];

/** The NOTIFICATION `Bad Message Type` that BIRD and FRR send after they receive a message of type 9. */
export const notification = octets(`${marker} 0016 03 01 03 09`);
/** FRR's marks for the beginning and the end of a route refresh (RFC 7313). */
export const refreshMarks = ['0017 05 0001 01 01', '0017 05 0001 02 01'].map((text) => octets(marker + text));
export const keepalive = octets(`${marker} 0013 04`);

/** Every message above. */
export const everyCapture: readonly { readonly bytes: Uint8Array; readonly options: ReceiveOptions }[] = [
  ...opens,
  ...updates,
  ...[notification, ...refreshMarks, keepalive].map((bytes) => ({ bytes, options: external })),
];
