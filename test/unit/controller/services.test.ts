import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { ControllerHarness, config, pool } from './controller-harness.ts';

async function started(...pools: string[]): Promise<ControllerHarness> {
  const made = new ControllerHarness();
  made.editConfig(config(...pools));
  await made.start();
  return made;
}

test('a Service gets its address and pool in one write, and one event', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.writes();
  harness.service('web');
  await harness.pass();
  assert.deepEqual(harness.writes(), ['PATCH default/services/web/status']);
  assert.deepEqual(harness.api.get(harness.servicePath('web'))?.status, {
    loadBalancer: { ingress: [{ ip: '192.0.2.0', ipMode: 'VIP' }] },
  });
  assert.equal(harness.annotation('ip-allocated-from-pool', harness.servicePath('web')), 'a');
  assert.deepEqual(harness.events('web'), ['IPAllocated: assigned 192.0.2.0 from pool a']);
  assert.match(await harness.registry.metrics(), /^bellman_controller_allocation_seconds_count 1$/m);
  assert.equal(
    await harness.metric('bellman_allocator_addresses_in_use_total', { pool: 'a', family: 'ipv4' }),
    1,
  );
  assert.equal(await harness.metric('bellman_allocator_addresses_total', { pool: 'a', family: 'ipv4' }), 16);
  await harness.stop();
});

test('a restart does not rewrite an unchanged status and assigns no address that is in use', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  for (const name of ['one', 'two', 'three']) harness.service(name);
  await harness.pass();
  await harness.stop();
  harness.deleteService('one');
  harness.service('four');
  harness.writes();
  await harness.start();
  assert.deepEqual(harness.writes(), ['PATCH default/services/four/status']);
  assert.deepEqual(harness.addresses('two'), ['192.0.2.1']);
  assert.deepEqual(harness.addresses('three'), ['192.0.2.2']);
  assert.deepEqual(harness.addresses('four'), ['192.0.2.0']);
  await harness.stop();
});

test('after a start, the oldest Service without an address is the first to get one, wherever it stands in the list', async () => {
  const harness = new ControllerHarness();
  for (const [name, created] of [
    ['first-listed', '2026-01-01T00:00:02Z'],
    ['oldest', '2026-01-01T00:00:01Z'],
  ] as const) {
    const metadata = { name, namespace: 'default', creationTimestamp: created };
    harness.api.put(harness.servicePath(name), { metadata });
    harness.service(name);
  }
  harness.editConfig(config(pool('a', '192.0.2.0/32')));
  await harness.start();
  assert.deepEqual(
    ['oldest', 'first-listed'].map((name) => harness.addresses(name)),
    [['192.0.2.0'], []],
  );
  await harness.stop();
});

test('an ingress entry without ipMode counts as an entry with the default mode, so nothing is written', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('web');
  await harness.pass();
  await harness.stop();
  const path = harness.servicePath('web');
  const known = harness.api.get(path);
  assert.ok(known);
  harness.api.put(path, { ...known, status: { loadBalancer: { ingress: [{ ip: '192.0.2.0' }] } } });
  harness.writes();
  await harness.start();
  assert.deepEqual(harness.writes(), []);
  await harness.stop();
});

test('a wiped status is restored to the same address', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('first');
  harness.service('web');
  await harness.pass();
  harness.deleteService('first');
  harness.setStatus('web', []);
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), ['192.0.2.1']);
  await harness.stop();
});

test('a refusal is reported once, also across a restart, and counted by cause', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('web', { annotations: { 'bellman.dev/address-pool': 'nope' } });
  await harness.pass();
  const [event] = harness.events('web');
  assert.match(event ?? '', /^AllocationFailed: there is no pool nope; pools: a$/);
  harness.service('web', { ports: [{ port: 81, protocol: 'TCP' }] });
  await harness.pass();
  assert.deepEqual(harness.events('web'), [event]);
  assert.equal(await harness.metric('bellman_allocator_refusals_total', { cause: 'no-such-pool' }), 1);
  await harness.stop();
  await harness.start();
  assert.deepEqual(harness.events('web'), [event]);
  harness.service('web', { annotations: { 'bellman.dev/address-pool': 'a' } });
  await harness.pass();
  assert.equal(harness.events('web')[1], 'IPAllocated: assigned 192.0.2.0 from pool a');
  await harness.stop();
});

