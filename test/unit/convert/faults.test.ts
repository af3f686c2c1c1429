/**
 * A wrong, partial or contradictory source gives only faults. A fault about an object names the object. A fault about a field of the object also
 * names the field.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { convert, formatFault, objectsIn, readObjects, type SourceName } from '../../../src/convert/index.ts';

const pool = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: a, namespace: m}
spec: {addresses: [192.0.2.0/24]}
---`;
const peer = (spec: string) => `
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: p, namespace: m}
spec: {${spec}}
---`;
const object = (apiVersion: string, kind: string, spec: string, name = 'x') => `
apiVersion: ${apiVersion}
kind: ${kind}
metadata: {name: ${name}}
spec: {${spec}}
---`;
const metallb = 'metallb.io/v1beta1';
const openelb = 'network.kubesphere.io/v1alpha2';

/** The name of the case, the source, and the faults. */
const rows: readonly (readonly [string, string, string | RegExp | readonly string[]])[] = [
  [
    'a malformed address',
    pool.replace('192.0.2.0/24', '192.0.2.0/24, 10.0.0.300/32'),
    'IPAddressPool m/a: spec.addresses: 10.0.0.300 is not an address; 300 is more than 255',
  ],
  [
    'a text in place of a list of addresses',
    pool.replace('[192.0.2.0/24]', '192.0.2.0/24'),
    'IPAddressPool m/a: spec.addresses: expected a list of texts, not 192.0.2.0/24',
  ],
  [
    'a pool without addresses',
    pool.replace('addresses: [192.0.2.0/24]', ''),
    'IPAddressPool m/a: spec.addresses: missing; expected a list of prefixes and ranges',
  ],
  [
    'pools that overlap',
    pool + pool.replace('name: a', 'name: b').replace('192.0.2.0/24', '192.0.2.128/25'),
    'IPAddressPool m/b: spec.addresses: 192.0.2.128/25 overlaps 192.0.2.0/24 of pool a',
  ],
  [
    'a negative priority',
    pool.replace('spec: {', 'spec: {serviceAllocation: {priority: -1}, '),
    /IPAddressPool m\/a: spec.serviceAllocation.priority: expected a priority/,
  ],
  [
    'an advertisement of a pool that is not there',
    pool + object(metallb, 'L2Advertisement', 'ipAddressPools: [a, b]'),
    'L2Advertisement x: spec.ipAddressPools: there is no IPAddressPool b; pools: a',
  ],
  [
    'an advertisement to a peer that is not there',
    pool + object(metallb, 'BGPAdvertisement', 'peers: [p]'),
    'BGPAdvertisement x: spec.peers: there is no BGPPeer p; peers: none',
  ],
  [
    'an advertisement with a community alias that no Community defines',
    pool + object(metallb, 'BGPAdvertisement', 'communities: [gold]'),
    'BGPAdvertisement x: spec.communities: no Community has an alias gold; aliases: none',
  ],
  [
    'an alias with two values',
    pool + object(metallb, 'Community', 'communities: [{name: a, value: "1:1"}, {name: a, value: "1:2"}]'),
    'Community x: spec.communities[1].name: the alias a has two values, 1:1 and 1:2; give one of them another name',
  ],
  [
    'an aggregation to a prefix that is larger than the pool',
    pool + object(metallb, 'BGPAdvertisement', 'aggregationLength: 16'),
    /BGPAdvertisement x: spec.aggregationLength: \/16 would announce addresses outside the pool/,
  ],
  [
    'a peer with two kinds of AS number',
    peer('myASN: 1, peerASN: 2, dynamicASN: internal, peerAddress: 10.0.0.1'),
    'BGPPeer m/p: spec.dynamicASN: peerASN and dynamicASN cannot be combined; remove one of them',
  ],
  [
    'a peer without an AS number',
    peer('peerAddress: 10.0.0.1'),
    [
      'BGPPeer m/p: spec.myASN: missing; expected our AS number',
      "BGPPeer m/p: spec.peerASN: missing; expected the router's AS number, or dynamicASN",
    ],
  ],
  [
    'a peer without an address',
    peer('myASN: 1, peerASN: 2'),
    'BGPPeer m/p: spec.peerAddress: missing; expected the address of the router',
  ],
  [
    'a peer with a wrong address',
    peer('myASN: 1, peerASN: 2, peerAddress: 10.0.0.0.1'),
    'BGPPeer m/p: spec.peerAddress: 10.0.0.0.1 is not an address',
  ],
  [
    'a hold time of a second',
    peer('myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, holdTime: 1s'),
    'BGPPeer m/p: spec.holdTime: 1s is not allowed: 0, or 3s to 65535s (RFC 4271)',
  ],
  [
    'a password and a Secret',
    peer('myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, password: a, passwordSecret: {name: b}'),
    'BGPPeer m/p: spec.passwordSecret.name: password and password-secret cannot be combined',
  ],
  [
    'a peer whose profile is missing',
    peer('myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, bfdProfile: fast'),
    'BGPPeer m/p: spec.bfdProfile: there is no BFDProfile fast; profiles: none',
  ],
  [
    'a selector that is a text',
    peer('myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, nodeSelectors: [rack-1]'),
    'BGPPeer m/p: spec.nodeSelectors[0]: expected a label selector, not rack-1',
  ],
  [
    'a selector with a wrong operator',
    peer(
      'myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, nodeSelectors: [{matchExpressions: [{key: a, operator: Is}]}]',
    ),
    'BGPPeer m/p: spec.nodeSelectors[0]: matchExpressions[0]: operator: expected one of In, NotIn, Exists, DoesNotExist, not Is',
  ],
  [
    'a selector with an unknown key',
    peer('myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, nodeSelectors: [{rack: a}]'),
    'BGPPeer m/p: spec.nodeSelectors[0]: unknown key rack; a label selector has matchLabels and matchExpressions',
  ],
  [
    'a spec that is a list',
    pool.replace(/spec: .*/, 'spec: [1]'),
    [
      'IPAddressPool m/a: spec: expected keys and values, not a list',
      'IPAddressPool m/a: spec.addresses: missing; expected a list of prefixes and ranges',
    ],
  ],
  [
    'a ConfigMap of MetalLB with an error',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config, namespace: metallb-system}\ndata:\n  config: |\n    address-pools:\n    - {name: a, protocol: bgp, addresses: [192.0.2.0/33]}\n',
    'ConfigMap metallb-system/config: data.config: line 2, column 40: address-pools[0].addresses[0]: /33 is not a prefix length (0 to 32)',
  ],
  [
    'a ServiceGroup that is both local and remote',
    object(
      'purelb.io/v2',
      'ServiceGroup',
      'local: {v4pool: {pool: 192.0.2.0/24}}, remote: {v4pool: {pool: 198.51.100.0/24}}',
    ),
    'ServiceGroup x: spec: local and remote cannot be combined; remove one of them',
  ],
  [
    'a local ServiceGroup without addresses',
    object('purelb.io/v2', 'ServiceGroup', 'local: {multiPool: true}'),
    /ServiceGroup x: spec.local.v4pool: missing; expected at least one pool of addresses/,
  ],
  [
    'a remote ServiceGroup without addresses',
    object('purelb.io/v2', 'ServiceGroup', 'remote: {multiPool: true}'),
    /ServiceGroup x: spec.remote.v4pool: missing; expected at least one pool of addresses/,
  ],
  [
    'a peer whose address is a list',
    object(openelb, 'BgpConf', 'as: 64512', 'default') +
      object(openelb, 'BgpPeer', 'conf: {peerAs: 64513, neighborAddress: [192.0.2.1]}'),
    'BgpPeer x: spec.conf.neighborAddress: expected a text, not a list',
  ],
  [
    'a ServiceGroup that is neither local nor remote nor external',
    object('purelb.io/v2', 'ServiceGroup', ''),
    'ServiceGroup x: spec.local: missing; expected local, remote or external',
  ],
  [
    'a ServiceGroup with a backward range',
    object(
      'purelb.io/v2',
      'ServiceGroup',
      'local: {v4pool: {pool: 192.0.2.9-192.0.2.1, subnet: 192.0.2.0/24}}',
    ),
    'ServiceGroup x: spec.local.v4pool.pool: the range is backwards; write 192.0.2.1-192.0.2.9',
  ],
  [
    'a peer of OpenELB without a BgpConf',
    object(openelb, 'BgpPeer', 'conf: {peerAs: 1, neighborAddress: 10.0.0.1}'),
    'BgpPeer x: there is no BgpConf, which holds our AS number; convert it together with the peers',
  ],
  [
    'an Eip with an unknown protocol',
    object(openelb, 'Eip', 'address: 192.0.2.1, protocol: rip'),
    'Eip x: spec.protocol: expected bgp, layer2 or vip, not rip',
  ],
  [
    'an Eip without an address',
    object(openelb, 'Eip', 'protocol: bgp'),
    'Eip x: spec.address: missing; expected an address, a prefix or a range',
  ],
  [
    'a range key of kube-vip that holds a prefix',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubevip}\ndata: {range-global: 192.0.2.0/24}\n',
    'ConfigMap kubevip: data.range-global: 192.0.2.0/24 is not a range like 192.0.2.10-192.0.2.20',
  ],
  [
    'a block of Cilium with the end of a range but not its start',
    object('cilium.io/v2', 'CiliumLoadBalancerIPPool', 'blocks: [{stop: 192.0.2.9}]'),
    'CiliumLoadBalancerIPPool x: spec.blocks[0].cidr: missing; expected cidr, or start and stop',
  ],
  [
    'a peer of Cilium whose CiliumBGPPeerConfig is missing',
    object(
      'cilium.io/v2',
      'CiliumBGPClusterConfig',
      'bgpInstances: [{name: a, localASN: 1, peers: [{name: b, peerASN: 2, peerAddress: 10.0.0.1, peerConfigRef: {name: c}}]}]',
    ),
    'CiliumBGPClusterConfig x: spec.bgpInstances[0].peers[0].peerConfigRef.name: there is no CiliumBGPPeerConfig c; there are: none',
  ],
  [
    'two CiliumBGPPeerConfigs of one name',
    object('cilium.io/v2', 'CiliumBGPPeerConfig', 'ebgpMultihop: 2') +
      object('cilium.io/v2alpha1', 'CiliumBGPPeerConfig', 'ebgpMultihop: 3'),
    'CiliumBGPPeerConfig x: there is another CiliumBGPPeerConfig of this name; give only one of them',
  ],
  [
    'an instance of Cilium without an AS number',
    object(
      'cilium.io/v2',
      'CiliumBGPClusterConfig',
      'bgpInstances: [{name: a, peers: [{name: b, peerASN: 2, peerAddress: 10.0.0.1}]}]',
    ),
    'CiliumBGPClusterConfig x: spec.bgpInstances[0].localASN: missing; expected our AS number',
  ],
];

