import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { affinityWarnings } from '../../../src/cli/lint/affinity.ts';
import { editEffects } from '../../../src/cli/lint/edit.ts';
import { type ClusterObjects, lintedCluster } from '../../../src/cli/lint/facts.ts';
import { excludeFromLoadBalancersLabel } from '../../../src/cluster/names.ts';
import { type Config, parseConfig } from '../../../src/config/index.ts';
import type { Node } from '../../../src/kubernetes/model.ts';
import { lintCluster } from '../../../src/lint/cluster.ts';
import { ok } from '../../../src/result.ts';
import { node, service, slice } from '../speaker/fixtures.ts';
import { speakerStatus } from './fixtures.ts';

function configOf(text: string): Config {
  const parsed = parseConfig(text);
  assert.ok(
    parsed.ok,
    parsed.ok ? '' : parsed.error.map(({ path, message }) => `${path}: ${message}`).join('\n'),
  );
  return parsed.value;
}

const rawNode = (name: string, ip: string, podCIDR: string, labels: object = {}) => ({
  metadata: { name, labels },
  spec: { podCIDRs: [podCIDR] },
  status: { addresses: [{ type: 'InternalIP', address: ip }] },
});
const rawService = (name: string, labels: object, clusterIP: string, type = 'LoadBalancer') => ({
  metadata: { namespace: 'default', name, labels },
  spec: { type, clusterIPs: [clusterIP] },
});
const links = [{ name: 'eth0', subnets: ['192.0.2.0/24'] }];
const objects: ClusterObjects = {
  nodes: [
    rawNode('node-1', '192.0.2.11', '10.244.1.0/24', { rack: 'a' }),
    rawNode('node-2', '192.0.2.12', '10.244.2.0/24'),
  ],
  services: [rawService('web', { tier: 'gold' }, '10.96.0.10')],
  serviceCIDRs: undefined,
  namespaces: new Map([
    ['default', {}],
    ['shop', { team: 'x' }],
  ]),
};
const cluster = lintedCluster(objects, [{ node: 'node-1', status: ok(speakerStatus({ links })) }]);

