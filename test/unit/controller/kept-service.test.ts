import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptService } from '../../../src/controller/services/kept-service.ts';
import { decodeService } from '../../../src/kubernetes/decode.ts';

function service(type: string, annotations: Readonly<Record<string, string>>, status: object = {}) {
  return decodeService({
    metadata: { name: 'web', namespace: 'default', annotations },
    ...{ spec: { type }, status },
  } as Parameters<typeof decodeService>[0]);
}

test('keptService() keeps the annotations of Bellman and MetalLB, and no others', () => {
  const own = {
    'bellman.dev/address-pool': 'a',
    'metallb.universe.tf/allow-shared-ip': 'b',
    'metallb.io/loadBalancerIPs': 'c',
  };
  const applied = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'bellman.example.org/x': 'y' };
  assert.deepEqual(keptService(service('LoadBalancer', { ...own, ...applied }))?.annotations, own);
  assert.deepEqual(keptService(service('LoadBalancer', applied))?.annotations, {});
});

test('keptService() leaves out a Service that is no load balancer, unless it shows something to remove', () => {
  assert.equal(keptService(service('ClusterIP', { other: 'x' })), undefined);
  assert.ok(keptService(service('ClusterIP', { 'bellman.dev/ip-allocated-from-pool': 'public' })));
  assert.ok(keptService(service('ClusterIP', {}, { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } })));
});
