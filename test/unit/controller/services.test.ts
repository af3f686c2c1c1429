import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { config, Office, pool } from './office.ts';

async function office(...pools: string[]): Promise<Office> {
  const made = new Office();
  made.editConfig(config(...pools));
  await made.start();
  return made;
}

test('a Service gets its address and pool in one write, and one event', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  o.writes();
  o.service('web');
  await o.pass();
  assert.deepEqual(o.writes(), ['PATCH default/services/web/status']);
  assert.deepEqual(o.api.get(o.servicePath('web'))?.status, {
    loadBalancer: { ingress: [{ ip: '192.0.2.0', ipMode: 'VIP' }] },
  });
  assert.equal(o.annotation('ip-allocated-from-pool', o.servicePath('web')), 'a');
  assert.deepEqual(o.events('web'), ['IPAllocated: assigned 192.0.2.0 from pool a']);
  assert.match(await o.registry.metrics(), /^bellman_controller_allocation_seconds_count 1$/m);
  assert.equal(await o.metric('bellman_allocator_addresses_in_use_total', { pool: 'a', family: 'ipv4' }), 1);
  assert.equal(await o.metric('bellman_allocator_addresses_total', { pool: 'a', family: 'ipv4' }), 16);
  await o.stop();
});

test('a restart writes nothing that is so, and hands out nothing that is taken', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  for (const name of ['one', 'two', 'three']) o.service(name);
  await o.pass();
  await o.stop();
  o.deleteService('one');
  o.service('four');
  o.writes();
  await o.start();
  assert.deepEqual(o.writes(), ['PATCH default/services/four/status']);
  assert.deepEqual(o.addresses('two'), ['192.0.2.1']);
  assert.deepEqual(o.addresses('three'), ['192.0.2.2']);
  assert.deepEqual(o.addresses('four'), ['192.0.2.0']);
  await o.stop();
});

test('an ingress without ipMode is what it would be by default: nothing is written', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  o.service('web');
  await o.pass();
  await o.stop();
  const path = o.servicePath('web');
  const known = o.api.get(path);
  assert.ok(known);
  o.api.put(path, { ...known, status: { loadBalancer: { ingress: [{ ip: '192.0.2.0' }] } } });
  o.writes();
  await o.start();
  assert.deepEqual(o.writes(), []);
  await o.stop();
});

test('a status that somebody wiped is restored to the same address', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  o.service('first');
  o.service('web');
  await o.pass();
  o.deleteService('first');
  o.setStatus('web', []);
  await o.pass();
  assert.deepEqual(o.addresses('web'), ['192.0.2.1']);
  await o.stop();
});

test('a refusal is told once, also across a restart, and counted by its cause', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  o.service('web', { annotations: { 'bellman.dev/address-pool': 'nope' } });
  await o.pass();
  const [event] = o.events('web');
  assert.match(event ?? '', /^AllocationFailed: there is no pool nope; pools: a$/);
  o.service('web', { ports: [{ port: 81, protocol: 'TCP' }] });
  await o.pass();
  assert.deepEqual(o.events('web'), [event]);
  assert.equal(await o.metric('bellman_allocator_refusals_total', { cause: 'no-such-pool' }), 1);
  await o.stop();
  await o.start();
  assert.deepEqual(o.events('web'), [event]);
  o.service('web', { annotations: { 'bellman.dev/address-pool': 'a' } });
  await o.pass();
  assert.equal(o.events('web')[1], 'IPAllocated: assigned 192.0.2.0 from pool a');
  await o.stop();
});

test('a freed address goes to those who wait, in the order they asked, before a newcomer', async () => {
  const o = await office(pool('a', '192.0.2.0-192.0.2.1'));
  for (const name of ['one', 'two', 'z-waits', 'b-waits']) o.service(name);
  await o.pass();
  assert.match(o.events('z-waits')[0] ?? '', /^AllocationFailed: pool a is full/);
  // In one go, before any time passes: two releases and a newcomer.
  o.deleteService('one');
  o.service('newcomer');
  o.deleteService('two');
  await o.pass();
  assert.deepEqual(o.addresses('z-waits'), ['192.0.2.0']);
  assert.deepEqual(o.addresses('b-waits'), ['192.0.2.1']);
  assert.deepEqual(o.addresses('newcomer'), []);
  await o.stop();
});