describe('lintCluster()', () => {
  const lint = (text: string) =>
    lintCluster(configOf(text), cluster).map(({ path, message }) => `${path}: ${message}`);
  const pool = (text: string) => lint(`address-pools: [{name: a, ${text}}]`);

  const rows: readonly (readonly [string, readonly string[], RegExp | undefined])[] = [
    [
      'a layer-2 pool in the subnet of a link',
      pool('protocol: layer2, addresses: [192.0.2.240/28]'),
      undefined,
    ],
    [
      'a layer-2 pool outside the subnets of all links',
      pool('protocol: layer2, addresses: [203.0.113.0/28]'),
      /^address-pools\[0\]\.addresses\[0\]: no node has a link whose subnet overlaps 203\.0\.113\.0\/28/,
    ],
    [
      'a layer-2 pool outside the subnets of all links, with an advertisement that names interfaces',
      pool('protocol: layer2, addresses: [203.0.113.0/28], l2-advertisements: [{interfaces: [eth0]}]'),
      undefined,
    ],
    [
      'a BGP pool outside the subnets of all links',
      pool('protocol: bgp, addresses: [203.0.113.0/28]'),
      undefined,
    ],
    [
      'a pool with the address of a node',
      pool('protocol: layer2, addresses: [192.0.2.0/28]'),
      /192\.0\.2\.11 is the address of node node-1; and 1 more conflict$/,
    ],
    [
      'a pool that overlaps Pod addresses',
      pool('protocol: bgp, addresses: [10.244.2.128/25]'),
      /it overlaps 10\.244\.2\.0\/24, the Pod addresses of node node-2/,
    ],
    [
      'a pool that contains Service addresses',
      pool('protocol: bgp, addresses: [10.96.0.0/24]'),
      /it contains the ClusterIP of Service default\/web/,
    ],
    [
      'node selectors that match',
      pool(
        'protocol: layer2, addresses: [192.0.2.240/28], l2-advertisements: [{node-selectors: [{match-labels: {rack: a}}]}]',
      ),
      undefined,
    ],
    [
      'node selectors that match nothing',
      pool(
        'protocol: layer2, addresses: [192.0.2.240/28], l2-advertisements: [{node-selectors: [{match-labels: {rack: z}}]}]',
      ),
      /^address-pools\[0\]\.l2-advertisements\[0\]\.node-selectors: no node of the cluster matches/,
    ],
    [
      'service selectors that match nothing',
      pool('protocol: layer2, addresses: [192.0.2.240/28], service-selectors: [{match-labels: {tier: tin}}]'),
      /service-selectors: no Service of type LoadBalancer of the cluster matches/,
    ],
    [
      'service selectors that match',
      pool(
        'protocol: layer2, addresses: [192.0.2.240/28], service-selectors: [{match-labels: {tier: gold}}]',
      ),
      undefined,
    ],
    [
      'namespace selectors that match nothing',
      pool('protocol: layer2, addresses: [192.0.2.240/28], namespace-selectors: [{match-labels: {team: y}}]'),
      /namespace-selectors: no namespace of the cluster matches/,
    ],
    [
      'a namespace that does not exist',
      pool('protocol: layer2, addresses: [192.0.2.240/28], namespaces: [shop, shopp]'),
      /namespaces\[1\]: there is no namespace shopp/,
    ],
    [
      'a peer whose node selectors match nothing',
      lint(
        'peers: [{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, node-selectors: [{match-labels: {rack: z}}]}]',
      ),
      /^peers\[0\]\.node-selectors: no node of the cluster matches/,
    ],
    [
      'two peers at one address for one node',
      lint(
        'peers: [{name: a, my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1}, {name: b, my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, node-selectors: [{match-labels: {rack: a}}]}]',
      ),
      /^peers\[1\]\.node-selectors: peers\[0\] has the same address and also matches node node-1: that node opens two sessions/,
    ],
    [
      'two peers at one address for different nodes',
      lint(
        'peers: [{name: a, my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, node-selectors: [{match-expressions: [{key: rack, operator: DoesNotExist}]}]}, {name: b, my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, node-selectors: [{match-labels: {rack: a}}]}]',
      ),
      undefined,
    ],
    [
      'two peers at one address with different ports',
      lint(
        'peers: [{name: a, my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1}, {name: b, my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, peer-port: 1179}]',
      ),
      undefined,
    ],
  ];
  for (const [name, found, pattern] of rows)
    test(`${pattern ? 'warns of' : 'accepts'} ${name}`, () => {
      if (!pattern) return assert.deepEqual(found, []);
      assert.equal(found.length, 1, found.join('\n'));
      return assert.match(found[0] ?? '', pattern);
    });

  const serviceCIDR = {
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ['10.96.0.0/12', 'fd00:96::/112'] },
  };
  const overService = (serviceCIDRs: ClusterObjects['serviceCIDRs']) =>
    lintCluster(
      configOf('address-pools: [{name: a, protocol: bgp, addresses: [10.100.0.0/24, "fd00:96::/120"]}]'),
      lintedCluster({ ...objects, serviceCIDRs }, []),
    ).map(({ path, message }) => `${path}: ${message}`);

  test('warns of a pool that overlaps a ServiceCIDR object, although no Service has a ClusterIP in the pool', () => {
    assert.deepEqual(overService(undefined), []);
    assert.deepEqual(overService([serviceCIDR]), [
      'address-pools[0].addresses[0]: 10.100.0.0/24: it overlaps 10.96.0.0/12, the range of ClusterIPs of ServiceCIDR kubernetes',
      'address-pools[0].addresses[1]: fd00:96::/120: it overlaps fd00:96::/112, the range of ClusterIPs of ServiceCIDR kubernetes',
    ]);
  });

  test('matches a service selector only with Services of type LoadBalancer', () => {
    const services = [...objects.services, rawService('db', { tier: 'tin' }, '10.96.0.11', 'ClusterIP')];
    const config = configOf(
      'address-pools: [{name: a, protocol: bgp, addresses: [198.51.100.0/28], service-selectors: [{match-expressions: [{key: tier, operator: NotIn, values: [gold]}]}]}]',
    );
    const found = lintCluster(config, lintedCluster({ ...objects, services }, []));
    assert.deepEqual(
      found.map(({ message }) => message),
      ['no Service of type LoadBalancer of the cluster matches'],
    );
  });

  test('ignores a ServiceCIDR object whose ranges are invalid or missing', () => {
    const odd = { metadata: { name: 'odd' }, spec: { cidrs: ['nonsense', 7] } };
    assert.deepEqual(overService([odd]), []);
    assert.deepEqual(overService([{ metadata: { name: 'empty' } }]), []);
  });

  test('says nothing about links while a speaker does not report them', () => {
    const silent = { ...cluster, links: undefined };
    const config = configOf('address-pools: [{name: a, protocol: layer2, addresses: [203.0.113.0/28]}]');
    assert.deepEqual(lintCluster(config, silent), []);
  });
});

