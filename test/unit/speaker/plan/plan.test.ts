import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix } from '../../../../src/address/index.ts';
import { maintenanceAnnotation } from '../../../../src/cluster/names.ts';
import type { LabelSelector } from '../../../../src/config/config.ts';
import type { Node } from '../../../../src/kubernetes/model.ts';
import type { AddressEntry } from '../../../../src/layer2/address-entry.ts';
import { CandidateSets } from '../../../../src/layer2/candidate-sets.ts';
import { complete } from '../../../../src/layer2/ownership/steps.ts';
import { type AdmittedPools, noPools } from '../../../../src/speaker/plan/adoption.ts';
import { CandidateSetTable } from '../../../../src/speaker/plan/candidate-set-table.ts';
import { leavingOf } from '../../../../src/speaker/plan/leaving.ts';
import { planService } from '../../../../src/speaker/plan/plan.ts';
import type { PlanContext } from '../../../../src/speaker/plan/service-plan.ts';
import { advertisement, config, node, peer, pool, service, slice } from '../fixtures.ts';

const rack = (name: string): LabelSelector => ({ matchLabels: { rack: name }, matchExpressions: [] });

function context(over: Partial<PlanContext> & { nodeList?: Node[] } = {}): PlanContext {
  const list = over.nodeList ?? [
    node('node-1', { labels: { rack: 'a' } }),
    node('node-2', { labels: { rack: 'b' } }),
    node('node-3'),
  ];
  const rules = { leavesWhenCordoned: false, ignoresExcludeLabel: false, leaveOnTaints: [] };
  const nodes = new Map(list.map((each) => [each.name, each]));
  const leaving = list.flatMap((each) => {
    const found = leavingOf(each, { ...rules, ...over });
    return found ? [[each.name, found] as const] : [];
  });
  return {
    config: config([pool('public', ['198.51.100.0/24', '2001:db8:100::/112'])]),
    nodeName: 'node-1',
    nodes,
    candidateSets: new CandidateSetTable(nodes, { ...rules, ...over }),
    isOurs: () => true,
    leaving: new Map(leaving),
    fresh: () => undefined,
    isAnnounced: () => true,
    isAnswering: () => true,
    isDrainOver: () => true,
    ...rules,
    ...over,
  };
}

/** The first layer-2 entry of a plan, as the layer-2 process sees it. */
function entryOf(
  ...[service, slices, planContext]: Parameters<typeof planService>
): AddressEntry | undefined {
  const upsert = planService(service, slices, planContext).layer2.map((entry) => ({
    ...entry,
    observedVersion: 0,
  }));
  const sets = planContext.candidateSets.all();
  return complete(new CandidateSets().resolve({ kind: 'table', sets, upsert, remove: [] })).upsert[0];
}

function prefixes(plan: ReturnType<typeof planService>): string[] {
  return plan.routes.map((route) => `${route.peer} ${formatPrefix(route.prefix)}`);
}

const web = service('web', ['198.51.100.7']);
const everywhere = [slice('web', ['node-1', 'node-2', 'node-3'])];

test('planService() announces each address as a host route to each peer', () => {
  assert.deepEqual(prefixes(planService(web, everywhere, context())), ['router 198.51.100.7/32']);
});

test('planService() announces a dual-stack Service when both families have endpoints', () => {
  const dual = service('web', ['198.51.100.7', '2001:db8:100::7']);
  const slices = [...everywhere, slice('web', ['node-2'], { family: 'IPv6' })];
  assert.deepEqual(prefixes(planService(dual, slices, context())), [
    'router 198.51.100.7/32',
    'router 2001:db8:100::7/128',
  ]);
});

test('planService() counts only endpoints of the family of the address', () => {
  const dual = service('web', ['198.51.100.7', '2001:db8:100::7']);
  const plan = planService(dual, everywhere, context());
  assert.deepEqual(prefixes(plan), ['router 198.51.100.7/32']);
  assert.deepEqual(plan.refusals, [
    {
      address: '2001:db8:100::7',
      cause: 'no-endpoint',
      reason: 'no endpoint of this address family is ready',
      field: 'EndpointSlice endpoints[].conditions',
    },
  ]);
});

