import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyConfig } from '../../../src/config/config.ts';
import { type Config, formatConfig, formatConfigError, parseConfig } from '../../../src/config/index.ts';

function parsed(text: string): Config {
  const result = parseConfig(text);
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatConfigError).join('\n'));
  return result.value;
}

const peer = '{my-asn: 64512, peer-asn: 64500, peer-address: 10.0.0.1}';

test('parseConfig() fills in every default of a peer', () => {
  assert.deepEqual(parsed(`peers: [${peer}]`).peers, [
    {
      name: '10.0.0.1',
      myAsn: 64512,
      peerAsn: 64500,
      address: { family: 4, value: 0x0a000001n },
      port: 179,
      holdTimeSeconds: 90,
      keepaliveTimeSeconds: 30,
      connectTimeSeconds: 5,
      ttlSecurity: false,
      passive: false,
      nodeSelectors: [],
    },
  ]);
});

test('parseConfig() reads the keys of a peer', () => {
  const [read] = parsed(`
peers:
- name: tor
  my-asn: 64512
  local-asn: 64513
  peer-asn: external
  peer-address: fe80::1%eth0
  peer-port: 1179
  source-address: fe80::2
  interface: eth0
  hold-time: 1m30.5s
  keepalive-time: 10s
  connect-time: 2s
  router-id: 10.0.0.9
  password-secret: {name: bgp}
  ebgp-multihop: true
  passive: yes
  graceful-restart: true
  node-selectors: [{match-labels: {rack: 7}}]
`).peers;
  assert.deepEqual(read, {
    name: 'tor',
    myAsn: 64512,
    localAsn: 64513,
    peerAsn: 'external',
    address: { family: 6, value: 0xfe800000000000000000000000000001n },
    interface: 'eth0',
    sourceAddress: { family: 6, value: 0xfe800000000000000000000000000002n },
    port: 1179,
    holdTimeSeconds: 90,
    keepaliveTimeSeconds: 10,
    connectTimeSeconds: 2,
    routerId: 0x0a000009,
    passwordSecret: { name: 'bgp', key: 'password' },
    ebgpMultihop: 255,
    ttlSecurity: false,
    passive: true,
    gracefulRestart: { restartTimeSeconds: 90 },
    nodeSelectors: [{ matchLabels: { rack: '7' }, matchExpressions: [] }],
  });
});

test('parseConfig() reads fractions of a duration exactly, as Go does', () => {
  const seconds = (time: string) =>
    parsed(`peers: [{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, hold-time: ${time}}]`).peers[0]
      ?.holdTimeSeconds;
  for (const [time, expected] of [
    ['4.1m', 246],
    ['4.1h', 14_760],
    ['1.1h0.7m.3s', 4002],
    ['0.1h999.999999999ms', 360],
    ['3.s700ms300000us', 4],
  ] as const)
    assert.equal(seconds(time), expected, time);
});

test('parseConfig() distinguishes ebgp-multihop: false from an absent ebgp-multihop', () => {
  const hops = (line: string) =>
    parsed(`peers: [{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1${line}}]`).peers[0]?.ebgpMultihop;
  assert.equal(hops(''), undefined);
  assert.equal(hops(', ebgp-multihop: false'), 1);
  assert.equal(hops(', ebgp-multihop: 3'), 3);
});

test('parseConfig() fills in every default of a pool', () => {
  assert.deepEqual(parsed('address-pools: [{name: a, protocol: bgp, addresses: [192.0.2.0/30]}]').pools, [
    {
      name: 'a',
      protocols: ['bgp'],
      ranges: [{ family: 4, first: 0xc0000200n, last: 0xc0000203n }],
      autoAssign: true,
      avoidBuggyIps: false,
      draining: false,
      shareAcrossNamespaces: false,
      namespaces: [],
      namespaceSelectors: [],
      serviceSelectors: [],
      bgpAdvertisements: [
        {
          aggregationLength: 32,
          aggregationLengthV6: 128,
          asPathPrepend: 0,
          communities: [],
          largeCommunities: [],
          peers: [],
          nodeSelectors: [],
          serviceSelectors: [],
        },
      ],
      l2Advertisements: [],
    },
  ]);
  assert.deepEqual(
    parsed('address-pools: [{name: a, protocol: layer2, addresses: [192.0.2.0/30]}]').pools[0]
      ?.bgpAdvertisements,
    [],
  );
});