for (const [name, text, expected] of rows)
  test(`convert() refuses ${name}`, () => {
    const faults = faultsOf(text);
    if (expected instanceof RegExp) assert.match(faults.join('\n'), expected);
    else assert.deepEqual(faults, typeof expected === 'string' ? [expected] : expected);
  });

function faultsOf(text: string, from: SourceName | 'auto' = 'auto'): string[] {
  const objects = readObjects('f', text);
  if (!objects.ok) return objects.error.map(formatFault);
  const result = convert(objects.value, { from });
  return result.ok ? [] : result.error.map(formatFault);
}

const choices: readonly (readonly [string, string, SourceName | 'auto', string])[] = [
  [
    'manifests without an object of any source',
    object('v1', 'Pod', ''),
    'auto',
    'there is no object of MetalLB, PureLB, OpenELB, kube-vip, Cilium',
  ],
  [
    'objects of two sources',
    pool + object(openelb, 'Eip', 'address: 10.9.9.9'),
    'auto',
    'there are objects of MetalLB and OpenELB; choose one with --from metallb or --from openelb',
  ],
  [
    'objects of a source that was not chosen',
    pool,
    'purelb',
    'there is no object of PureLB, but there are objects of MetalLB',
  ],
];
for (const [name, text, from, message] of choices)
  test(`convert() refuses ${name}, and says which sources there are`, () => {
    assert.deepEqual(faultsOf(text, from), [message]);
  });