const silent: readonly (readonly [string, Parameters<typeof planService>, RegExp | undefined])[] = [
  ['a Service of another type', [{ ...web, type: 'ClusterIP' }, everywhere, context()], undefined],
  ['a Service that is being deleted', [{ ...web, deleting: true }, everywhere, context()], undefined],
  ['a Service of another class', [web, everywhere, context({ isOurs: () => false })], undefined],
  ['an address in no pool', [service('web', ['203.0.113.1']), everywhere, context()], undefined],
  ['a Service without endpoints', [web, [], context()], /no endpoint/],
  [
    'a Local Service without an endpoint on this node',
    [{ ...web, externalTrafficPolicy: 'Local' }, [slice('web', ['node-2'])], context()],
    /Local and node node-1 has no ready endpoint/,
  ],
  [
    'a node that is not Ready',
    [web, everywhere, context({ nodeList: [node('node-1', { ready: false })] })],
    /node-1 is not Ready/,
  ],
  [
    'a node whose network is unavailable',
    [web, everywhere, context({ nodeList: [node('node-1', { networkUnavailable: true })] })],
    /network of node node-1/,
  ],
  [
    'a node with the exclude label',
    [
      web,
      everywhere,
      context({
        nodeList: [
          node('node-1', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }),
        ],
      }),
    ],
    /labelled node\.kubernetes\.io/,
  ],
  [
    'a cordoned node when leavesWhenCordoned is set and another node may announce',
    [
      web,
      everywhere,
      context({
        nodeList: [node('node-1', { unschedulable: true }), node('node-2')],
        leavesWhenCordoned: true,
      }),
    ],
    /node-1 leaves: it is cordoned/,
  ],
  [
    'a node that is out of service',
    [
      web,
      everywhere,
      context({
        nodeList: [
          node('node-1', {
            taints: [
              { key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' },
            ],
          }),
        ],
      }),
    ],
    /tainted node\.kubernetes\.io\/out-of-service/,
  ],
  ['a node that Kubernetes does not know', [web, everywhere, context({ nodeList: [] })], /not known/],
];
for (const [name, args, reason] of silent) {
  test(`planService() announces nothing for ${name}`, () => {
    const plan = planService(...args);
    assert.deepEqual(plan.routes, []);
    if (reason === undefined) assert.deepEqual(plan.refusals, []);
    else assert.match(plan.refusals[0]?.reason ?? '', reason);
  });
}

test('planService() announces from a cordoned node unless leavesWhenCordoned is set', () => {
  const plan = planService(web, everywhere, context({ nodeList: [node('node-1', { unschedulable: true })] }));
  assert.deepEqual(prefixes(plan), ['router 198.51.100.7/32']);
});

test('planService() announces from a node with the exclude label when the label is ignored', () => {
  const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  const nodeList = [node('node-1', { labels })];
  const plan = planService(web, everywhere, context({ nodeList, ignoresExcludeLabel: true }));
  assert.deepEqual(prefixes(plan), ['router 198.51.100.7/32']);
});

test('planService() counts a terminating endpoint while it serves', () => {
  const terminating = {
    addresses: ['10.1.0.1'],
    nodeName: 'node-1',
    ready: false,
    serving: true,
    terminating: true,
  };
  const local = { ...web, externalTrafficPolicy: 'Local' as const };
  const slices = [slice('web', [], { endpoints: [terminating] })];
  assert.deepEqual(prefixes(planService(local, slices, context())), ['router 198.51.100.7/32']);
  const gone = [slice('web', [], { endpoints: [{ ...terminating, serving: false }] })];
  assert.deepEqual(prefixes(planService(local, gone, context())), []);
});

test('planService() marks the routes of a Local Service with NO_LLGR for peers that have long-lived graceful restart', () => {
  const peers = [
    peer('router', { gracefulRestart: { restartTimeSeconds: 60, longLivedStaleTimeSeconds: 3600 } }),
    peer('spine', { gracefulRestart: { restartTimeSeconds: 60 } }),
  ];
  const ads = [advertisement({ communities: [1] })];
  const inForce = config([pool('public', ['198.51.100.0/24'], { bgpAdvertisements: ads })], peers);
  const communities = (externalTrafficPolicy: 'Cluster' | 'Local') =>
    planService({ ...web, externalTrafficPolicy }, everywhere, context({ config: inForce })).routes.map(
      (route) => [route.peer, route.attributes.communities],
    );
  assert.deepEqual(communities('Local'), [
    ['router', [1, 0xffff0007]],
    ['spine', [1]],
  ]);
  assert.deepEqual(communities('Cluster'), [
    ['router', [1]],
    ['spine', [1]],
  ]);
});

