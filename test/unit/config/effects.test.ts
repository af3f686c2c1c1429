import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../src/config/index.ts';

const internal = '{name: inner, my-asn: 64512, peer-asn: 64512, peer-address: 10.0.0.1}';
const external = '{name: outer, my-asn: 64512, peer-asn: 64500, peer-address: 10.0.0.2}';
const onlySix = '{name: six, my-asn: 64512, peer-asn: 64500, peer-address: 10.0.0.3, families: [ipv6]}';

/** The warnings of a pool with these peers and advertisements, as `path: message`. */
function warnings(
  peers: string,
  advertisements: string,
  addresses = '192.0.2.0/24',
  protocol = 'bgp',
): string[] {
  const kind = protocol === 'bgp' ? 'bgp' : 'l2';
  const parsed = parseConfig(
    `peers: [${peers}]\naddress-pools:\n- name: a\n  protocol: ${protocol}\n  addresses: [${addresses}]\n  ${kind}-advertisements: [${advertisements}]\n`,
  );
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.map(({ message }) => message).join());
  return parsed.warnings.map(({ path, message }) => `${path}: ${message}`);
}

const at = 'address-pools\\[0\\]\\.bgp-advertisements\\[\\d\\]';
const rows: readonly (readonly [string, string[], RegExp | undefined])[] = [
  [
    'localpref for an external peer',
    [external, '{localpref: 200}'],
    new RegExp(`^${at}\\.localpref: it has no effect`),
  ],
  ['localpref for an internal peer', [internal, '{localpref: 200}'], undefined],
  [
    'localpref for an external and an internal peer',
    [`${internal}, ${external}`, '{localpref: 200}'],
    undefined,
  ],
  [
    'localpref for only the external one of two peers',
    [`${internal}, ${external}`, '{localpref: 200, peers: [outer]}'],
    /localpref: it has no effect/,
  ],
  [
    'prepending for an internal peer',
    [internal, '{as-path-prepend: 2}'],
    new RegExp(`^${at}\\.as-path-prepend: it has no effect`),
  ],
  ['prepending for an external peer', [external, '{as-path-prepend: 2}'], undefined],
  [
    'aggregation of a family that the pool lacks',
    [external, '{aggregation-length-v6: 64}'],
    /aggregation-length-v6: it has no effect: the pool has no IPv6 addresses/,
  ],
  ['aggregation of a family that the pool has', [external, '{aggregation-length: 24}'], undefined],
  [
    'an advertisement to a peer that carries only the other family',
    [onlySix, '{med: 1}'],
    /it has no effect: no peer that receives it carries the address families of the pool/,
  ],
  ['localpref when there are no peers', ['', '{localpref: 200}'], undefined],
  [
    'an advertisement that a broader one covers',
    [external, '{med: 1}, {med: 1, node-selectors: [{match-labels: {a: b}}]}'],
    /bgp-advertisements\[1\]: it has no effect: bgp-advertisements\[0\] announces all of this already/,
  ],
  [
    'an advertisement that a later and broader one covers',
    [`${external}, ${internal}`, '{med: 1, peers: [outer]}, {med: 1}'],
    /bgp-advertisements\[0\]: it has no effect: bgp-advertisements\[1\] announces all/,
  ],
  [
    'advertisements with different attributes',
    [external, '{med: 1}, {med: 2, node-selectors: [{match-labels: {a: b}}]}'],
    undefined,
  ],
  [
    'a layer-2 advertisement that a broader one covers',
    ['', '{}, {node-selectors: [{match-labels: {a: b}}]}', '192.0.2.0/24', 'layer2'],
    /l2-advertisements\[1\]: it has no effect: l2-advertisements\[0\] lets the same nodes answer/,
  ],
  [
    'the second of two BGP advertisements that name the same peers in a different order',
    [`${external}, ${internal}`, '{med: 1, peers: [outer, inner]}, {med: 1, peers: [inner, outer]}'],
    /bgp-advertisements\[1\]: it has no effect: bgp-advertisements\[0\] announces all/,
  ],
  [
    'the second of two equal layer-2 advertisements',
    ['', '{interfaces: [eth0]}, {interfaces: [eth0]}', '192.0.2.0/24', 'layer2'],
    /l2-advertisements\[1\]: it has no effect: l2-advertisements\[0\] lets the same nodes answer/,
  ],
  [
    'layer-2 advertisements on different interfaces',
    [
      '',
      '{interfaces: [eth0]}, {interfaces: [eth1], node-selectors: [{match-labels: {a: b}}]}',
      '192.0.2.0/24',
      'layer2',
    ],
    undefined,
  ],
  [
    'a layer-2 advertisement that adds preferred nodes to a broader one',
    [
      '',
      '{}, {node-selectors: [{match-labels: {a: b}}], preferred-node-selectors: [{weight: 1, preference: {match-labels: {a: b}}}]}',
      '192.0.2.0/24',
      'layer2',
    ],
    undefined,
  ],
];
for (const [name, [peers = '', ...rest], pattern] of rows)
  test(`parseConfig() ${pattern ? 'warns of' : 'accepts without a warning'} ${name}`, () => {
    const [advertisements = '', addresses, protocol] = rest;
    const found = warnings(peers, advertisements, addresses, protocol);
    if (pattern) {
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', pattern);
    } else assert.deepEqual(found, []);
  });

const peers: readonly (readonly [string, string, boolean])[] = [
  ['echo over IPv6', "peer-address: '2001:db8::1', bfd-profile: echo", true],
  ['echo over several hops', 'peer-address: 10.0.0.1, ebgp-multihop: true, bfd-profile: echo', true],
  ['the port of a passive peer', 'peer-address: 10.0.0.1, peer-port: 1179, passive: true', true],
  ['a keepalive time of half the hold time', 'peer-address: 10.0.0.1, keepalive-time: 45s', false],
];
for (const [name, keys, expected] of peers)
  test(`the warning about ${name} is ${expected ? '' : 'not '}about a value without an effect`, () => {
    const parsed = parseConfig(
      `peers: [{my-asn: 64512, peer-asn: 64500, ${keys}}]\nbfd-profiles: [{name: echo, echo-mode: true}]\n`,
    );
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.warnings.map(({ isIdle = false }) => isIdle),
      [expected],
    );
  });