const files: readonly (readonly [string, string, string])[] = [
  ['broken YAML', 'a: [', 'f:1:5: '],
  [
    'a key that appears twice',
    'apiVersion: v1\nkind: Pod\nkind: Pod\nmetadata: {name: a}\n',
    'f:3:1: this key appears twice',
  ],
  [
    'a document that is not an object',
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\nhello: world\n',
    'f:5:1: not an object of Kubernetes; expected apiVersion, kind and metadata',
  ],
  [
    'an object without a name',
    'apiVersion: v1\nkind: Pod\nmetadata: {}\n',
    'f:1:1: Pod without a name; expected metadata.name',
  ],
  [
    'a List with an item that is a text',
    'apiVersion: v1\nkind: List\nitems: [a]\n',
    'f:1:1: items[0]: expected kind',
  ],
  [
    'a chain of aliases, each twice as long as the one before it',
    `a: &a [x, x]\n${Array.from({ length: 30 }, (_, i) => `${'abcdefghijklmnopqrstuvwxyzABCDE'[i + 1]}: &${'abcdefghijklmnopqrstuvwxyzABCDE'[i + 1]} [*${'abcdefghijklmnopqrstuvwxyzABCDE'[i]}, *${'abcdefghijklmnopqrstuvwxyzABCDE'[i]}]`).join('\n')}\n`,
    'f:16:10: more than 200000 values after aliases are followed',
  ],
  [
    'a tag',
    'apiVersion: v1\nkind: !!js/function x\nmetadata: {name: a}\n',
    'f:2:7: YAML tags are not supported',
  ],
];
for (const [name, text, message] of files)
  test(`readObjects() names the place when it refuses ${name}`, () => {
    const read = readObjects('f', text);
    assert.ok(!read.ok);
    assert.ok(read.error.map(formatFault).join('\n').startsWith(message), JSON.stringify(read.error));
  });