test('a refusal and a warning are reported again on a Service that has replaced one of the same name', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  const annotations = { 'bellman.dev/address-pool': 'nope', 'bellman.dev/adress-pool': 'a' };
  harness.service('web', { annotations });
  await harness.pass();
  // The controller decides nothing between the deletion and the creation.
  harness.deleteService('web');
  harness.service('web', { annotations });
  await harness.pass();
  const { uid } = harness.api.get(harness.servicePath('web'))?.metadata ?? {};
  const reasons = harness.api
    .under('/apis/events.k8s.io/v1/namespaces/default/events')
    .filter(({ regarding }) => (regarding as { uid?: string }).uid === uid)
    .map(({ reason }) => reason);
  assert.deepEqual(reasons.sort(), ['AllocationFailed', 'UnknownAnnotation']);
  await harness.stop();
});

test('a freed address goes to waiting Services in request order, before a new Service', async () => {
  const harness = await started(pool('a', '192.0.2.0-192.0.2.1'));
  for (const name of ['one', 'two', 'z-waits', 'b-waits']) harness.service(name);
  await harness.pass();
  assert.match(harness.events('z-waits')[0] ?? '', /^AllocationFailed: pool a is full/);
  // Two releases and a new Service at the same time.
  harness.deleteService('one');
  harness.service('latecomer');
  harness.deleteService('two');
  await harness.pass();
  assert.deepEqual(harness.addresses('z-waits'), ['192.0.2.0']);
  assert.deepEqual(harness.addresses('b-waits'), ['192.0.2.1']);
  assert.deepEqual(harness.addresses('latecomer'), []);
  await harness.stop();
});

test('while the server asks to wait, thousands of Services cause few requests and one warning', async () => {
  const harness = await started(pool('a', '10.0.0.0/16'));
  let requests = 0;
  let isThrottled = true;
  harness.api.before = ({ method, path }) => {
    if (!isThrottled || method !== 'PATCH' || !path.includes('/services/')) return;
    requests++;
    throw new ApiError(429, 'TooManyRequests', 'too many requests', { retryAfterMs: 1000 });
  };
  for (let i = 0; i < 2000; i++) harness.service(`s${i}`);
  await harness.pass(30_000);
  // A round has at most eight writes. The waits between rounds are 1, 2, 4, 8 and 16 s, so 30 s have room for five rounds. The test allows six.
  assert.ok(requests <= 6 * 8, `${requests} requests in 30 s`);
  assert.deepEqual(
    harness.logLines.filter(({ level }) => level === 'warn').map(({ msg }) => msg),
    ['API server asks to wait, Services get their addresses later'],
  );
  isThrottled = false;
  await harness.pass(20_000);
  assert.equal(await harness.metric('bellman_controller_queue_depth'), 0);
  assert.equal(harness.addresses('s1999').length, 1);
  await harness.stop();
});

test('an address is written to the status of its next Service only after the previous Service no longer shows it', async () => {
  const harness = await started(pool('a', '192.0.2.0-192.0.2.0'), pool('b', '198.51.100.0/28'));
  harness.service('mover', { annotations: { 'bellman.dev/address-pool': 'a' } });
  harness.service('waiter', { annotations: { 'bellman.dev/address-pool': 'a' } });
  await harness.pass();
  assert.deepEqual(harness.addresses('mover'), ['192.0.2.0']);
  assert.equal(await harness.metric('bellman_controller_queue_depth'), 0);
  let away = true;
  harness.api.before = ({ method, path }) => {
    if (away && method === 'PATCH' && path.includes('/mover/')) throw new ApiError(0, 'ECONNRESET', 'lost');
  };
  harness.service('mover', { annotations: { 'bellman.dev/address-pool': 'b' } });
  await harness.pass();
  assert.deepEqual(harness.addresses('mover'), ['192.0.2.0'], 'the new status is not written yet');
  assert.deepEqual(harness.addresses('waiter'), [], 'no other Service shows the address before that write');
  away = false;
  await harness.pass(40_000);
  assert.deepEqual(harness.addresses('mover'), ['198.51.100.0']);
  assert.deepEqual(harness.addresses('waiter'), ['192.0.2.0']);
  assert.equal(
    harness.events('mover').at(-1),
    'IPAllocated: assigned 198.51.100.0 from pool b, previously 192.0.2.0',
  );
  await harness.stop();
});

