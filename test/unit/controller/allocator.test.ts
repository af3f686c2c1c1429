import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, rangeContains } from '../../../src/address/index.ts';
import type { PoolConfig } from '../../../src/config/index.ts';
import { Allocator, type Outcome } from '../../../src/controller/allocator/allocator.ts';
import { FreeList } from '../../../src/controller/allocator/free-list.ts';
import type { Service } from '../../../src/kubernetes/model.ts';
import { withinCpuTime } from '../../support/cpu-time.ts';
import { config, pool, service } from '../speaker/fixtures.ts';

function allocator(pools: readonly PoolConfig[]): Allocator {
  const made = new Allocator();
  made.setConfig(config(pools, []));
  return made;
}

const ips = (outcome: Outcome) => outcome.assigned.map(({ address }) => formatIp(address));
const plain = (name: string, over: Partial<Service> = {}) => service(name, [], over);
const dual = { ipFamilies: ['IPv4', 'IPv6'] as const, ipFamilyPolicy: 'RequireDualStack' as const };
const four = pool('four', ['192.0.2.0/30']);
const both = pool('both', ['192.0.2.0/30', '2001:db8::/126']);

test('Allocator gives a Service the lowest free address, and the Service keeps it', () => {
  const a = allocator([four]);
  assert.deepEqual(ips(a.reconcile(plain('a'))), ['192.0.2.0']);
  assert.deepEqual(ips(a.reconcile(plain('b'))), ['192.0.2.1']);
  assert.deepEqual(ips(a.reconcile(plain('a'))), ['192.0.2.0']);
  a.release('default/a');
  assert.deepEqual(ips(a.reconcile(plain('b'))), ['192.0.2.1']);
  assert.deepEqual(ips(a.reconcile(plain('c'))), ['192.0.2.0']);
});

test('Allocator never assigns an address that it has learned from the status of another Service', () => {
  const a = allocator([four]);
  a.learn(service('old', ['192.0.2.0']));
  assert.deepEqual(ips(a.reconcile(plain('new'))), ['192.0.2.1']);
  assert.deepEqual(
    ips(a.reconcile(plain('old'))),
    ['192.0.2.0'],
    'a Service whose status was wiped gets the same address again',
  );
});

test('Allocator refuses a Service when the pool is full, and lists the waiting Services in the order in which they began to wait', () => {
  const a = allocator([pool('one', ['192.0.2.1/32'])]);
  a.reconcile(plain('a'));
  assert.deepEqual(a.reconcile(plain('c')).refusal, {
    cause: 'pool-exhausted',
    message: 'pool one is full: all 1 IPv4 addresses are in use',
  });
  a.reconcile(plain('b'));
  a.reconcile(plain('c'));
  assert.deepEqual(a.waiting(), ['default/c', 'default/b']);
  a.release('default/a');
  assert.deepEqual(ips(a.reconcile(plain('c'))), ['192.0.2.1']);
  assert.deepEqual(a.waiting(), ['default/b']);
});

const annotated = (annotations: Record<string, string>, over: Partial<Service> = {}) =>
  plain('a', { annotations, ...over });