interface WarnOptions {
  readonly more?: string;
  /** Further keys of the peer. */
  readonly extra?: string;
  readonly of?: readonly Node[];
  readonly rules?: { readonly ignoresExcludeLabel?: boolean };
}

describe('affinityWarnings()', () => {
  const rulesOfSpeaker = { leavesWhenCordoned: false, ignoresExcludeLabel: false, leaveOnTaints: [] };
  const nodes = [node('a', { labels: { rack: '1' } }), node('b')];
  const affine = (name: string, ip: string) => service(name, [ip], { sessionAffinity: 'ClientIP' });
  const warn = (
    pool: string,
    services = [affine('web', '198.51.100.1'), service('plain', ['198.51.100.2'])],
    { more = '', extra = '', of = nodes, rules = {} }: WarnOptions = {},
  ) =>
    affinityWarnings(
      configOf(`${more}
peers: [{name: router, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1${extra}}]
address-pools: [{name: a, addresses: [198.51.100.0/28], ${pool}}]`),
      {
        ...{ services, nodes: of },
        nodeRules: new Map(of.map(({ name }) => [name, { ...rulesOfSpeaker, ...rules }])),
      },
    ).map(({ path, message }) => `${path}: ${message}`);
  const affineOnly = [affine('web', '198.51.100.1')];
  const withControlPlane = [node('a'), node('b', { labels: { [excludeFromLoadBalancersLabel]: '' } })];
  const firstRack = 'bgp-advertisements: [{node-selectors: [{match-labels: {rack: "1"}}]}]';

  test('warns of session affinity in a pool that several nodes announce by BGP', () => {
    assert.deepEqual(warn('protocol: bgp'), [
      'address-pools[0].protocol: 2 nodes may announce it by BGP, and sessionAffinity: ClientIP of default/web holds only if the routers send all connections of a client to one node; see docs/guides/session-affinity.md',
    ]);
    assert.equal(warn('protocol: [bgp, layer2]').length, 1);
  });

  for (const [name, found] of [
    ['in layer 2', warn('protocol: layer2')],
    ['that one node announces', warn(`protocol: bgp, ${firstRack}`)],
    [
      'that one node announces, because the other is excluded',
      warn('protocol: bgp', affineOnly, { of: withControlPlane }),
    ],
    [
      'that one node announces, because the other has no peer',
      warn('protocol: bgp', affineOnly, { extra: ', node-selectors: [{match-labels: {rack: "1"}}]' }),
    ],
    [
      'that one node announces, because the other has none of the peers of the advertisement',
      warn('protocol: bgp, bgp-advertisements: [{peers: [other]}]', affineOnly, {
        extra:
          '}, {name: other, my-asn: 64512, peer-asn: 64501, peer-address: 192.0.2.2, node-selectors: [{match-labels: {rack: "1"}}]',
      }),
    ],
    [
      'without a Service that has session affinity',
      warn('protocol: bgp', [service('plain', ['198.51.100.2'])]),
    ],
    [
      'that does not hold the address of the Service with session affinity',
      warn('protocol: bgp', [affine('web', '203.0.113.1')]),
    ],
  ] as const)
    test(`says nothing about a pool ${name}`, () => assert.deepEqual(found, []));

  for (const [name, options] of [
    ['the configuration', { more: 'ignore-excluded-nodes: true' }],
    ['the flag of the speakers', { rules: { ignoresExcludeLabel: true } }],
  ] as const)
    test(`counts an excluded node if ${name} ignores the label`, () =>
      assert.equal(warn('protocol: bgp', affineOnly, { ...options, of: withControlPlane }).length, 1));
});