test('a Service that becomes ClusterIP loses its status and annotation, with an event', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('web');
  await harness.pass();
  harness.service('web', { type: 'ClusterIP' });
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), []);
  assert.equal(harness.annotation('ip-allocated-from-pool', harness.servicePath('web')), undefined);
  assert.equal(harness.events('web').at(-1), 'IPReleased: released 192.0.2.0');
  harness.service('next');
  await harness.pass();
  assert.deepEqual(harness.addresses('next'), ['192.0.2.0']);
  await harness.stop();
});

test('a Service that becomes ClusterIP gets the event IPReleased once, even if the API server clears its status', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('web');
  await harness.pass();
  harness.service('web', { type: 'ClusterIP' });
  harness.setStatus('web', []);
  await harness.pass();
  const released = harness.events('web').filter((event) => event.startsWith('IPReleased'));
  assert.deepEqual(released, ['IPReleased: released 192.0.2.0']);
  assert.equal(harness.annotation('ip-allocated-from-pool', harness.servicePath('web')), undefined);
  await harness.stop();
});

test('Services of other classes and types are never touched', async () => {
  const harness = new ControllerHarness();
  harness.editConfig(config(pool('a', '192.0.2.0/28')));
  harness.service('theirs', { loadBalancerClass: 'example.com/other' });
  harness.setStatus('theirs', ['203.0.113.1']);
  harness.service('inside', { type: 'ClusterIP' });
  harness.service('ours');
  await harness.start();
  const services = harness.writes().filter((write) => write.includes('/services/'));
  assert.deepEqual(services, ['PATCH default/services/ours/status']);
  assert.deepEqual(harness.addresses('theirs'), ['203.0.113.1']);
  await harness.stop();
});

test('an unknown annotation is reported once, with the annotation that was most likely meant', async () => {
  const harness = new ControllerHarness();
  harness.editConfig(config(pool('a', '192.0.2.0/28')));
  harness.service('web', {
    annotations: {
      'bellman.dev/adress-pool': 'a',
      'bellman.dev/allow-shared-ip': 'k',
      'bellman.dev/loadbalancerips': '192.0.2.1',
      'metallb.io/adress-pool': 'a',
      'metallb.universe.tf/alow-shared-ip': 'k',
      'metallb.universe.tf/ip-allocated-from-pool': 'a',
      'bellman.dev/announcing': '192.0.2.0=node-1/eth0',
    },
  });
  await harness.start();
  await harness.pass();
  harness.service('web', { annotations: { 'bellman.dev/adress-pool': 'a', 'bellman.dev/colour': 'red' } });
  await harness.pass();
  const reported = harness.events().filter((event) => event.includes('UnknownAnnotation'));
  const expected = [
    'bellman.dev/adress-pool is unknown; did you mean bellman.dev/address-pool?',
    'bellman.dev/loadbalancerips is unknown; did you mean bellman.dev/loadBalancerIPs?',
    'metallb.universe.tf/alow-shared-ip is unknown; did you mean metallb.universe.tf/allow-shared-ip?',
    'metallb.io/adress-pool is unknown; did you mean metallb.io/address-pool?',
    'bellman.dev/colour is unknown',
  ];
  assert.equal(reported.length, expected.length, reported.join('\n'));
  for (const [i, message] of expected.entries()) assert.ok(reported[i]?.includes(message), reported[i]);
  await harness.stop();
});

test('a controller with a class serves only Services of that class', async () => {
  const harness = new ControllerHarness();
  harness.editConfig(config(pool('a', '192.0.2.0/28')));
  harness.service('theirs');
  harness.service('ours', { loadBalancerClass: 'bellman.dev/lb' });
  await harness.start('bellman.dev/lb');
  assert.deepEqual(harness.addresses('ours'), ['192.0.2.0']);
  assert.deepEqual(harness.addresses('theirs'), []);
  await harness.stop();
});