const pools = [
  pool('auto', ['198.51.100.0/24'], { priority: 5 }),
  pool('first', ['203.0.113.0/28'], { priority: 1 }),
  pool('named', ['192.0.2.0/28'], { autoAssign: false }),
  pool('team', ['10.9.0.0/24'], { namespaces: ['team'] }),
  pool('labelled', ['10.8.0.0/24'], {
    serviceSelectors: [{ matchLabels: { tier: 'web' }, matchExpressions: [] }],
  }),
  pool('buggy', ['10.7.0.0/31'], { autoAssign: false, avoidBuggyIps: true }),
  pool('leaving', ['10.6.0.0/24'], { draining: true, autoAssign: false }),
];
const given: readonly (readonly [string, Service, string])[] = [
  ['an address from the pool with the lowest priority number', plain('a'), '203.0.113.0'],
  [
    'an address from the pool that names the namespace of the Service',
    plain('a', { namespace: 'team' }),
    '10.9.0.0',
  ],
  [
    'an address from the pool that selects the labels of the Service',
    plain('a', { labels: { tier: 'web' } }),
    '10.8.0.0',
  ],
  [
    'an address from a named pool without auto-assign',
    annotated({ 'bellman.dev/address-pool': 'named' }),
    '192.0.2.0',
  ],
  [
    'an address from a pool named by an annotation of MetalLB',
    annotated({ 'metallb.universe.tf/address-pool': 'named' }),
    '192.0.2.0',
  ],
  [
    'an address from the second named pool when the first one is draining',
    annotated({ 'metallb.io/address-pool': 'leaving, named' }),
    '192.0.2.0',
  ],
  ['the address that the spec requests', plain('a', { loadBalancerIP: '198.51.100.77' }), '198.51.100.77'],
  [
    'the address that the annotation requests',
    annotated({ 'metallb.universe.tf/loadBalancerIPs': '192.0.2.9' }),
    '192.0.2.9',
  ],
  [
    'the address that the spec and several annotations all request',
    annotated(
      { 'bellman.dev/loadBalancerIPs': '192.0.2.9', 'metallb.io/loadBalancerIPs': ' 192.0.2.9' },
      { loadBalancerIP: '192.0.2.9' },
    ),
    '192.0.2.9',
  ],
  [
    'the address that one list requests twice and that the spec requests too',
    annotated({ 'bellman.dev/loadBalancerIPs': '192.0.2.9,192.0.2.9' }, { loadBalancerIP: '192.0.2.9' }),
    '192.0.2.9',
  ],
  [
    'the address that the spec requests while an annotation holds only a comma',
    annotated(
      {
        'bellman.dev/loadBalancerIPs': ',',
        'bellman.dev/address-pool': ',',
        'metallb.io/address-pool': 'named',
      },
      { loadBalancerIP: '192.0.2.9' },
    ),
    '192.0.2.9',
  ],
  [
    'no .0 address from a pool that avoids such addresses',
    annotated({ 'bellman.dev/address-pool': 'buggy' }),
    '10.7.0.1',
  ],
];
for (const [name, request, expected] of given)
  test(`Allocator gives ${name}`, () =>
    assert.deepEqual(ips(allocator(pools).reconcile(request)), [expected]));

const refused: readonly (readonly [string, Service, string, RegExp])[] = [
  [
    'an unknown pool',
    annotated({ 'bellman.dev/address-pool': 'nope' }),
    'no-such-pool',
    /no pool nope; pools: labelled, team, first, auto/,
  ],
  [
    'a draining pool',
    annotated({ 'bellman.dev/address-pool': 'leaving' }),
    'pool-not-allowed',
    /leaving is draining/,
  ],
  [
    'another team’s pool',
    annotated({ 'bellman.dev/address-pool': 'team' }),
    'pool-not-allowed',
    /team is not for namespace default/,
  ],
  [
    'an address in no pool',
    plain('a', { loadBalancerIP: '8.8.8.8' }),
    'not-in-pool',
    /8\.8\.8\.8 is in no pool/,
  ],
  [
    'an address outside the named pool',
    annotated({ 'bellman.dev/address-pool': 'named' }, { loadBalancerIP: '198.51.100.1' }),
    'not-in-pool',
    /in pool auto, not in named/,
  ],
  [
    'a request that is not an address',
    plain('a', { loadBalancerIP: 'x' }),
    'invalid-request',
    /x is not an IP address/,
  ],
  [
    'annotations that name different pools',
    annotated({ 'bellman.dev/address-pool': 'auto', 'metallb.io/address-pool': 'named' }),
    'invalid-request',
    /conflicting requests: annotation bellman\.dev\/address-pool says auto/,
  ],
  [
    'two addresses of a family',
    annotated({ 'bellman.dev/loadBalancerIPs': '192.0.2.1,192.0.2.2' }),
    'invalid-request',
    /one address of each family/,
  ],
  [
    'an address of a family that the Service lacks',
    plain('a', { loadBalancerIP: '2001:db8::1' }),
    'invalid-request',
    /not of the Service's IP families/,
  ],
  [
    'a .0 address of a pool that avoids such addresses',
    plain('a', { loadBalancerIP: '10.7.0.0' }),
    'pool-not-allowed',
    /ends in \.0 or \.255/,
  ],
];
for (const [name, request, cause, message] of refused) {
  test(`Allocator refuses ${name}`, () => {
    const outcome = allocator(pools).reconcile(request);
    assert.deepEqual(outcome.assigned, []);
    assert.equal(outcome.refusal?.cause, cause);
    assert.match(outcome.refusal?.message ?? '', message);
  });
}

