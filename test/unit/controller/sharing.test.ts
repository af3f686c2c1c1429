/** Checks which Services may share an address, which Service keeps it after a change, and what a refusal reveals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControllerHarness, config, pool } from './controller-harness.ts';

const one = '192.0.2.0-192.0.2.0';
const key = { 'bellman.dev/allow-shared-ip': 'k' };
const port = (number: number) => ({ ports: [{ port: number, protocol: 'TCP' }] });

async function started(...pools: string[]): Promise<ControllerHarness> {
  const harness = new ControllerHarness();
  harness.api.put('/api/v1/namespaces/other', { metadata: { name: 'other' } });
  harness.editConfig(config(...pools));
  await harness.start();
  return harness;
}

type Edit = Parameters<ControllerHarness['service']>[1];
const openings: readonly (readonly [string, Edit, Edit])[] = [
  ['gains the sharing key', { ...port(80) }, { annotations: key }],
  ['gives up the port that both use', { annotations: key, ...port(81) }, port(80)],
  [
    'changes from Local to Cluster',
    { annotations: key, ...port(80), externalTrafficPolicy: 'Local', selector: { app: 'x' } },
    { externalTrafficPolicy: 'Cluster' },
  ],
];
for (const [name, before, change] of openings)
  test(`a waiting Service is served when the holder of the only address ${name}`, async () => {
    const harness = await started(pool('a', one));
    harness.service('holder', before);
    await harness.pass();
    harness.service('waiter', { annotations: key, ...port(81) });
    await harness.pass();
    assert.deepEqual(harness.addresses('waiter'), []);
    harness.service('holder', change);
    await harness.pass();
    assert.deepEqual(harness.addresses('holder'), ['192.0.2.0']);
    assert.deepEqual(harness.addresses('waiter'), ['192.0.2.0']);
    await harness.stop();
  });

test('without share-across-namespaces a sharing key works only within a namespace, and the refusal names no Service of another namespace', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('victim', { annotations: { 'bellman.dev/allow-shared-ip': 'secret-key' }, ...port(80) });
  await harness.pass();
  harness.service('other/thief', {
    annotations: { 'bellman.dev/allow-shared-ip': 'secret-key' },
    loadBalancerIP: '192.0.2.0',
    ...port(443),
  });
  await harness.pass();
  assert.deepEqual(harness.addresses('other/thief'), []);
  const [refusal = ''] = harness.events('thief');
  assert.match(refusal, /in use by a Service of another namespace/);
  assert.doesNotMatch(refusal, /victim|secret-key/);
  await harness.stop();
});

test('without share-across-namespaces a Service joins no address of another namespace, even with the same key', async () => {
  const harness = await started(pool('a', '192.0.2.0/28'));
  harness.service('one', { annotations: key, ...port(80) });
  harness.service('other/two', { annotations: key, ...port(81) });
  await harness.pass();
  assert.deepEqual(harness.addresses('other/two'), ['192.0.2.1']);
  await harness.stop();
});

test('a pool with share-across-namespaces lets Services of two namespaces share, without a warning', async () => {
  const harness = await started(pool('a', '192.0.2.0/28', 'share-across-namespaces: true'));
  harness.service('one', { annotations: key, ...port(80) });
  harness.service('other/two', { annotations: key, ...port(81) });
  await harness.pass();
  assert.deepEqual(harness.addresses('other/two'), ['192.0.2.0']);
  assert.ok(!harness.events().some((event) => event.startsWith('SharedAcrossNamespaces')));
  await harness.stop();
});

test('existing sharing across namespaces stays, with one warning that names no Service of another namespace', async () => {
  const harness = new ControllerHarness();
  harness.api.put('/api/v1/namespaces/other', { metadata: { name: 'other' } });
  harness.editConfig(config(pool('a', '192.0.2.0/28')));
  const annotations = {
    'metallb.universe.tf/allow-shared-ip': 'k',
    'metallb.universe.tf/ip-allocated-from-pool': 'a',
  };
  harness.service('one', { annotations, ...port(80) });
  harness.service('other/two', { annotations, ...port(81) });
  harness.setStatus('one', ['192.0.2.7']);
  harness.setStatus('other/two', ['192.0.2.7']);
  await harness.start();
  assert.deepEqual(harness.addresses('one'), ['192.0.2.7']);
  assert.deepEqual(harness.addresses('other/two'), ['192.0.2.7']);
  const warnings = harness.events('two').filter((event) => event.startsWith('SharedAcrossNamespaces'));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /192\.0\.2\.7 of pool a.*share-across-namespaces/);
  assert.doesNotMatch(warnings[0] ?? '', /default\/one/);
  harness.service('one', { annotations: { 'example.com/touched': 'yes' } });
  await harness.pass();
  assert.deepEqual(harness.addresses('other/two'), ['192.0.2.7'], 'the sharing stays after a change');
  await harness.stop();
  await harness.start();
  assert.deepEqual(harness.addresses('other/two'), ['192.0.2.7'], 'the sharing stays after a restart');
  harness.service('other/three', { annotations, loadBalancerIP: '192.0.2.7', ...port(82) });
  await harness.pass();
  assert.deepEqual(harness.addresses('other/three'), [], 'no further Service joins from another namespace');
  await harness.stop();
});

for (const [changed, ports] of [
  ['holder', [80, 443]],
  ['guest', [443, 80]],
] as const)
  test(`the first holder keeps a shared address and the guest gets another address, when the ${changed} takes a port of the other Service`, async () => {
    const harness = await started(pool('a', '192.0.2.0/28', 'share-across-namespaces: true'));
    harness.service('holder', { annotations: key, ...port(80) });
    await harness.pass();
    harness.service('other/guest', { annotations: key, ...port(443) });
    await harness.pass();
    assert.deepEqual(harness.addresses('other/guest'), ['192.0.2.0']);
    const name = changed === 'holder' ? 'holder' : 'other/guest';
    harness.service(name, {
      ports: ports.map((number) => ({ port: number, protocol: 'TCP', name: `p${number}` })),
    });
    await harness.pass();
    assert.deepEqual(harness.addresses('holder'), ['192.0.2.0']);
    assert.deepEqual(harness.addresses('other/guest'), ['192.0.2.1']);
    await harness.stop();
  });