test('an address that moves is not written for its next owner before its last one has let go', async () => {
  const o = await office(pool('a', '192.0.2.0-192.0.2.0'), pool('b', '198.51.100.0/28'));
  o.service('mover', { annotations: { 'bellman.dev/address-pool': 'a' } });
  o.service('waiter', { annotations: { 'bellman.dev/address-pool': 'a' } });
  await o.pass();
  assert.deepEqual(o.addresses('mover'), ['192.0.2.0']);
  assert.equal(await o.metric('bellman_controller_queue_depth'), 0);
  let away = true;
  o.api.before = ({ method, path }) => {
    if (away && method === 'PATCH' && path.includes('/mover/')) throw new ApiError(0, 'ECONNRESET', 'lost');
  };
  o.service('mover', { annotations: { 'bellman.dev/address-pool': 'b' } });
  await o.pass();
  assert.deepEqual(o.addresses('mover'), ['192.0.2.0'], 'not written yet');
  assert.deepEqual(o.addresses('waiter'), [], 'so nobody else may show it');
  away = false;
  await o.pass(40_000);
  assert.deepEqual(o.addresses('mover'), ['198.51.100.0']);
  assert.deepEqual(o.addresses('waiter'), ['192.0.2.0']);
  assert.equal(o.events('mover').at(-1), 'IPAllocated: assigned 198.51.100.0 from pool b, before 192.0.2.0');
  await o.stop();
});

test('a Service that becomes ClusterIP is cleaned of what we wrote, and says so', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  o.service('web');
  await o.pass();
  o.service('web', { type: 'ClusterIP' });
  await o.pass();
  assert.deepEqual(o.addresses('web'), []);
  assert.equal(o.annotation('ip-allocated-from-pool', o.servicePath('web')), undefined);
  assert.equal(o.events('web').at(-1), 'IPReleased: released 192.0.2.0');
  o.service('next');
  await o.pass();
  assert.deepEqual(o.addresses('next'), ['192.0.2.0']);
  await o.stop();
});

test('other classes, other types and their status are never touched', async () => {
  const o = new Office();
  o.editConfig(config(pool('a', '192.0.2.0/28')));
  o.service('theirs', { loadBalancerClass: 'example.com/other' });
  o.setStatus('theirs', ['203.0.113.1']);
  o.service('inside', { type: 'ClusterIP' });
  o.service('ours');
  await o.start();
  const services = o.writes().filter((write) => write.includes('/services/'));
  assert.deepEqual(services, ['PATCH default/services/ours/status']);
  assert.deepEqual(o.addresses('theirs'), ['203.0.113.1']);
  await o.stop();
});

test('an annotation of ours that means nothing is told once, with what was most likely meant', async () => {
  const o = new Office();
  o.editConfig(config(pool('a', '192.0.2.0/28')));
  o.service('web', {
    annotations: {
      'bellman.dev/adress-pool': 'a',
      'bellman.dev/allow-shared-ip': 'k',
      'metallb.io/adress-pool': 'a',
      'bellman.dev/announcing': '192.0.2.0=node-1/eth0',
    },
  });
  await o.start();
  await o.pass();
  o.service('web', { annotations: { 'bellman.dev/adress-pool': 'a', 'bellman.dev/colour': 'red' } });
  await o.pass();
  const told = o.events().filter((event) => event.includes('UnknownAnnotation'));
  assert.equal(told.length, 2, told.join('\n'));
  assert.match(
    told[0] ?? '',
    /bellman\.dev\/adress-pool means nothing; did you mean bellman\.dev\/address-pool\?/,
  );
  assert.match(told[1] ?? '', /bellman\.dev\/colour means nothing/);
  await o.stop();
});

test('with a class of its own only Services of that class are served', async () => {
  const o = new Office();
  o.editConfig(config(pool('a', '192.0.2.0/28')));
  o.service('theirs');
  o.service('ours', { loadBalancerClass: 'bellman.dev/lb' });
  await o.start('bellman.dev/lb');
  assert.deepEqual(o.addresses('ours'), ['192.0.2.0']);
  assert.deepEqual(o.addresses('theirs'), []);
  await o.stop();
});