test('Allocator gives dual-stack Services both families in the order of ipFamilies, from one pool or two', () => {
  assert.deepEqual(ips(allocator([both]).reconcile(plain('a', dual))), ['192.0.2.0', '2001:db8::']);
  const turned = { ...dual, ipFamilies: ['IPv6', 'IPv4'] as const };
  assert.deepEqual(ips(allocator([four, pool('six', ['2001:db8::/126'])]).reconcile(plain('a', turned))), [
    '2001:db8::',
    '192.0.2.0',
  ]);
});

test('Allocator gives RequireDualStack both addresses or none, and PreferDualStack the second address once a pool has one', () => {
  const a = allocator([four]);
  const needs = a.reconcile(plain('needs', dual));
  assert.deepEqual(needs.assigned, []);
  assert.match(needs.refusal?.message ?? '', /no IPv6 addresses/);
  const prefers = plain('prefers', { ...dual, ipFamilyPolicy: 'PreferDualStack' });
  assert.deepEqual(ips(a.reconcile(prefers)), ['192.0.2.0']);
  a.setConfig(config([both], []));
  assert.ok(a.waiting().includes('default/prefers'));
  assert.deepEqual(ips(a.reconcile(prefers)), ['192.0.2.0', '2001:db8::']);
});

test('Allocator follows a changed request, and keeps the address when the request cannot be fulfilled', () => {
  const a = allocator([four]);
  a.reconcile(plain('a'));
  assert.deepEqual(ips(a.reconcile(plain('a', { loadBalancerIP: '192.0.2.3' }))), ['192.0.2.3']);
  const request = a.reconcile(plain('a', { loadBalancerIP: '8.8.8.8' }));
  assert.deepEqual(ips(request), ['192.0.2.3']);
  assert.equal(request.refusal?.cause, 'not-in-pool');
});

const key = { annotations: { 'bellman.dev/allow-shared-ip': 'k' } };
const port = (number: number, protocol: 'TCP' | 'UDP' = 'TCP') => ({ ports: [{ protocol, port: number }] });

test('Allocator shares an address by key while no two Services use the same port of the same protocol', () => {
  const a = allocator([four]);
  assert.deepEqual(ips(a.reconcile(plain('a', { ...key, ...port(80) }))), ['192.0.2.0']);
  assert.deepEqual(ips(a.reconcile(plain('b', { ...key, ...port(80, 'UDP') }))), ['192.0.2.0']);
  assert.deepEqual(ips(a.reconcile(plain('c', { ...key, ...port(80) }))), ['192.0.2.1']);
  const forced = a.reconcile(plain('d', { ...key, ...port(80), loadBalancerIP: '192.0.2.0' }));
  assert.match(forced.refusal?.message ?? '', /port TCP\/80 on it is in use by default\/a/);
  const keyless = a.reconcile(plain('e', { ...port(81), loadBalancerIP: '192.0.2.0' }));
  assert.match(keyless.refusal?.message ?? '', /in use by default\/a, shared by the key "k"/);
});

test('Allocator shares an address under externalTrafficPolicy Local only between Services with the same backends', () => {
  const a = allocator([four]);
  const local = { ...key, externalTrafficPolicy: 'Local' as const };
  a.reconcile(plain('a', { ...local, ...port(80), selector: { app: 'x' } }));
  assert.deepEqual(ips(a.reconcile(plain('b', { ...local, ...port(81), selector: { app: 'x' } }))), [
    '192.0.2.0',
  ]);
  assert.deepEqual(ips(a.reconcile(plain('c', { ...local, ...port(82), selector: { app: 'y' } }))), [
    '192.0.2.1',
  ]);
  const loadBalancerIP = '192.0.2.0';
  for (const [selector, reason] of [
    [{ app: 'y' }, /other backends; .* need the same selector$/],
    [{}, /other backends; .* a Service without a selector shares no address$/],
  ] as const)
    assert.match(
      a.reconcile(plain('d', { ...local, ...port(83), selector, loadBalancerIP })).refusal?.message ?? '',
      reason,
    );
});