const draining = [
  slice('web', [], {
    endpoints: [
      { addresses: ['10.1.0.1'], nodeName: 'node-1', ready: false, serving: true, terminating: true },
      { addresses: ['10.1.0.2'], nodeName: 'node-2', ready: true, serving: true, terminating: false },
    ],
  }),
];

test('planService() does not announce a Local Service when all endpoints of this node terminate and an endpoint of another node stays', () => {
  const local = { ...web, externalTrafficPolicy: 'Local' as const };
  const plan = planService(local, draining, context());
  assert.deepEqual(prefixes(plan), []);
  assert.match(plan.refusals[0]?.reason ?? '', /node-1 has only terminating endpoints/);
  assert.equal(prefixes(planService(local, draining, context({ nodeName: 'node-2' }))).length, 1);
  assert.equal(prefixes(planService(web, draining, context())).length, 1);
});

test('planService() marks the routes of a Local Service whose endpoints on this node all terminate, until the drain is over', () => {
  const local = { ...web, externalTrafficPolicy: 'Local' as const };
  const plan = planService(local, draining, context({ isDrainOver: () => false }));
  assert.deepEqual(prefixes(plan), ['router 198.51.100.7/32']);
  assert.equal(plan.routes[0]?.attributes.isDraining, true);
  assert.deepEqual(plan.draining, ['198.51.100.7']);
  assert.deepEqual(plan.refusals, []);
});

test('planService() counts terminating endpoints of a Local Service while no node with a lasting endpoint may announce it', () => {
  const local = { ...web, externalTrafficPolicy: 'Local' as const };
  const nodeList = [node('node-1'), node('node-2', { ready: false })];
  assert.equal(prefixes(planService(local, draining, context({ nodeList }))).length, 1);
  const peers = [peer('router', { nodeSelectors: [rack('a')] })];
  const onlyRackA = config([pool('public', ['198.51.100.0/24'])], peers);
  assert.equal(prefixes(planService(local, draining, context({ config: onlyRackA }))).length, 1);
});

test('planService() prefers even a leaving layer-2 candidate with a lasting endpoint of a Local Service to one whose endpoint terminates', () => {
  const local = service('web', ['192.0.2.241'], { externalTrafficPolicy: 'Local' });
  const office = config([pool('office', ['192.0.2.240/28'], { protocols: ['layer2'] })]);
  const entry = (nodeList: Node[]) => entryOf(local, draining, context({ config: office, nodeList }));
  const both = [node('node-1'), node('node-2')];
  assert.deepEqual(entry(both)?.candidates, ['node-1', 'node-2']);
  assert.ok((entry(both)?.preferences?.['node-1'] ?? 0) < 0);
  const leaving = entry([node('node-1'), node('node-2', { annotations: { [maintenanceAnnotation]: '' } })]);
  assert.ok((leaving?.preferences?.['node-1'] ?? 0) < (leaving?.preferences?.['node-2'] ?? 0));
  const plan = planService(local, draining, context({ config: office, nodeList: both }));
  assert.match(plan.refusals[0]?.reason ?? '', /node-1 has only terminating endpoints/);
  const alone = entry([node('node-1'), node('node-2', { ready: false })]);
  assert.deepEqual(alone?.candidates, ['node-1']);
  assert.equal(alone?.preferences, undefined);
});