test('a Service being deleted keeps its address until it is gone', async () => {
  const o = await office(pool('a', '192.0.2.0-192.0.2.0'));
  o.service('web');
  await o.pass();
  const path = o.servicePath('web');
  const known = o.api.get(path);
  assert.ok(known);
  o.api.put(path, {
    ...known,
    metadata: { ...known.metadata, deletionTimestamp: new Date().toISOString() } as typeof known.metadata,
  });
  o.service('next');
  o.service('never');
  const never = o.api.get(o.servicePath('never'));
  assert.ok(never);
  o.api.put(o.servicePath('never'), {
    ...never,
    metadata: { ...never.metadata, deletionTimestamp: new Date().toISOString() } as typeof never.metadata,
  });
  await o.pass();
  assert.deepEqual(o.addresses('next'), []);
  assert.deepEqual(o.addresses('web'), ['192.0.2.0']);
  o.deleteService('web');
  o.deleteService('next');
  await o.pass();
  assert.deepEqual(o.addresses('never'), [], 'on its way out it is given nothing');
  assert.deepEqual((o.status() as { waiting: string[] }).waiting, []);
  o.service('later');
  await o.pass();
  assert.deepEqual(o.addresses('later'), ['192.0.2.0']);
  await o.stop();
});

test('a conflict is looked at again from the new state', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  let once = true;
  o.api.before = ({ method, path }) => {
    if (!once || method !== 'PATCH' || !path.includes('/services/')) return;
    once = false;
    o.service('web', { annotations: { 'example.com/touched': 'yes' } });
  };
  o.service('web');
  await o.pass();
  assert.deepEqual(o.addresses('web'), ['192.0.2.0']);
  assert.equal(o.api.get(o.servicePath('web'))?.metadata.annotations?.['example.com/touched'], 'yes');
  assert.equal(
    await o.metric('bellman_controller_writes_total', { object: 'service', result: 'conflict' }),
    1,
  );
  await o.stop();
});

test('namespaces that gain a label let their Services in', async () => {
  const o = await office(pool('a', '192.0.2.0/28', 'namespace-selectors: [{match-labels: {team: blue}}]'));
  o.service('web');
  await o.pass();
  assert.match(o.events('web')[0] ?? '', /^AllocationFailed/);
  o.api.put('/api/v1/namespaces/default', {
    metadata: { name: 'default', labels: { team: 'blue' } } as { name: string },
  });
  await o.pass();
  assert.deepEqual(o.addresses('web'), ['192.0.2.0']);
  await o.stop();
});

test('PreferDualStack gains its second family when there is one, without losing the first', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  o.service('web', { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' });
  await o.pass();
  assert.deepEqual(o.addresses('web'), ['192.0.2.0']);
  o.editConfig(config(pool('a', '192.0.2.0/28'), pool('six', '2001:db8::10/124')));
  await o.pass();
  assert.deepEqual(o.addresses('web'), ['192.0.2.0', '2001:db8::10']);
  assert.equal(o.annotation('ip-allocated-from-pool', o.servicePath('web')), 'a,six');
  await o.stop();
});

test('Services that share a key share an address, each with its own write', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  const annotations = { 'metallb.universe.tf/allow-shared-ip': 'k' };
  o.service('tcp', { annotations });
  o.service('udp', { annotations, ports: [{ port: 80, protocol: 'UDP' }] });
  await o.pass();
  assert.deepEqual(o.addresses('tcp'), ['192.0.2.0']);
  assert.deepEqual(o.addresses('udp'), ['192.0.2.0']);
  await o.stop();
});

test('the membership Secret is made when it is missing, with 32 random octets, and left alone when it is there', async () => {
  const o = await office(pool('a', '192.0.2.0/28'));
  const path = '/api/v1/namespaces/bellman-system/secrets/bellman-membership';
  const data = o.api.get(path)?.data as { keys: string };
  const line = Buffer.from(data.keys, 'base64').toString('utf8');
  assert.equal(Buffer.from(line, 'base64').length, 32);
  await o.stop();
  await o.start();
  assert.deepEqual(o.api.get(path)?.data, data);
  await o.stop();
});

test('limits per namespace are in the metrics', async () => {
  const o = await office(pool('a', '192.0.2.0/28', 'limit-per-namespace: 2'));
  for (const name of ['one', 'two', 'three']) o.service(name);
  await o.pass();
  assert.equal(await o.metric('bellman_allocator_namespace_limit', { pool: 'a' }), 2);
  assert.equal(
    await o.metric('bellman_allocator_namespace_addresses_in_use_total', { pool: 'a', namespace: 'default' }),
    2,
  );
  assert.deepEqual(o.addresses('three'), []);
  await o.stop();
});