test('Allocator requires the same externalTrafficPolicy on a shared address', () => {
  const a = allocator([four]);
  const web = { ...key, selector: { app: 'x' } };
  a.reconcile(plain('a', { ...web, ...port(80) }));
  const refused = a.reconcile(
    plain('b', { ...web, ...port(81), externalTrafficPolicy: 'Local', loadBalancerIP: '192.0.2.0' }),
  );
  assert.match(
    refused.refusal?.message ?? '',
    /default\/a, which has externalTrafficPolicy Cluster, and this Service has Local: .* need the same/,
  );
});

test('Allocator moves a Service off a shared address when its new port is in use by the Service that held the address first', () => {
  const a = allocator([four]);
  a.reconcile(plain('a', { ...key, ...port(80) }));
  a.reconcile(plain('b', { ...key, ...port(81) }));
  assert.deepEqual(ips(a.reconcile(plain('b', { ...key, ...port(80) }))), ['192.0.2.1']);
});

test('Allocator enforces the limit of a namespace', () => {
  const a = allocator([pool('p', ['192.0.2.0/28'], { limitPerNamespace: 2 })]);
  a.reconcile(plain('a'));
  a.reconcile(plain('b'));
  assert.match(
    a.reconcile(plain('c')).refusal?.message ?? '',
    /would hold 3 addresses of pool p, and its limit is 2/,
  );
  assert.deepEqual(ips(a.reconcile(plain('d', { namespace: 'other' }))), ['192.0.2.2']);
});

test('Allocator moves nothing when pools are split, renamed or set to draining', () => {
  const a = allocator([pool('p', ['192.0.2.0/28'])]);
  a.reconcile(plain('a'));
  a.reconcile(plain('b'));
  a.setConfig(
    config(
      [pool('x', ['192.0.2.0/32'], { draining: true }), pool('y', ['192.0.2.1/32'], { autoAssign: false })],
      [],
    ),
  );
  assert.deepEqual(ips(a.reconcile(plain('a'))), ['192.0.2.0']);
  assert.deepEqual(ips(a.reconcile(plain('b'))), ['192.0.2.1']);
  assert.deepEqual(
    [...a.assigned()].map((each) => each.pool),
    ['x', 'y'],
  );
});

test('FreeList agrees with a plain set after any sequence of take and put', () => {
  const value = fc.oneof(fc.bigInt(248n, 259n), fc.bigInt(500n, 525n), fc.bigInt(766n, 769n));
  const step = fc.record({ take: fc.boolean(), value });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.boolean(), (steps, avoidBuggy) => {
      const ranges = [
        { family: 4 as const, first: 503n, last: 521n },
        { family: 4 as const, first: 250n, last: 256n },
        { family: 4 as const, first: 767n, last: 768n },
      ];
      const isUsable = (value: bigint) =>
        !avoidBuggy || ![255n, 256n, 511n, 512n, 767n, 768n].includes(value);
      const list = new FreeList(ranges, avoidBuggy);
      const model = new Set(
        ranges.flatMap(({ first, last }) =>
          Array.from({ length: Number(last - first) + 1 }, (_, i) => first + BigInt(i)).filter(isUsable),
        ),
      );
      assert.equal(list.size, BigInt(model.size));
      const taken = new Set<bigint>();
      for (const { take, value } of steps) {
        if (take) {
          assert.equal(list.take(value), model.delete(value));
          if (!model.has(value) && list.has(value) === false) taken.add(value);
        } else if (
          taken.delete(value) &&
          ranges.some((range) => rangeContains(range, { family: 4, value }))
        ) {
          list.put(value);
          if (isUsable(value)) model.add(value);
        }
        assert.equal(list.has(value), model.has(value));
        assert.equal(list.free, BigInt(model.size));
        assert.equal(list.lowest(), [...model].sort((x, y) => Number(x - y))[0]);
      }
    }),
  );
});