test('a file of manifests may hold objects of other programs, empty documents and comments', () => {
  const read = readObjects('f', `# nothing\n---\n${object('v1', 'Pod', '')}\n${pool}\n---\n`);
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.map(({ kind }) => kind),
    ['Pod', 'IPAddressPool'],
  );
});

test('two advertisements with the same effect become one', () => {
  const text = [
    pool,
    object(metallb, 'Community', 'communities: [{name: gold, value: "64512:1"}]', 'c'),
    object(metallb, 'BGPAdvertisement', 'communities: [gold, "large:1:2:3"]', 'a'),
    object(
      metallb,
      'BGPAdvertisement',
      'communities: ["large:1:2:3", "64512:1"], aggregationLength: 32, localPref: 0',
      'b',
    ),
  ].join('');
  const objects = readObjects('f', text);
  assert.ok(objects.ok);
  const result = convert(objects.value, { from: 'metallb' });
  assert.ok(result.ok);
  assert.equal(result.value.config.pools[0]?.bgpAdvertisements.length, 1);
});

test('graceful restart of a BgpPeer overrides that of the BgpConf', () => {
  const textOf = (spec: string) => {
    const objects = readObjects(
      'f',
      object(openelb, 'BgpConf', 'as: 64512, gracefulRestart: {enabled: true, restartTime: 60}', 'default') +
        object(openelb, 'BgpPeer', `conf: {peerAs: 64513, neighborAddress: 192.0.2.1}${spec}`),
    );
    assert.ok(objects.ok);
    const result = convert(objects.value, { from: 'openelb' });
    assert.ok(result.ok);
    return result.value.text;
  };
  assert.match(textOf(''), /restart-time: 60s/);
  assert.match(textOf(', gracefulRestart: {enabled: true, restartTime: 90}'), /restart-time: 90s/);
  assert.doesNotMatch(textOf(', gracefulRestart: {enabled: false}'), /graceful-restart/);
});

test('a source that asks for millions of advertisements is refused before they are made', () => {
  const many = (count: number, make: (i: number) => unknown) =>
    Array.from({ length: count }, (_, i) => make(i));
  const resource = (kind: string, name: string, spec: unknown) => ({
    apiVersion: metallb,
    kind,
    metadata: { name },
    spec,
  });
  const read = objectsIn({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      ...many(3000, (i) =>
        resource('IPAddressPool', `p${i}`, { addresses: [`10.${i >> 8}.${i & 255}.0/24`] }),
      ),
      ...many(3000, (i) => resource('BGPAdvertisement', `a${i}`, { localPref: i + 1 })),
    ],
  });
  assert.ok(read.ok);
  const result = convert(read.value, { from: 'metallb' });
  assert.ok(!result.ok);
  assert.deepEqual(result.error.map(formatFault), [
    '3000 pools and 3000 advertisements give too many combinations; convert the pools in several parts',
  ]);
});

test('a source with hundreds of pools and advertisements is converted', () => {
  const items = [
    ...Array.from({ length: 400 }, (_, i) => ({
      apiVersion: metallb,
      kind: 'IPAddressPool',
      metadata: { name: `p${i}` },
      spec: { addresses: [`10.${i >> 8}.${i & 255}.0/24`] },
    })),
    ...Array.from({ length: 20 }, (_, i) => ({
      apiVersion: metallb,
      kind: 'BGPAdvertisement',
      metadata: { name: `a${i}` },
      spec: { localPref: i + 1 },
    })),
  ];
  const read = objectsIn({ apiVersion: 'v1', kind: 'List', items });
  assert.ok(read.ok);
  const result = convert(read.value, { from: 'metallb' });
  assert.ok(result.ok);
  assert.equal(
    result.value.config.pools.reduce((sum, each) => sum + each.bgpAdvertisements.length, 0),
    8000,
  );
});
