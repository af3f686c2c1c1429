/** Checks fields whose outcome depends on other fields or objects: their rows in the table, and their places in the configuration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Conversion, convert, formatFault, readObjects } from '../../../src/convert/index.ts';

function converted(...objects: readonly object[]): Conversion {
  const read = readObjects('f', objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  assert.ok(read.ok);
  const result = convert(read.value, { from: 'auto' });
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatFault).join('\n'));
  return result.value;
}

/** The rows of a field, each as `outcome: detail`. */
const rowsOf = ({ rows }: Conversion, field: string) =>
  rows.filter((row) => row.field === field).map(({ outcome, detail }) => `${outcome}: ${detail}`);

const cilium = (kind: string, name: string, spec: object, metadata: object = {}) => ({
  apiVersion: 'cilium.io/v2',
  kind,
  metadata: { name, ...metadata },
  spec,
});
const configMap = (namespace: string, name: string, data: object) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace, name },
  data,
});

const metallbPools = 'address-pools: [{name: a, protocol: layer2, addresses: [192.0.2.0/24]}]';
const left =
  'not carried: add ignore-excluded-nodes: true by hand: MetalLB v0.12 announces from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers, and bellman convert cannot add a key to this text';
for (const [name, text, expected] of [
  ['block mappings', `${metallbPools}\n`, /^changed: ignore-excluded-nodes: true, added: /],
  ['one flow mapping', `{${metallbPools}}\n`, left],
  ['one flow mapping with the key', `{${metallbPools}, ignore-excluded-nodes: false}\n`, undefined],
  ['block mappings with the key', `${metallbPools}\n"ignore-excluded-nodes": false\n`, undefined],
] as const)
  test(`the table has the right row for ignore-excluded-nodes when the ConfigMap of MetalLB is ${name}`, () => {
    const [row] = rowsOf(converted(configMap('metallb-system', 'config', { config: text })), 'data.config');
    if (expected instanceof RegExp) assert.match(row ?? '', expected);
    else assert.equal(row, expected);
  });

test('the table says why an interface of kube-vip is in no pool', () => {
  const result = converted(
    configMap('kube-system', 'kubevip', {
      'cidr-web': '192.0.2.0/28',
      'cidr-inner': '192.0.2.0/29',
      'cidr-dhcp': '0.0.0.0/32',
      'interface-web': 'eth0',
      'interface-inner': 'eth1',
      'interface-dhcp': 'eth2',
      'interface-other': 'eth3',
      'interface-global': 'eth4',
    }),
  );
  const its = 'its Services use the interface of the pool that serves them';
  for (const [namespace, expected] of [
    [
      'web',
      'changed: address-pools[0].l2-advertisements[0].interfaces: written into each pool that it is for',
    ],
    ['inner', `not carried: the addresses of this namespace are not carried either; ${its}`],
    ['dhcp', `not carried: the addresses of this namespace are not carried either; ${its}`],
    ['other', `not carried: this namespace has no pool of its own; ${its}`],
    ['global', 'not carried: each pool has the interface of its own namespace'],
  ] as const)
    assert.deepEqual(rowsOf(result, `data.interface-${namespace}`), [expected]);
  const none = converted(configMap('kube-system', 'kubevip', { 'interface-global': 'eth0' }));
  assert.deepEqual(rowsOf(none, 'data.interface-global'), ['not carried: there is no pool']);
});

const peer = (name: string, peerASN: number, address: string) => ({
  name,
  peerASN,
  peerAddress: address,
  peerConfigRef: { name: 'shared' },
});
const peerConfig = cilium('CiliumBGPPeerConfig', 'shared', {
  ebgpMultihop: 4,
  families: [{ afi: 'ipv4', safi: 'unicast', advertisements: { matchLabels: { a: 'b' } } }],
});

test('the row of ebgpMultihop names only the peers that have ebgp-multihop', () => {
  const result = converted(
    cilium('CiliumBGPClusterConfig', 'c', {
      bgpInstances: [
        {
          name: 'i',
          localASN: 64512,
          peers: [peer('inner', 64512, '10.0.0.1'), peer('outer', 64513, '10.0.0.2')],
        },
      ],
    }),
    peerConfig,
  );
  assert.deepEqual(rowsOf(result, 'spec.ebgpMultihop'), ['carried: peers[1].ebgp-multihop']);
});

test('peers of instances without a name get names without the word undefined', () => {
  const instance = (n: number) => ({ localASN: 64512, peers: [peer('p', 64513, `10.0.0.${n}`)] });
  const result = converted(
    cilium('CiliumBGPClusterConfig', 'c', { bgpInstances: [instance(1), instance(2)] }),
    cilium('CiliumBGPClusterConfig', 'd', { bgpInstances: [instance(3)] }),
    peerConfig,
  );
  assert.deepEqual(
    result.config.peers.map(({ name }) => name),
    ['p', 'c-p', 'd-p'],
  );
});