test('planService() applies each advertisement and its aggregation length only to the peers and nodes that the advertisement selects', () => {
  const ads = [
    advertisement({ aggregationLength: 24, communities: [1], peers: ['router'] }),
    advertisement({ localPref: 200, peers: ['spine'] }),
    advertisement({ nodeSelectors: [rack('b')], communities: [9] }),
  ];
  const peers = [peer('router'), peer('spine'), peer('far', { nodeSelectors: [rack('b')] })];
  const both = context({
    config: config([pool('public', ['198.51.100.0/24'], { bgpAdvertisements: ads })], peers),
  });
  assert.deepEqual(prefixes(planService(web, everywhere, both)), [
    'router 198.51.100.0/24',
    'spine 198.51.100.7/32',
  ]);
  assert.deepEqual(prefixes(planService(web, everywhere, { ...both, nodeName: 'node-2' })).sort(), [
    'far 198.51.100.7/32',
    'router 198.51.100.0/24',
    'router 198.51.100.7/32',
    'spine 198.51.100.7/32',
    'spine 198.51.100.7/32',
  ]);
});

const office = config([pool('office', ['192.0.2.240/28'], { protocols: ['layer2'] })], []);
const printer = service('printer', ['192.0.2.241']);

test('planService() lists every node that may announce as a layer-2 candidate', () => {
  const input = [printer, [slice('printer', ['node-2'])], context({ config: office })] as const;
  assert.deepEqual(entryOf(...input), {
    address: '192.0.2.241',
    candidates: ['node-1', 'node-2', 'node-3'],
    interfaces: [],
    group: '192.0.2.241',
    observedVersion: 0,
  });
  assert.deepEqual(planService(...input).routes, []);
});

test('planService() puts a node that waits for announce-delay behind other layer-2 candidates only in the plan of that node itself', () => {
  const local = { ...printer, externalTrafficPolicy: 'Local' as const };
  const slices = [slice('printer', ['node-1', 'node-2'])];
  const fresh = () => ({ IPv4: new Map([['node-1', 0]]), IPv6: new Map() });
  const preferenceOf = (nodeName: string) =>
    entryOf(local, slices, context({ config: office, nodeName, fresh }))?.preferences?.['node-1'] ?? 0;
  assert.ok(preferenceOf('node-1') < 0);
  assert.equal(preferenceOf('node-2'), 0);
  const [refusal] = planService(local, slices, context({ config: office, fresh })).refusals;
  assert.equal(refusal?.cause, 'announce-delay');
});

test('planService() lets no layer-2 candidate wait for announce-delay when all nodes with endpoints would wait', () => {
  const local = { ...printer, externalTrafficPolicy: 'Local' as const };
  const slices = [slice('printer', ['node-1', 'node-2'])];
  const until = new Map(['node-1', 'node-2'].map((name) => [name, 0]));
  const fresh = () => ({ IPv4: until, IPv6: new Map() });
  for (const nodeName of ['node-1', 'node-2']) {
    const waiting = context({ config: office, nodeName, fresh });
    assert.equal(entryOf(local, slices, waiting)?.preferences, undefined);
    assert.deepEqual(planService(local, slices, waiting).refusals, []);
  }
});

test('planService() avoids a layer-2 candidate whose maintenance is planned, and does not make it leave', () => {
  const planned = {
    type: 'MaintenancePlanned',
    status: 'True',
    reason: '',
    message: '',
  };
  const nodeList = [node('node-1', { conditions: [planned] }), node('node-2')];
  const plan = context({ config: office, nodeList });
  const entry = entryOf(printer, [slice('printer', ['node-2'])], plan);
  assert.deepEqual([entry?.candidates, entry?.avoided], [['node-1', 'node-2'], ['node-1']]);
  assert.equal(entry?.preferences, undefined);
  assert.deepEqual(planService(printer, [slice('printer', ['node-2'])], plan).refusals, []);
});

test('planService() lists only nodes with ready endpoints as layer-2 candidates under externalTrafficPolicy Local', () => {
  const local = { ...printer, externalTrafficPolicy: 'Local' as const };
  const input = [local, [slice('printer', ['node-2'])], context({ config: office })] as const;
  assert.deepEqual(entryOf(...input)?.candidates, ['node-2']);
  assert.match(planService(...input).refusals[0]?.reason ?? '', /Local/);
});

test('planService() copies the recorded owner into the layer-2 entry', () => {
  const recorded = {
    ...printer,
    annotations: { 'bellman.dev/announcing': '192.0.2.241=node-3/eth0' },
  };
  const plan = planService(recorded, [slice('printer', ['node-2'])], context({ config: office }));
  assert.equal(plan.layer2[0]?.recordedOwner, 'node-3');
});