test('parseConfig() sorts communities, removes duplicates, separates large communities, and prefers configured names to well-known names', () => {
  const [pool] = parsed(`
bgp-communities: {blackhole: '64512:666', far: '64512:1', wide: '64512:1:2'}
address-pools:
- name: a
  protocol: bgp
  addresses: [192.0.2.0/30]
  bgp-advertisements:
  - communities: [no-export, far, blackhole, 64512:1, wide, 'large:1:2:3']
`).pools;
  assert.deepEqual(pool?.bgpAdvertisements[0]?.communities, [0xfc000001, 0xfc00029a, 0xffffff01]);
  assert.deepEqual(pool?.bgpAdvertisements[0]?.largeCommunities, [
    [1, 2, 3],
    [64512, 1, 2],
  ]);
});

const names: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['by its address', ['peer-address: 10.0.0.1'], /^10\.0\.0\.1$/],
  [
    'by its address and a port other than 179',
    ['peer-address: 10.0.0.1, peer-port: 1179'],
    /^10\.0\.0\.1:1179$/,
  ],
  ['by its IPv6 address in canonical form', ['peer-address: "2001:DB8:0::1"'], /^2001:db8::1$/],
  [
    'by its IPv6 address in brackets and a port other than 179',
    ['peer-address: "2001:db8::1", peer-port: 1179'],
    /^\[2001:db8::1\]:1179$/,
  ],
  ['by its link-local address and interface', ['peer-address: fe80::1%eth0'], /^fe80::1%eth0$/],
  [
    'with a hash for the second peer at the same address',
    ['peer-address: 10.0.0.1', 'peer-address: 10.0.0.1, node-selectors: [{match-labels: {rack: b}}]'],
    /^10\.0\.0\.1 10\.0\.0\.1#[0-9a-f]{8}$/,
  ],
  [
    'with a hash where another peer has the address as its name',
    ['peer-address: 10.0.0.1', 'peer-address: 10.0.0.2, name: 10.0.0.1'],
    /^10\.0\.0\.1#[0-9a-f]{8} 10\.0\.0\.1$/,
  ],
];
for (const [what, peers, expected] of names) {
  test(`parseConfig() names a peer: ${what}`, () => {
    const text = peers.map((keys) => `- {my-asn: 64512, peer-asn: 64500, ${keys}}\n`).join('');
    assert.match(
      parsed(`peers:\n${text}`)
        .peers.map(({ name }) => name)
        .join(' '),
      expected,
    );
  });
}

test('parseConfig() counts lines and columns after every kind of line break', () => {
  for (const [lineBreak, column] of [
    ['\n', 11],
    ['\r\n', 11],
    ['\r', 11],
  ] as const) {
    const result = parseConfig(
      ['peers:', '- my-asn: 0', '  peer-asn: 1', '  peer-address: 10.0.0.1'].join(lineBreak),
    );
    assert.deepEqual(result.ok ? [] : result.error.map(({ line, column: at }) => [line, at]), [[2, column]]);
  }
});

test('parseConfig() accepts a bracket that closes left of its key, with LF and with CRLF', () => {
  const text = 'address-pools:\n- name: a\n  protocol: bgp\n  addresses: [\n    192.0.2.0/24,\n]\n';
  assert.deepEqual(parsed(text.replaceAll('\n', '\r\n')), parsed(text));
});

test('parseConfig() accepts a byte order mark', () => {
  assert.equal(parsed(`\uFEFFpeers: [${peer}]`).peers.length, 1);
});

test('formatConfigError() names path, line and column', () => {
  const error = {
    path: 'address-pools[1].addresses[0]',
    line: 14,
    column: 5,
    message: '10.0.0.300 is not an address',
  };
  assert.equal(
    formatConfigError(error),
    'address-pools[1].addresses[0], line 14, column 5: 10.0.0.300 is not an address',
  );
  assert.equal(formatConfigError({ ...error, path: '' }), 'line 14, column 5: 10.0.0.300 is not an address');
});

test('formatConfig() writes an empty configuration as a text that parseConfig() reads back', () => {
  assert.deepEqual(parsed(formatConfig(emptyConfig)), emptyConfig);
});