test('a Service that is being deleted keeps its address until the Service is gone', async () => {
  const harness = await started(pool('a', '192.0.2.0-192.0.2.0'));
  harness.service('web');
  await harness.pass();
  const path = harness.servicePath('web');
  const known = harness.api.get(path);
  assert.ok(known);
  harness.api.put(path, {
    ...known,
    metadata: { ...known.metadata, deletionTimestamp: new Date().toISOString() } as typeof known.metadata,
  });
  harness.service('next');
  harness.service('never');
  const never = harness.api.get(harness.servicePath('never'));
  assert.ok(never);
  harness.api.put(harness.servicePath('never'), {
    ...never,
    metadata: { ...never.metadata, deletionTimestamp: new Date().toISOString() } as typeof never.metadata,
  });
  await harness.pass();
  assert.deepEqual(harness.addresses('next'), []);
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
  harness.deleteService('web');
  harness.deleteService('next');
  await harness.pass();
  assert.deepEqual(harness.addresses('never'), [], 'a Service that is being deleted gets nothing');
  assert.deepEqual((harness.status() as { waiting: string[] }).waiting, []);
  harness.service('later');
  await harness.pass();
  assert.deepEqual(harness.addresses('later'), ['192.0.2.0']);
  await harness.stop();
});

test('two Services that wait for each other’s address swap their addresses', async () => {
  const harness = await started(pool('a', '192.0.2.1-192.0.2.2'));
  const shared = (key: string, port: number) => ({
    annotations: { 'bellman.dev/allow-shared-ip': key },
    ports: [{ port, protocol: 'TCP' }],
  });
  harness.service('a', shared('one', 80));
  await harness.pass();
  harness.service('b', shared('one', 81));
  harness.service('c', shared('two', 82));
  await harness.pass();
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => harness.addresses(name)[0]),
    ['192.0.2.1', '192.0.2.1', '192.0.2.2'],
  );
  harness.service('c', { ...shared('two', 82), loadBalancerIP: '192.0.2.1' });
  await harness.pass();
  assert.deepEqual(harness.addresses('c'), ['192.0.2.2'], 'the requested address has another sharing key');
  // When `a` changes its sharing key below, `b` loses the address that it shares with `a`, and no other address is free. So the first write of `b`
  // would clear the status of `b`. The API server refuses this write. Before the controller tries again, it assigns the address of `c` to `b`, and
  // the address of `a` to `c`. The statuses of `b` and `c` still show the old addresses, so the write of `b` waits for the write of `c`, and the
  // write of `c` for that of `b`.
  let refusals = 1;
  harness.api.before = ({ method, path }) => {
    if (method !== 'PATCH' || !path.includes('/services/b') || refusals-- <= 0) return;
    throw new ApiError(409, 'Conflict', 'the object has been modified');
  };
  harness.service('a', shared('two', 80));
  await harness.pass(20_000);
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => harness.addresses(name)[0]),
    ['192.0.2.1', '192.0.2.2', '192.0.2.1'],
  );
  await harness.stop();
});

test('a deleted Service that waits for a finalizer stops showing the address that it has lost, and another Service gets that address', async () => {
  const harness = await started(pool('a', '192.0.2.1-192.0.2.2'));
  harness.service('kept', { loadBalancerIP: '192.0.2.1' });
  await harness.pass();
  let isRefusing = true;
  harness.api.before = ({ method, path }) => {
    if (isRefusing && method === 'PATCH' && path.includes('/services/'))
      throw new ApiError(500, 'InternalError', 'later');
  };
  harness.service('kept', { loadBalancerIP: '192.0.2.2' });
  await harness.pass();
  const path = harness.servicePath('kept');
  const known = harness.api.get(path);
  assert.ok(known);
  const metadata = {
    ...known.metadata,
    deletionTimestamp: '2026-01-02T03:04:05Z',
    finalizers: ['example.com/keep'],
  };
  harness.api.put(path, { ...known, metadata });
  harness.service('next', { loadBalancerIP: '192.0.2.1' });
  isRefusing = false;
  await harness.pass(60_000);
  assert.deepEqual(harness.addresses('next'), ['192.0.2.1']);
  assert.deepEqual(harness.addresses('kept'), ['192.0.2.2']);
  await harness.stop();
});