test('Allocator finds an address in a /64', () => {
  const a = allocator([pool('vast', ['2001:db8::/64'])]);
  const six = { ipFamilies: ['IPv6'] as const };
  assert.deepEqual(ips(a.reconcile(plain('a', six))), ['2001:db8::']);
  assert.deepEqual(
    ips(a.reconcile(plain('b', { ...six, loadBalancerIP: '2001:db8::ffff:ffff:ffff:ffff' }))),
    ['2001:db8::ffff:ffff:ffff:ffff'],
  );
  assert.equal(a.usage()[0]?.free, 2n ** 64n - 2n);
});

test('FreeList leaves out .0 and .255 addresses even in a range of the whole IPv4 space', () => {
  const list = new FreeList([{ family: 4, first: 0n, last: 0xffff_ffffn }], true);
  assert.equal(list.size, 2n ** 24n * 254n);
  assert.equal(list.lowest(), 1n);
  assert.equal(list.has(255n), false);
  assert.equal(list.take(256n), false);
  for (let value = 1n; value < 255n; value++) assert.ok(list.take(value));
  assert.equal(list.lowest(), 257n);
});

test('Allocator keeps the address when it can fulfil only a part of a request', () => {
  const a = allocator([four]);
  a.reconcile(plain('a', { loadBalancerIP: '192.0.2.2' }));
  const outcome = a.reconcile(plain('a', { ...dual, loadBalancerIP: '192.0.2.3' }));
  assert.deepEqual(ips(outcome), ['192.0.2.2']);
  assert.match(outcome.refusal?.message ?? '', /no IPv6 addresses/);
});

test('Allocator takes a Service off a shared address when its new ports collide, even if its request is invalid', () => {
  const a = allocator([four]);
  a.reconcile(plain('a', { ...key, ...port(80) }));
  a.reconcile(plain('b', { ...key, ...port(81) }));
  const outcome = a.reconcile(plain('b', { ...key, ...port(80), loadBalancerIP: 'x' }));
  assert.deepEqual([ips(outcome), outcome.refusal?.cause], [[], 'invalid-request']);
});

test('Allocator keeps a shared address while two annotations of the Service name different sharing keys', () => {
  const a = allocator([four]);
  a.reconcile(plain('a', { ...key, ...port(80) }));
  a.reconcile(plain('b', { ...key, ...port(81) }));
  const torn = { annotations: { ...key.annotations, 'metallb.io/allow-shared-ip': 'other' } };
  const outcome = a.reconcile(plain('b', { ...torn, ...port(81) }));
  assert.deepEqual([ips(outcome), outcome.refusal?.cause], [['192.0.2.0'], 'invalid-request']);
});

test('Allocator counts a shared address once against the limit of a namespace', () => {
  const a = allocator([pool('p', ['192.0.2.0/28'], { limitPerNamespace: 1 })]);
  assert.deepEqual(ips(a.reconcile(plain('a', { ...key, ...port(80) }))), ['192.0.2.0']);
  assert.deepEqual(ips(a.reconcile(plain('b', { ...key, ...port(81) }))), ['192.0.2.0']);
  assert.equal(a.reconcile(plain('c', { ...key, ...port(81) })).refusal?.cause, 'limit-reached');
  assert.deepEqual([...a.heldByNamespace()], [{ pool: 'p', namespace: 'default', held: 1 }]);
});

test('Allocator tries IPv6 first when an IPv4 address would use up the limit of the only pool with IPv6 addresses', () => {
  const a = allocator([
    pool('limited', ['192.0.2.0/28', '2001:db8::/124'], { limitPerNamespace: 1, priority: 1 }),
    pool('four', ['198.51.100.0/28']),
  ]);
  assert.deepEqual(ips(a.reconcile(plain('a', dual))), ['198.51.100.0', '2001:db8::']);
});