const namespace = 'io.kubernetes.service.namespace';
const requirement = (operator: string, ...values: string[]) => ({ key: namespace, operator, values });
const selectors: readonly (readonly [string, object, isLeftOut: boolean])[] = [
  [
    'only namespaces that are in both of two disjoint lists',
    { matchExpressions: [requirement('In', 'a'), requirement('In', 'b')] },
    true,
  ],
  [
    'a namespace that it also excludes',
    { matchLabels: { [namespace]: 'a' }, matchExpressions: [requirement('NotIn', 'a')] },
    true,
  ],
  [
    'a Service name but no namespace',
    {
      matchLabels: { 'io.kubernetes.service.name': 'web' },
      matchExpressions: [requirement('DoesNotExist')],
    },
    true,
  ],
  ['one namespace', { matchLabels: { [namespace]: 'a' } }, false],
  ['all namespaces but one', { matchExpressions: [requirement('NotIn', 'a')] }, false],
];
for (const [name, selector, isLeftOut] of selectors)
  test(`an advertisement of Cilium whose selector allows ${name} is ${isLeftOut ? 'left out' : 'written for the whole pool'}`, () => {
    const result = converted(
      cilium('CiliumLoadBalancerIPPool', 'a', { blocks: [{ cidr: '192.0.2.0/24' }] }),
      cilium('CiliumBGPClusterConfig', 'c', {
        bgpInstances: [{ name: 'i', localASN: 64512, peers: [peer('p', 64513, '10.0.0.1')] }],
      }),
      peerConfig,
      cilium(
        'CiliumBGPAdvertisement',
        'b',
        {
          advertisements: [
            { advertisementType: 'Service', service: { addresses: ['LoadBalancerIP'] }, selector },
          ],
        },
        { labels: { a: 'b' } },
      ),
      cilium('CiliumL2AnnouncementPolicy', 'l', {
        loadBalancerIPs: true,
        serviceSelector: selector,
        interfaces: ['^eth0$'],
      }),
    );
    assert.deepEqual(result.config.pools[0]?.protocols, isLeftOut ? [] : ['bgp', 'layer2']);
    for (const field of [
      'spec.advertisements[0].advertisementType',
      'spec.loadBalancerIPs',
      'spec.interfaces',
    ]) {
      const [row = ''] = rowsOf(result, field);
      if (isLeftOut)
        assert.equal(
          row,
          'not carried: its selector can match no Service, because it allows no namespace',
          field,
        );
      else assert.match(row, /^changed: address-pools/, field);
    }
  });

const elb = (kind: string, name: string, spec: object) => ({
  apiVersion: 'network.kubesphere.io/v1alpha2',
  kind,
  metadata: { name },
  spec,
});
const rack = 'openelb.kubesphere.io/rack';
const onRacks = (operator: string, ...values: string[]) => ({
  matchExpressions: [{ key: rack, operator, values }],
});
for (const [name, spec, expected, outcome] of [
  ['no node selector', {}, ['p-a 1 {a}', 'p-b 2 {b}', 'p 9 not a,b'], undefined],
  ['one rack of asPerRack', { matchLabels: { [rack]: 'a' } }, ['p 1 {a}'], /^carried: peers\[0\]/],
  ['a rack that asPerRack lacks', { matchLabels: { [rack]: 'c' } }, ['p 9 {c}'], /^carried: peers\[0\]/],
  ['one rack in a list', onRacks('In', 'b'), ['p-b 2 {b} in b'], /^changed: .*: together with the label/],
  [
    'a list with a rack of asPerRack and a rack that asPerRack lacks',
    onRacks('In', 'b', 'c'),
    ['p-b 2 {b} in b,c', 'p 9 in b,c not a,b'],
    /^changed/,
  ],
  ['a list without racks of asPerRack', onRacks('In', 'c'), ['p 9 in c'], /^carried/],
  ['all racks but one', onRacks('NotIn', 'a'), ['p-b 2 {b} not a', 'p 9 not a not a,b'], /^changed/],
  ['all nodes by an empty selector', {}, ['p-a 1 {a}', 'p-b 2 {b}', 'p 9 not a,b'], undefined],
] as const)
  test(`a BgpPeer with ${name} gets the AS number that OpenELB gives to its nodes`, () => {
    const nodeSelector =
      Object.keys(spec).length > 0 || name.startsWith('all nodes') ? { nodeSelector: spec } : {};
    const result = converted(
      elb('BgpConf', 'default', { as: 9, asPerRack: { a: 1, b: 2 }, routerId: '192.0.2.9' }),
      elb('BgpPeer', 'p', { conf: { peerAs: 7, neighborAddress: '192.0.2.1' }, ...nodeSelector }),
    );
    const texts = result.config.peers.map(({ name: own, myAsn, routerId, nodeSelectors }) => {
      assert.equal(
        routerId !== undefined,
        myAsn === 9,
        'OpenELB gives each node of a rack a router ID of its own',
      );
      const [{ matchLabels = {}, matchExpressions = [] } = {}] = nodeSelectors;
      const labels = Object.values(matchLabels).map((value) => `{${value}}`);
      const words = { In: 'in', NotIn: 'not', Exists: 'exists', DoesNotExist: 'lacks' };
      return [
        own,
        myAsn,
        ...labels,
        ...matchExpressions.map(({ operator, values }) => `${words[operator]} ${values}`),
      ].join(' ');
    });
    assert.deepEqual(texts, expected);
    const [row] = rowsOf(result, 'spec.nodeSelector');
    if (outcome) assert.match(row ?? '', outcome);
    else
      assert.equal(row, name.startsWith('all nodes') ? 'changed: left out; it selects all nodes' : undefined);
    const places = (isOfRack: boolean, key: string) =>
      result.config.peers.flatMap(({ myAsn }, i) => (isOfRack === (myAsn !== 9) ? `peers[${i}].${key}` : []));
    for (const [field, isOfRack, key] of [
      ['spec.asPerRack', true, 'my-asn'],
      ['spec.as', false, 'my-asn'],
      ['spec.routerId', false, 'router-id'],
    ] as const) {
      const [of = ''] = rowsOf(result, field);
      const at = places(isOfRack, key);
      assert.ok(
        of.startsWith(`changed: ${at.length === 0 ? 'left out; ' : `${at.join(', ')}: `}`),
        `${field} ${of}`,
      );
    }
  });