test('a write that conflicts is retried from the new state', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  let once = true;
  harness.api.before = ({ method, path }) => {
    if (!once || method !== 'PATCH' || !path.includes('/services/')) return;
    once = false;
    harness.service('web', { annotations: { 'example.com/touched': 'yes' } });
  };
  harness.service('web');
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
  assert.equal(
    harness.api.get(harness.servicePath('web'))?.metadata.annotations?.['example.com/touched'],
    'yes',
  );
  assert.equal(
    await harness.metric('bellman_controller_writes_total', { object: 'service', result: 'conflict' }),
    1,
  );
  await harness.stop();
});

test('a Service that is deleted before the response to its write arrives gives its address up', async () => {
  const harness = await started(pool('a', '192.0.2.0-192.0.2.0'));
  harness.delayResponses('/services/');
  harness.service('web');
  await harness.pass(200);
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
  harness.deleteService('web');
  await harness.pass();
  harness.service('next');
  await harness.pass();
  assert.deepEqual(harness.addresses('next'), ['192.0.2.0']);
  await harness.stop();
});

test('a Service that is deleted and created again before the response to the first write arrives gets an address', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.delayResponses('/services/');
  harness.service('web');
  await harness.pass(200);
  harness.deleteService('web');
  harness.service('web');
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
  await harness.stop();
});

test('a label that is added to a namespace admits its Services to a pool', async () => {
  const harness = await started(
    pool('a', '192.0.2.0/28', 'namespace-selectors: [{match-labels: {team: blue}}]'),
  );
  harness.service('web');
  await harness.pass();
  assert.match(harness.events('web')[0] ?? '', /^AllocationFailed/);
  harness.api.put('/api/v1/namespaces/default', {
    metadata: { name: 'default', labels: { team: 'blue' } } as { name: string },
  });
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
  await harness.stop();
});

test('a PreferDualStack Service gains an address of its second family once a pool has one, and keeps its first address', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('web', { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' });
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
  harness.editConfig(config(pool('a', '192.0.2.0/28'), pool('six', '2001:db8::10/124')));
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0', '2001:db8::10']);
  assert.equal(harness.annotation('ip-allocated-from-pool', harness.servicePath('web')), 'a,six');
  await harness.stop();
});

test('Services with the same sharing key share an address', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  const annotations = { 'metallb.universe.tf/allow-shared-ip': 'k' };
  harness.service('tcp', { annotations });
  harness.service('udp', { annotations, ports: [{ port: 80, protocol: 'UDP' }] });
  await harness.pass();
  assert.deepEqual(harness.addresses('tcp'), ['192.0.2.0']);
  assert.deepEqual(harness.addresses('udp'), ['192.0.2.0']);
  await harness.stop();
});

test('a missing membership Secret is created with 32 random octets, and an existing Secret stays as it is', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  const path = '/api/v1/namespaces/bellman-system/secrets/bellman-membership';
  const data = harness.api.get(path)?.data as { keys: string };
  const line = Buffer.from(data.keys, 'base64').toString('utf8');
  assert.equal(Buffer.from(line, 'base64').length, 32);
  await harness.stop();
  await harness.start();
  assert.deepEqual(harness.api.get(path)?.data, data);
  await harness.stop();
});

test('a controller whose API server refuses valid accounts for some seconds does not warn about the membership Secret', async () => {
  const harness = new ControllerHarness();
  let isStarting = true;
  harness.api.before = ({ path }) => {
    if (isStarting && path.includes('/secrets')) throw new ApiError(403, 'Forbidden', 'secrets is forbidden');
  };
  await harness.start();
  await harness.pass(5000);
  isStarting = false;
  await harness.pass(60_000);
  assert.ok(harness.log.includes('membership Secret created'));
  assert.deepEqual(
    harness.logLines.filter(({ msg }) => msg.startsWith('membership Secret not checked: ')),
    [],
  );
  await harness.stop();
});