describe('editEffects()', () => {
  const peers = 'peers: [{name: router, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}]';
  const pools = `
address-pools:
- {name: office, protocol: layer2, addresses: [192.0.2.240/28]}
- {name: public, protocol: bgp, addresses: [198.51.100.0/28]}
`;
  const office = { 'bellman.dev/ip-allocated-from-pool': 'office' };
  const facts = {
    services: [
      {
        ...service('web', ['198.51.100.1']),
        annotations: { 'bellman.dev/ip-allocated-from-pool': 'public' },
      },
      { ...service('printer', ['192.0.2.241']), annotations: office },
    ],
    slices: [slice('web', ['node-1', 'node-2']), slice('printer', ['node-1', 'node-2'])],
    nodes: [node('node-1', { labels: { rack: 'a' } }), node('node-2')],
    namespaces: new Map([['default', {}]]),
    loadBalancerClass: undefined,
    nodeRules: new Map(),
  };
  const effects = (now: string, before = `${peers}${pools}`) =>
    editEffects(configOf(before), configOf(now), facts);

  test('of an edit that changes nothing', () => {
    assert.deepEqual(effects(`# a comment\n${peers}${pools}`), []);
  });
  test('of sessions that restart, start and end', () => {
    assert.deepEqual(effects(`${peers.replace('64500', '64501')}${pools}`), [
      'the session with peer router restarts at node-1, node-2',
    ]);
    assert.deepEqual(effects(`${peers.replace('}', ', keepalive-time: 5s}')}${pools}`), []);
    assert.deepEqual(effects(`${peers.replace('name: router', 'name: renamed')}${pools}`), []);
    const second = peers.replace(
      '}]',
      '}, {name: other, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.2}]',
    );
    assert.deepEqual(effects(`${second}${pools}`), ['the session with peer other starts at node-1, node-2']);
    const onA = peers.replace('}]', ', node-selectors: [{match-labels: {rack: a}}]}]');
    assert.deepEqual(effects(`${onA}${pools}`), [
      'the session with peer router ends at node-2',
      'node-2 may not announce 198.51.100.1 of Service default/web any more',
    ]);
  });
  test('of a pool for which a Service waits', () => {
    const late = { ...service('late', []), annotations: { 'bellman.dev/address-pool': 'new' } };
    const added = `${peers}${pools}- {name: new, protocol: none, addresses: [203.0.113.9/32]}\n`;
    const waiting = { ...facts, services: [...facts.services, late] };
    assert.deepEqual(editEffects(configOf(`${peers}${pools}`), configOf(added), waiting), [
      'Service default/late has 203.0.113.9 instead of no address',
    ]);
  });
  test('none for a Service that waits for the address of a Service that is being deleted', () => {
    const one = (name: string) =>
      `${peers}\naddress-pools: [{name: ${name}, protocol: none, addresses: [203.0.113.9/32]}]\n`;
    const services = [
      service('leaving', ['203.0.113.9'], {
        deleting: true,
        annotations: { 'bellman.dev/ip-allocated-from-pool': 'a' },
      }),
      { ...service('late', []), annotations: { 'bellman.dev/address-pool': 'b' } },
    ];
    assert.deepEqual(editEffects(configOf(one('a')), configOf(one('b')), { ...facts, services }), []);
  });
  test('none for a Service that is being deleted, when its layer-2 pool gets the protocol none', () => {
    const pool = (protocol: string) =>
      `address-pools: [{name: office, protocol: ${protocol}, addresses: [203.0.113.9/32]}]\n`;
    const services = [service('leaving', ['203.0.113.9'], { deleting: true })];
    const edited = { ...facts, services };
    assert.deepEqual(editEffects(configOf(pool('layer2')), configOf(pool('none')), edited), []);
  });
  test('of a pool with namespace selectors, only if the user may list Namespaces', () => {
    const added = `${peers}${pools}- {name: new, protocol: none, addresses: [203.0.113.9/32], namespace-selectors: [{match-labels: {team: a}}]}\n`;
    const late = { ...service('late', []), annotations: { 'bellman.dev/address-pool': 'new' } };
    const waiting = {
      ...facts,
      services: [...facts.services, late],
      namespaces: new Map([['default', { team: 'a' }]]),
    };
    const judge = (now: string, namespaces: typeof waiting.namespaces | undefined) =>
      editEffects(configOf(`${peers}${pools}`), configOf(now), { ...waiting, namespaces });
    assert.deepEqual(judge(added, waiting.namespaces), [
      'Service default/late has 203.0.113.9 instead of no address',
    ]);
    assert.deepEqual(judge(added, undefined), [
      'the addresses of Services were not judged: you may not list Namespaces',
    ]);
    assert.deepEqual(judge(added.replace(/, namespace-selectors: .*(?=\}\n)/, ''), undefined), [
      'Service default/late has 203.0.113.9 instead of no address',
    ]);
  });
  test('of an edit that restricts a pool to another namespace: no Service loses its address', () => {
    const restricted = pools.replace('240/28]', '240/28], namespaces: [shop]');
    assert.deepEqual(effects(`${peers}${restricted}`), []);
  });
  test('of an advertisement that selects no node', () => {
    const found = effects(
      `${peers}${pools.replace('addresses: [192.0.2.240/28]', 'addresses: [192.0.2.240/28], l2-advertisements: [{node-selectors: [{match-labels: {rack: z}}]}]')}`,
    );
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(
      found[0] ?? '',
      /^no node announces 192\.0\.2\.241 of Service default\/printer any more: no layer 2 advertisement selects this node/,
    );
  });
  test('of the removal of the last peer', () => {
    const found = effects(`peers: []${pools}`);
    assert.match(found[0] ?? '', /^the session with peer router ends at node-1, node-2$/);
    assert.match(found[1] ?? '', /^no node announces 198\.51\.100\.1 of Service default\/web any more/);
  });
  const two = `peers:
- {name: a, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}
- {name: b, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.2}
`;
  const both = pools.replace('protocol: bgp', 'protocol: [bgp, layer2]');
  const web = '198.51.100.1 of Service default/web';
  const advertised = (text: string, of = pools) =>
    `${two}${of.replace('198.51.100.0/28]', `198.51.100.0/28], ${text}`)}`;
  /** Two peers at one router, of which only the second gets communities. */
  const sources = (first: string, second: string) => `peers:
- {name: ${first}, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, source-address: 192.0.2.11}
- {name: ${second}, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, source-address: 192.0.2.12}
${pools.replace('198.51.100.0/28]', `198.51.100.0/28], bgp-advertisements: [{peers: [${first}]}, {peers: [${second}], communities: ["64512:1"]}]`)}`;
  const changes: readonly (readonly [string, string, string, readonly string[]])[] = [
    [
      'withdraws all routes from one of two peers',
      `${two}${pools}`,
      advertised('bgp-advertisements: [{peers: [a]}]'),
      [`node-1, node-2 may not announce ${web} to peer b any more`],
    ],
    [
      'sends routes to a further peer',
      advertised('bgp-advertisements: [{peers: [a]}]'),
      `${two}${pools}`,
      [`node-1, node-2 may announce ${web} to peer b too`],
    ],
    [
      'drops one of two protocols',
      `${two}${both}`,
      `${two}${pools.replace('protocol: bgp', 'protocol: layer2')}`,
      [
        `node-1, node-2 may not announce ${web} to peer a any more; node-1, node-2 may not announce ${web} to peer b any more`,
      ],
    ],
    [
      'adds layer 2',
      `${two}${pools}`,
      `${two}${both}`,
      [`node-1, node-2 may announce ${web} in layer 2 too`],
    ],
    [
      'adds communities at one peer',
      advertised('bgp-advertisements: [{peers: [a]}, {peers: [b]}]'),
      advertised('bgp-advertisements: [{peers: [a], communities: ["64512:1"]}, {peers: [b]}]'),
      [`node-1, node-2 may announce ${web} to peer a with another prefix or other attributes`],
    ],
    [
      'announces an aggregate',
      advertised('bgp-advertisements: [{peers: [a]}]'),
      advertised('bgp-advertisements: [{peers: [a], aggregation-length: 30}]'),
      [`node-1, node-2 may announce ${web} to peer a with another prefix or other attributes`],
    ],
    [
      'prefers a node in layer 2',
      advertised('l2-advertisements: [{}]', both),
      advertised(
        'l2-advertisements: [{preferred-node-selectors: [{weight: 1, preference: {match-labels: {rack: a}}}]}]',
        both,
      ),
      [`node-1 may announce ${web} in layer 2 on other interfaces or with another preference`],
    ],
    ['renames a peer', `${two}${pools}`, `${two.replace('name: b', 'name: c')}${pools}`, []],
    ['renames two peers that differ only in their source address', sources('a', 'b'), sources('c', 'd'), []],
  ];
  for (const [name, before, after, expected] of changes)
    test(`of an edit that ${name}`, () => assert.deepEqual(effects(after, before), expected));

  const excluded = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  const labelled = {
    ...facts,
    nodes: [node('node-1', { labels: excluded }), node('node-2', { labels: excluded })],
  };
  const ignoring = new Map(
    ['node-1', 'node-2'].map((name) => [name, { leavesWhenCordoned: false, ignoresExcludeLabel: true }]),
  );
  test('on labelled nodes whose speakers have the flag --ignore-exclude-label', () => {
    const [before, after] = [
      `${peers}${pools}`,
      `${peers}${pools.replace('protocol: bgp', 'protocol: none')}`,
    ];
    const judge = (nodeRules: typeof ignoring) =>
      editEffects(configOf(before), configOf(after), { ...labelled, nodeRules });
    assert.deepEqual(judge(ignoring), [
      `no node announces ${web} any more: pool public has the protocol none`,
    ]);
    assert.deepEqual(judge(new Map()), []);
  });
  test('of an edit that removes ignore-excluded-nodes, although the speakers report that they ignore the label', () => {
    const found = editEffects(
      configOf(`ignore-excluded-nodes: true\n${peers}${pools}`),
      configOf(`${peers}${pools}`),
      { ...labelled, nodeRules: ignoring },
    );
    assert.equal(found.length, 2, found.join('\n'));
    for (const each of found) assert.match(each, /^no node announces .* any more: node node-1 is labelled /);
  });
  test('on a Service that also has an address in no pool: only its other address counts', () => {
    const [, printer] = facts.services;
    assert.ok(printer);
    const odd = { ...printer, ingress: [{ ip: '203.0.113.1' }, ...printer.ingress] };
    const found = editEffects(
      configOf(`${peers}${pools}`),
      configOf(`${peers}${pools.replace('protocol: layer2', 'protocol: none')}`),
      { ...facts, services: [odd] },
    );
    assert.deepEqual(found, [
      'no node announces 192.0.2.241 of Service default/printer any more: pool office has the protocol none',
    ]);
  });
});