test('the rows of ebgpMultihop and of the shared graceful restart name only the peers that have them', () => {
  const of = (n: number) => ({ peerAs: n, neighborAddress: `192.0.2.${n}` });
  const result = converted(
    elb('BgpConf', 'default', {
      asPerRack: { a: 1, b: 2 },
      gracefulRestart: { enabled: true, restartTime: 60 },
    }),
    elb('BgpPeer', 'p', { conf: of(1), ebgpMultihop: { enabled: true, multihopTtl: 3 } }),
    elb('BgpPeer', 'q', { conf: of(7), gracefulRestart: { enabled: false } }),
  );
  for (const field of ['enabled', 'multihopTtl'])
    assert.deepEqual(rowsOf(result, `spec.ebgpMultihop.${field}`), ['carried: peers[1].ebgp-multihop']);
  const [row = ''] = rowsOf(result, 'spec.gracefulRestart.enabled').filter((each) =>
    each.startsWith('carried'),
  );
  assert.equal(row, 'carried: peers[0].graceful-restart, peers[1].graceful-restart');
  assert.deepEqual(rowsOf(result, 'spec.gracefulRestart.restartTime'), [
    'carried: peers[0].graceful-restart.restart-time, peers[1].graceful-restart.restart-time',
  ]);
});

test('a BgpPeer that selects a rack without an AS number is refused', () => {
  const read = readObjects(
    'f',
    [
      elb('BgpConf', 'default', { asPerRack: { a: 1 } }),
      elb('BgpPeer', 'p', {
        conf: { peerAs: 7, neighborAddress: '192.0.2.1' },
        nodeSelector: { matchLabels: { [rack]: 'c' } },
      }),
    ]
      .map((object) => JSON.stringify(object))
      .join('\n---\n'),
  );
  assert.ok(read.ok);
  const result = convert(read.value, { from: 'auto' });
  assert.match(
    result.ok ? '' : result.error.map(formatFault).join('\n'),
    /^BgpPeer p: spec.nodeSelector: it selects no rack/,
  );
});

const purelbGroup = {
  apiVersion: 'purelb.io/v2',
  kind: 'ServiceGroup',
  metadata: { name: 'default' },
  spec: { local: { v4pool: { pool: '192.0.2.0/24', subnet: '192.0.2.0/24' } } },
};
const agent = (name: string, spec: object) => ({
  apiVersion: 'purelb.io/v2',
  kind: 'LBNodeAgent',
  metadata: { name },
  spec,
});
const edge = { matchLabels: { role: 'edge' } };
for (const [name, agents, expected] of [
  [
    'an agent for some nodes beside one for all nodes',
    [agent('all', { local: { localInterface: 'default' } }), agent('edge', { nodeSelector: edge })],
    [' of all', ' of edge'],
  ],
  [
    'an agent with an empty selector beside one for some nodes',
    [
      agent('edge', { nodeSelector: edge, local: { localInterface: 'eth2' } }),
      agent('all', { nodeSelector: {} }),
    ],
    ['eth2 of edge', ' of all'],
  ],
  [
    'an agent with further interfaces',
    [agent('all', { local: { localInterface: 'eth0', interfaces: ['eth1', 'eth0'] } })],
    ['eth0 eth1 of all'],
  ],
  [
    'an agent with the default interface and further ones',
    [agent('all', { local: { localInterface: 'default', interfaces: ['eth1'] } })],
    [],
  ],
] as const)
  test(`a pool of PureLB is answered on the nodes and links of ${name}`, () => {
    const result = converted(purelbGroup, ...agents);
    const written = result.config.pools[0]?.l2Advertisements.map(
      ({ interfaces, nodeSelectors }) =>
        `${interfaces.join(' ')} of ${nodeSelectors[0]?.matchLabels.role ?? 'all'}`,
    );
    assert.deepEqual(written, expected);
    const [row] = rowsOf(result, 'spec.local.interfaces');
    if (name.endsWith('further interfaces'))
      assert.equal(
        row,
        'changed: address-pools[0].l2-advertisements[0].interfaces: written into each pool in layer 2',
      );
  });
