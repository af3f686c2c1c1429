import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint, EndpointSlice } from '../../../../src/kubernetes/model.ts';
import { keptService, SliceKeeper } from '../../../../src/speaker/plan/kept-objects.ts';
import { service } from '../fixtures.ts';

test('keptService() keeps the announcing record, and drops annotations that the speaker does not need', () => {
  const kept = keptService({
    ...service('web', ['192.0.2.1']),
    annotations: { 'bellman.dev/announcing': '192.0.2.1=a/eth0', other: 'x'.repeat(1000) },
  });
  assert.deepEqual(kept?.annotations, { 'bellman.dev/announcing': '192.0.2.1=a/eth0' });
  assert.deepEqual(kept?.ingress, [{ ip: '192.0.2.1' }]);
  assert.equal('selector' in (kept ?? {}), false);
});

test('keptService() leaves out a Service that is not a load balancer, unless it carries a record to remove', () => {
  const plain = { ...service('web', []), type: 'ClusterIP', annotations: { other: 'x' } };
  assert.equal(keptService(plain), undefined);
  const annotations = { 'bellman.dev/announcing': '192.0.2.1=a/eth0' };
  assert.deepEqual(keptService({ ...plain, annotations })?.annotations, annotations);
});

test('SliceKeeper drops the addresses of endpoints, keeps one of the endpoints that are then equal, and shares equal lists', () => {
  const keeper = new SliceKeeper();
  const endpoint = (nodeName: string, address: string, over: Partial<Endpoint> = {}): Endpoint => ({
    addresses: [address],
    nodeName,
    ...{ ready: true, serving: true, terminating: false },
    ...over,
  });
  const slice = (name: string, endpoints: readonly Endpoint[]): EndpointSlice => ({
    ...{ namespace: 'default', name, serviceName: 'web', family: 'IPv4' },
    endpoints,
  });
  const one = keeper.kept(
    slice('web-1', [
      endpoint('a', '10.0.0.1'),
      endpoint('a', '10.0.0.2'),
      endpoint('b', '10.0.0.3', { ready: false, terminating: true }),
    ]),
  );
  assert.deepEqual(one.endpoints, [
    { nodeName: 'a', ready: true, serving: true, terminating: false },
    { nodeName: 'b', ready: false, serving: true, terminating: true },
  ]);
  const two = keeper.kept(
    slice('web-2', [
      endpoint('b', '10.0.0.9', { ready: false, terminating: true }),
      endpoint('a', '10.0.0.8'),
    ]),
  );
  assert.equal(two.endpoints, one.endpoints);
  assert.notEqual(keeper.kept(slice('web-3', [endpoint('a', '10.0.0.8')])).endpoints, one.endpoints);
});

test('SliceKeeper forgets lists before they take much memory, however long each is', () => {
  const keeper = new SliceKeeper();
  const listOf = (first: number) =>
    keeper.kept({
      ...{ namespace: 'default', name: 'web', serviceName: 'web', family: 'IPv4' },
      endpoints: Array.from({ length: 1000 }, (_, i) => ({
        addresses: [],
        nodeName: `${'n'.repeat(240)}-${first + i}`,
        ...{ ready: true, serving: true, terminating: false },
      })),
    }).endpoints;
  const first = listOf(0);
  assert.equal(listOf(0), first);
  // The lists are about as long as Kubernetes allows: 1000 endpoints in a slice, and 253 characters in the name of a node.
  for (let i = 1; i < 20; i++) listOf(i);
  assert.notEqual(listOf(0), first);
});