test('planService() applies the interfaces of an advertisement only to the nodes that the advertisement selects', () => {
  const of = (other: readonly string[]) =>
    entryOf(
      printer,
      [slice('printer', ['node-1'])],
      context({
        config: config([
          pool('office', ['192.0.2.240/28'], {
            protocols: ['layer2'],
            l2Advertisements: [
              { interfaces: ['eth1'], nodeSelectors: [rack('b')], serviceSelectors: [], preferredNodes: [] },
              { interfaces: other, nodeSelectors: [rack('a')], serviceSelectors: [], preferredNodes: [] },
            ],
          }),
        ]),
      }),
    );
  for (const [other, expected] of [
    [['eth0'], { interfaces: [], nodeInterfaces: { 'node-1': ['eth0'], 'node-2': ['eth1'] } }],
    [[], { interfaces: [], nodeInterfaces: { 'node-1': [], 'node-2': ['eth1'] } }],
    [['eth1'], { interfaces: ['eth1'], nodeInterfaces: undefined }],
  ] as const) {
    const entry = of(other);
    assert.deepEqual({ interfaces: entry?.interfaces, nodeInterfaces: entry?.nodeInterfaces }, expected);
  }
});

test('planService() restricts layer 2 to the nodes and interfaces of the advertisements', () => {
  const restricted = config([
    pool('office', ['192.0.2.240/28'], {
      protocols: ['layer2'],
      l2Advertisements: [
        { interfaces: ['eth1'], nodeSelectors: [rack('b')], serviceSelectors: [], preferredNodes: [] },
      ],
    }),
  ]);
  const input = [printer, [slice('printer', ['node-1'])], context({ config: restricted })] as const;
  const entry = entryOf(...input);
  assert.deepEqual([entry?.candidates, entry?.interfaces], [['node-2'], ['eth1']]);
  assert.match(planService(...input).refusals[0]?.reason ?? '', /no layer 2 advertisement selects this node/);
});

const twice = config([pool('twice', ['192.0.2.240/28'], { protocols: ['bgp', 'layer2'] })]);

test('planService() announces an address of a pool with two protocols by both', () => {
  const input = [printer, [slice('printer', ['node-2'])], context({ config: twice })] as const;
  const plan = planService(...input);
  assert.deepEqual(prefixes(plan), ['router 192.0.2.241/32']);
  assert.deepEqual(entryOf(...input)?.candidates, ['node-1', 'node-2', 'node-3']);
  assert.deepEqual(plan.refusals, []);
});

test('planService() refuses an address of a pool with two protocols only if both refuse it', () => {
  const narrow = (peers: ReturnType<typeof peer>[]) =>
    config(
      [
        pool('twice', ['192.0.2.240/28'], {
          protocols: ['bgp', 'layer2'],
          l2Advertisements: [
            { interfaces: [], nodeSelectors: [rack('b')], serviceSelectors: [], preferredNodes: [] },
          ],
        }),
      ],
      peers,
    );
  const refusals = (peers: ReturnType<typeof peer>[]) =>
    planService(printer, [slice('printer', ['node-2'])], context({ config: narrow(peers) })).refusals;
  assert.deepEqual(refusals([peer('router')]), []);
  assert.deepEqual(refusals([]), [
    {
      address: '192.0.2.241',
      cause: 'no-peer',
      reason: 'no peer of node node-1 receives it; no layer 2 advertisement selects this node',
      field:
        'ConfigMap peers[].node-selectors, address-pools[].bgp-advertisements[]; ConfigMap address-pools[].l2-advertisements[].node-selectors',
    },
  ]);
  const silent = planService(printer, [], context({ config: twice })).refusals;
  assert.deepEqual(
    silent.map(({ reason }) => reason),
    ['no endpoint of this address family is ready'],
  );
});

test('planService() announces nothing from a pool with the protocol none, and says so', () => {
  const none = config([pool('silent', ['192.0.2.240/28'], { protocols: [], bgpAdvertisements: [] })]);
  const plan = planService(printer, [slice('printer', ['node-1'])], context({ config: none }));
  assert.deepEqual([plan.routes, plan.layer2, plan.advertised], [[], [], []]);
  assert.deepEqual(plan.refusals, [
    {
      address: '192.0.2.241',
      cause: 'no-protocol',
      reason: 'pool silent has the protocol none',
      field: 'ConfigMap address-pools[].protocol',
    },
  ]);
  assert.deepEqual(plan.notToAnnounce, ['192.0.2.241']);
});