test('Allocator takes only the missing family from the requested pool when the limit of the pool allows one address, and the Service keeps its address from another pool', () => {
  const a = allocator([four, pool('limited', ['192.0.2.4/31', '2001:db8::/124'], { limitPerNamespace: 1 })]);
  assert.deepEqual(ips(a.reconcile(plain('a'))), ['192.0.2.0']);
  const asked = plain('a', { ...dual, annotations: { 'bellman.dev/address-pool': 'limited' } });
  const outcome = a.reconcile(asked);
  assert.deepEqual(ips(outcome), ['192.0.2.0', '2001:db8::']);
  assert.equal(outcome.refusal?.cause, 'limit-reached');
  assert.deepEqual(a.waiting(), ['default/a']);
});

test('Allocator counts both families of a Service against one limit', () => {
  const a = allocator([pool('p', ['192.0.2.0/28', '2001:db8::/124'], { limitPerNamespace: 1 })]);
  assert.equal(a.reconcile(plain('a', dual)).refusal?.cause, 'limit-reached');
  a.reconcile(plain('a'));
  const outcome = a.reconcile(plain('a', { ...dual, ipFamilyPolicy: 'PreferDualStack' }));
  assert.deepEqual(ips(outcome), ['192.0.2.0']);
});

test('Allocator treats a request for a pool as fulfilled when a split moves the address to another pool, also after a restart', () => {
  const request = annotated({ 'bellman.dev/address-pool': 'p' });
  const a = allocator([pool('p', ['192.0.2.0/30'])]);
  for (const name of ['x', 'y', 'a']) a.reconcile({ ...request, name });
  const split = config([pool('p', ['192.0.2.0/31']), pool('q', ['192.0.2.2/31'])], []);
  a.setConfig(split);
  const assertKept = (outcome: Outcome) => {
    assert.deepEqual([ips(outcome), outcome.refusal], [['192.0.2.2'], undefined]);
    assert.deepEqual(
      outcome.assigned.map(({ pool: now, allocatedFrom }) => [now, allocatedFrom]),
      [['q', 'p']],
    );
  };
  assertKept(a.reconcile(request));
  const restarted = allocator([]);
  restarted.setConfig(split);
  const shown = {
    ...request,
    ingress: [{ ip: '192.0.2.2' }],
    annotations: { ...request.annotations, 'bellman.dev/ip-allocated-from-pool': 'p' },
  };
  restarted.learn(shown);
  assertKept(restarted.reconcile(shown));
  const moved = restarted.reconcile({ ...shown, annotations: { 'bellman.dev/address-pool': 'q' } });
  assert.deepEqual([ips(moved), moved.assigned[0]?.allocatedFrom], [['192.0.2.2'], 'q']);
});

test('Allocator decides in a fraction of a second about Services that name one pool 25,000 times, or share an address with 20,000 ports each', () => {
  const key = { 'bellman.dev/allow-shared-ip': 'k' };
  const full = allocator([pool('four', ['192.0.2.0/25'])]);
  for (let i = 0; i < 128; i++) full.reconcile(plain(`holder-${i}`, { annotations: key }));
  const greedy = plain('greedy', {
    annotations: { ...key, 'bellman.dev/address-pool': 'four,'.repeat(25_000) },
  });
  assert.equal(withinCpuTime(300, () => full.reconcile(greedy)).refusal?.cause, 'pool-exhausted');

  const portsOf = (protocol: 'TCP' | 'UDP') =>
    Array.from({ length: 20_000 }, (_, i) => ({ protocol, port: i + 1 }));
  const shared = allocator([four]);
  shared.reconcile(plain('tcp', { annotations: key, ports: portsOf('TCP') }));
  const udp = plain('udp', { annotations: key, ports: portsOf('UDP') });
  assert.deepEqual(
    withinCpuTime(200, () => ips(shared.reconcile(udp))),
    ['192.0.2.0'],
  );
  const clash = plain('clash', {
    annotations: key,
    ports: [...portsOf('UDP').slice(0, 20), { protocol: 'TCP', port: 21 }],
    loadBalancerIP: '192.0.2.0',
  });
  assert.match(
    shared.reconcile(clash).refusal?.message ?? '',
    /port TCP\/21 on it is in use by default\/tcp/,
  );
});
