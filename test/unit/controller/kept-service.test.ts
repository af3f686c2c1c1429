import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceKeeper } from '../../../src/controller/services/kept-service.ts';
import { decodeService } from '../../../src/kubernetes/decode.ts';

function service(
  type: string,
  annotations: Readonly<Record<string, string>>,
  status: object = {},
  spec: object = {},
) {
  return decodeService({
    metadata: { name: 'web', namespace: 'default', annotations },
    ...{ spec: { type, ...spec }, status },
  } as Parameters<typeof decodeService>[0]);
}

const kept = (of: ReturnType<typeof service>) => new ServiceKeeper().kept(of);

test('ServiceKeeper keeps the annotations of Bellman and MetalLB, and no others', () => {
  const own = {
    'bellman.dev/address-pool': 'a',
    'metallb.universe.tf/allow-shared-ip': 'b',
    'metallb.io/loadBalancerIPs': 'c',
  };
  const applied = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'bellman.example.org/x': 'y' };
  assert.deepEqual(kept(service('LoadBalancer', { ...own, ...applied }))?.annotations, own);
  assert.deepEqual(kept(service('LoadBalancer', applied))?.annotations, {});
});

test('ServiceKeeper leaves out a Service that is not a load balancer, unless it still has an address or an annotation of Bellman', () => {
  assert.equal(kept(service('ClusterIP', { other: 'x' })), undefined);
  assert.ok(kept(service('ClusterIP', { 'bellman.dev/ip-allocated-from-pool': 'public' })));
  assert.ok(kept(service('ClusterIP', {}, { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } })));
});

test('ServiceKeeper keeps every field of a load balancer with externalTrafficPolicy Local, including its selector', () => {
  const spec = {
    ...{ loadBalancerClass: 'c', loadBalancerIP: '192.0.2.1', externalTrafficPolicy: 'Local' },
    ...{ ports: [{ name: 'http', port: 80, protocol: 'TCP' }], selector: { app: 'web' } },
    ...{ ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'PreferDualStack' },
  };
  const full = service(
    'LoadBalancer',
    { 'bellman.dev/address-pool': 'a' },
    { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
    spec,
  );
  assert.deepEqual(kept(full), full);
});

test('ServiceKeeper leaves out the selector of a Service whose traffic may go to any node', () => {
  const of = service('LoadBalancer', {}, {}, { selector: { app: 'web' } });
  assert.deepEqual(kept(of)?.selector, {});
});

test('ServiceKeeper keeps one copy of equal lists of ports, and one of equal lists of IP families', () => {
  const keeper = new ServiceKeeper();
  const one = keeper.kept(service('LoadBalancer', {}, {}, { ports: [{ port: 80 }] }));
  const two = keeper.kept(service('LoadBalancer', {}, {}, { ports: [{ port: 80 }] }));
  const other = keeper.kept(service('LoadBalancer', {}, {}, { ports: [{ port: 81 }] }));
  assert.equal(one?.ports, two?.ports);
  assert.equal(one?.ipFamilies, two?.ipFamilies);
  assert.notDeepEqual(one?.ports, other?.ports);
});

test('ServiceKeeper shares equal annotations and conditions, but no annotations that contain an announcing record', () => {
  const keeper = new ServiceKeeper();
  const condition = {
    ...{ type: 'bellman.dev/AddressAssigned', status: 'True', reason: 'Assigned', message: 'It has.' },
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const of = (annotations: Readonly<Record<string, string>>) =>
    keeper.kept(service('LoadBalancer', annotations, { conditions: [condition] }));
  const pool = { 'bellman.dev/ip-allocated-from-pool': 'public' };
  assert.equal(of(pool)?.annotations, of({ ...pool, other: 'x' })?.annotations);
  assert.equal(of(pool)?.conditions, of({})?.conditions);
  assert.deepEqual(of(pool)?.conditions, [condition]);
  const announced = { ...pool, 'bellman.dev/announcing': '192.0.2.1=node-1/eth0' };
  assert.deepEqual(of(announced)?.annotations, announced);
  assert.notEqual(of(announced)?.annotations, of(announced)?.annotations);
});

test('ServiceKeeper forgets lists of ports before they take much memory, however long each is', () => {
  const keeper = new ServiceKeeper();
  const portsOf = (first: number) => {
    const ports = Array.from({ length: 20_000 }, (_, i) => ({ port: first + i, protocol: 'TCP' }));
    return keeper.kept(service('LoadBalancer', {}, {}, { ports }))?.ports;
  };
  const first = portsOf(1);
  assert.equal(portsOf(1), first);
  for (let i = 2; i < 10; i++) portsOf(i);
  assert.notEqual(portsOf(1), first);
});