test('planService() with --adopt-only says that an address is not to be announced until one protocol of its pool is admitted', () => {
  const both = config([pool('both', ['192.0.2.240/28'], { protocols: ['bgp', 'layer2'] })], [peer('tor')]);
  const notToAnnounce = (pools: AdmittedPools, announcesByBgp: boolean) => {
    const adoption = { pools, announcesByBgp, wasLive: () => false };
    return planService(printer, [slice('printer', ['node-1'])], context({ config: both, adoption }))
      .notToAnnounce;
  };
  assert.deepEqual(notToAnnounce(noPools, false), ['192.0.2.241']);
  assert.deepEqual(notToAnnounce(noPools, true), []);
  assert.deepEqual(notToAnnounce('all', false), []);
  assert.deepEqual(planService(printer, [], context({ config: both })).notToAnnounce, []);
});

test('planService() with --adopt-only gives an address that is held back no candidate set, not even an empty one', () => {
  for (const pools of [noPools, 'all'] as const)
    for (const nodeList of [[], [node('node-1')]]) {
      const adoption = { pools, announcesByBgp: false, wasLive: () => false };
      const plan = planService(
        printer,
        [slice('printer', ['node-1'])],
        context({ config: office, adoption, nodeList }),
      );
      assert.deepEqual(
        plan.layer2.map(({ sources }) => sources),
        [[]],
      );
    }
});

test('planService() with --adopt-only names the nodes of a held address by the advertisements that select its Service', () => {
  const edge: LabelSelector = { matchLabels: { tier: 'edge' }, matchExpressions: [] };
  const everything: LabelSelector = { matchLabels: {}, matchExpressions: [] };
  const advertisement = (interfaceName: string, selector: LabelSelector) => ({
    ...{ interfaces: [interfaceName], nodeSelectors: [everything], preferredNodes: [] },
    serviceSelectors: [selector],
  });
  const selective = config([
    pool('office', ['192.0.2.240/28'], {
      protocols: ['layer2'],
      l2Advertisements: [advertisement('eth0', everything), advertisement('eth1', edge)],
    }),
  ]);
  const adoption = { pools: 'all', announcesByBgp: false, wasLive: () => false } as const;
  const planContext = context({ config: selective, adoption, nodeList: [node('node-1')] });
  const { held, layer2 } = planService(printer, [slice('printer', ['node-1'])], planContext);
  assert.equal(held.length, 1);
  const [set] = planContext.candidateSets.all();
  assert.ok(set && 'put' in set);
  assert.deepEqual(
    layer2.map(({ sources, heldSources }) => [sources, heldSources]),
    [[[], [set.set]]],
  );
  assert.deepEqual(set.put, { candidates: ['node-1'], interfaces: ['eth0'] });
});

test('planService() with --adopt-only makes a new plan due when the Node object of the recorded owner changes, because a leaving owner is not preferred', () => {
  const recorded = { ...printer, annotations: { 'bellman.dev/announcing': '192.0.2.241=node-3/eth0' } };
  const adoption = { pools: 'all', announcesByBgp: true, wasLive: () => false } as const;
  const planned = (more: Partial<Parameters<typeof context>[0]>) =>
    planService(recorded, [slice('printer', ['node-2'])], context({ config: office, ...more }));
  assert.deepEqual(planned({ adoption }).dependsOn, ['node-3']);
  assert.deepEqual(planned({}).dependsOn, []);
});