test('a controller that may not read the membership Secret warns once, and again only if it gets the right and loses it', async () => {
  const harness = new ControllerHarness();
  let isForbidden = true;
  harness.api.before = ({ path }) => {
    if (isForbidden && path.includes('/secrets'))
      throw new ApiError(403, 'Forbidden', 'secrets is forbidden');
  };
  await harness.start();
  await harness.pass(120_000);
  const warnings = () =>
    harness.logLines.filter(({ msg }) => msg.startsWith('membership Secret not checked: '));
  assert.deepEqual(
    warnings().map(({ level, reason }) => [level, reason]),
    [['warn', 'Error: secrets is forbidden']],
  );
  isForbidden = false;
  await harness.pass(60_000);
  assert.ok(harness.log.includes('membership Secret created'));
  isForbidden = true;
  await harness.pass(60_000);
  assert.equal(warnings().length, 2);
  await harness.stop();
});

test('the metrics show how many addresses a namespace may use, and how many it uses', async () => {
  const harness = await started(pool('a', '192.0.2.0/28', 'limit-per-namespace: 2'));
  for (const name of ['one', 'two', 'three']) harness.service(name);
  await harness.pass();
  assert.equal(await harness.metric('bellman_allocator_namespace_limit', { pool: 'a' }), 2);
  assert.equal(
    await harness.metric('bellman_allocator_namespace_addresses_in_use', {
      pool: 'a',
      namespace: 'default',
    }),
    2,
  );
  assert.deepEqual(harness.addresses('three'), []);
  await harness.stop();
});

test('the reason of a refusal has at most 1,024 characters, even if an annotation has 200,000 characters', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('web', { annotations: { 'bellman.dev/loadBalancerIPs': 'x'.repeat(200_000) } });
  harness.service('pools', { annotations: { 'bellman.dev/address-pool': 'é'.repeat(200_000) } });
  await harness.pass();
  const reasons = harness.logLines
    .filter(({ msg }) => msg === 'allocation refused')
    .map(({ reason }) => String(reason));
  assert.equal(reasons.length, 2);
  for (const reason of reasons) {
    assert.ok(reason.length <= 1024, `${reason.length} characters`);
    assert.match(reason, /…$/);
  }
  assert.ok(JSON.stringify(harness.status()).length < 10_000);
  await harness.stop();
});

test('a Service with thousands of unknown annotations causes only a few reports', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  const annotations = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [`bellman.dev/x${String(i).padStart(4, '0')}`, '']),
  );
  harness.service('web', { annotations });
  await harness.pass();
  const reported = harness.logLines.filter(({ msg }) => msg === 'unknown annotation');
  assert.equal(reported.length, 9);
  assert.match(String(reported.at(-1)?.reason), /^4992 more annotations are unknown$/);
  await harness.stop();
});

test('waiting Services are counted by cause', async () => {
  const harness = await started(pool('a', '192.0.2.0-192.0.2.0'));
  for (const name of ['holder', 'one', 'two']) harness.service(name);
  harness.service('lost', { annotations: { 'bellman.dev/address-pool': 'nope' } });
  await harness.pass();
  const waiting = (cause: string) => harness.metric('bellman_controller_services_waiting', { cause });
  assert.equal(await waiting('pool-exhausted'), 2);
  assert.equal(await waiting('no-such-pool'), 1);
  harness.deleteService('holder');
  await harness.pass();
  assert.equal(await waiting('pool-exhausted'), 1);
  await harness.stop();
});

test('the flight recorder keeps decisions that change something', async () => {
  const harness = await started(pool('a', '192.0.2.0-192.0.2.0'));
  harness.service('web');
  harness.service('next');
  await harness.pass();
  harness.deleteService('web');
  await harness.pass();
  const recorded = harness.recorder.events('allocator').map(({ event, actions }) => ({ event, actions }));
  assert.deepEqual(recorded[0], {
    event: { kind: 'reconciled', service: 'default/web', before: '' },
    actions: [{ kind: 'hold', ip: '192.0.2.0' }],
  });
  assert.deepEqual(
    recorded.map(({ event }) => (event as { kind: string; service: string }).kind),
    ['reconciled', 'reconciled', 'released', 'reconciled'],
  );
  assert.equal(harness.recorder.events('config').length, 1);
  await harness.stop();
});