test('planService() announces a Service only by the advertisements that select it', () => {
  const edge: LabelSelector = { matchLabels: { tier: 'edge' }, matchExpressions: [] };
  const selective = config([
    pool('twice', ['192.0.2.240/28'], {
      protocols: ['bgp', 'layer2'],
      bgpAdvertisements: [
        advertisement({ serviceSelectors: [edge], localPref: 200 }),
        advertisement({ serviceSelectors: [rack('a')] }),
      ],
      l2Advertisements: [
        { interfaces: ['eth1'], nodeSelectors: [rack('b')], serviceSelectors: [edge], preferredNodes: [] },
        { interfaces: [], nodeSelectors: [], serviceSelectors: [rack('a')], preferredNodes: [] },
      ],
    }),
  ]);
  const planOf = (labels: Record<string, string>) => {
    const input = [
      { ...printer, labels },
      [slice('printer', ['node-2'])],
      context({ config: selective, nodeName: 'node-2' }),
    ] as const;
    return { ...planService(...input), entry: entryOf(...input) };
  };
  const edgeOnly = planOf({ tier: 'edge' });
  assert.deepEqual(
    edgeOnly.routes.map(({ attributes }) => attributes.localPref),
    [200],
  );
  assert.deepEqual([edgeOnly.entry?.candidates, edgeOnly.entry?.interfaces], [['node-2'], ['eth1']]);
  const both = planOf({ tier: 'edge', rack: 'a' });
  assert.equal(both.routes.length, 2);
  assert.deepEqual(both.entry?.candidates, ['node-1', 'node-2', 'node-3']);
  const neither = planOf({ tier: 'inner' });
  assert.deepEqual([neither.routes, neither.entry?.candidates], [[], []]);
  assert.deepEqual(neither.refusals, [
    {
      address: '192.0.2.241',
      cause: 'not-selected',
      reason: 'no BGP advertisement selects this Service; no layer 2 advertisement selects this Service',
      field:
        'ConfigMap address-pools[].bgp-advertisements[].service-selectors; ConfigMap address-pools[].l2-advertisements[].service-selectors',
    },
  ]);
});

test('planService() sends a peer only routes of the families that its session carries', () => {
  const dual = service('web', ['198.51.100.7', '2001:db8:100::7']);
  const slices = [...everywhere, slice('web', ['node-1'], { family: 'IPv6' })];
  const peers = [peer('router', { families: [4] }), peer('six', { families: [6] }), peer('any')];
  const limited = config([pool('public', ['198.51.100.0/24', '2001:db8:100::/112'])], peers);
  assert.deepEqual(prefixes(planService(dual, slices, context({ config: limited }))), [
    'router 198.51.100.7/32',
    'any 198.51.100.7/32',
    'six 2001:db8:100::7/128',
    'any 2001:db8:100::7/128',
  ]);
  const four = config([pool('public', ['2001:db8:100::/112'])], [peer('router', { families: [4] })]);
  const six = service('six', ['2001:db8:100::7']);
  const plan = planService(six, [slice('six', ['node-1'], { family: 'IPv6' })], context({ config: four }));
  assert.equal(plan.refusals[0]?.cause, 'no-peer');
});

test('planService() adds up the weights of the preferred-node-selectors that match a node, if the advertisement selects node and Service', () => {
  const prefers = (weight: number, name: string) => ({ weight, selector: rack(name) });
  const edge: LabelSelector = { matchLabels: { tier: 'edge' }, matchExpressions: [] };
  const preferring = config([
    pool('office', ['192.0.2.240/28'], {
      protocols: ['layer2'],
      l2Advertisements: [
        {
          interfaces: [],
          nodeSelectors: [],
          serviceSelectors: [],
          preferredNodes: [
            prefers(60, 'a'),
            prefers(50, 'b'),
            { weight: 5, selector: { matchLabels: {}, matchExpressions: [] } },
          ],
        },
        {
          interfaces: [],
          nodeSelectors: [rack('b')],
          serviceSelectors: [edge],
          preferredNodes: [prefers(70, 'a'), prefers(20, 'b')],
        },
      ],
    }),
  ]);
  const preferences = (labels: Record<string, string>, over = {}) =>
    entryOf({ ...printer, labels, ...over }, [slice('printer', ['node-2'])], context({ config: preferring }))
      ?.preferences;
  assert.deepEqual(preferences({}), { 'node-1': 65, 'node-2': 55, 'node-3': 5 });
  assert.deepEqual(preferences({ tier: 'edge' }), { 'node-1': 65, 'node-2': 75, 'node-3': 5 });
  assert.deepEqual(preferences({}, { externalTrafficPolicy: 'Local' }), { 'node-2': 55 });
});
