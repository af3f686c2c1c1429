import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeEndpointSlice,
  decodeNode,
  decodeSecret,
  decodeService,
} from '../../../src/kubernetes/decode.ts';
import type { RawObject } from '../../../src/kubernetes/watch.ts';

function raw(metadata: object, rest: object = {}): RawObject {
  return { metadata: { name: 'n', namespace: 'ns', uid: 'u', resourceVersion: '7', ...metadata }, ...rest };
}

test('decodeService() fills in what the API leaves out', () => {
  assert.deepEqual(decodeService(raw({})), {
    namespace: 'ns',
    name: 'n',
    uid: 'u',
    resourceVersion: '7',
    labels: {},
    annotations: {},
    createdAtMs: 0,
    deleting: false,
    type: 'ClusterIP',
    clusterIPs: [],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    externalTrafficPolicy: 'Cluster',
    ports: [],
    selector: {},
    ingress: [],
  });
});

test('decodeService() reads what matters, and only ingress entries that carry an address', () => {
  const service = decodeService(
    raw(
      { creationTimestamp: '2026-01-02T03:04:05Z', deletionTimestamp: '2026-01-02T03:04:06Z' },
      {
        spec: {
          type: 'LoadBalancer',
          loadBalancerClass: 'c',
          loadBalancerIP: '192.0.2.1',
          clusterIPs: ['10.0.0.1', 'fd00::1'],
          ipFamilies: ['IPv6', 'IPv4'],
          ipFamilyPolicy: 'RequireDualStack',
          externalTrafficPolicy: 'Local',
          ports: [{ port: 53, protocol: 'UDP', name: 'dns' }, { port: 80 }],
          selector: { app: 'x' },
        },
        status: { loadBalancer: { ingress: [{ hostname: 'h' }, { ip: '192.0.2.1', ipMode: 'VIP' }] } },
      },
    ),
  );
  assert.equal(service.createdAtMs, Date.UTC(2026, 0, 2, 3, 4, 5));
  assert.equal(service.deleting, true);
  assert.equal(service.loadBalancerClass, 'c');
  assert.deepEqual(service.ports, [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 80 },
  ]);
  assert.deepEqual(service.ingress, [{ ip: '192.0.2.1', ipMode: 'VIP' }]);
  assert.equal(service.externalTrafficPolicy, 'Local');
});

test('decodeNode() knows readiness, network, cordon and addresses', () => {
  const node = decodeNode(
    raw(
      { namespace: undefined },
      {
        spec: { unschedulable: true },
        status: {
          conditions: [
            { type: 'Ready', status: 'True' },
            { type: 'NetworkUnavailable', status: 'True' },
          ],
          addresses: [
            { type: 'Hostname', address: 'n' },
            { type: 'InternalIP', address: '10.0.0.9' },
          ],
        },
      },
    ),
  );
  assert.deepEqual(
    [node.ready, node.networkUnavailable, node.unschedulable, node.internalIPs],
    [true, true, true, ['10.0.0.9']],
  );
  assert.equal(decodeNode(raw({}, { status: {} })).ready, false);
});

test('decodeEndpointSlice() takes unknown conditions as the API documents them', () => {
  const slice = decodeEndpointSlice(
    raw(
      { labels: { 'kubernetes.io/service-name': 'web' } },
      {
        addressType: 'IPv6',
        endpoints: [
          { addresses: ['fd00::1'] },
          {
            addresses: ['fd00::2'],
            nodeName: 'a',
            conditions: { ready: false, serving: true, terminating: true },
          },
          { addresses: ['fd00::3'], conditions: { ready: false } },
        ],
      },
    ),
  );
  assert.deepEqual(
    slice?.endpoints.map(({ ready, serving, terminating }) => [ready, serving, terminating]),
    [
      [true, true, false],
      [false, true, true],
      [false, false, false],
    ],
  );
  assert.equal(slice?.serviceName, 'web');
});

test('decodeEndpointSlice() leaves out slices of names and of no Service', () => {
  const labels = { 'kubernetes.io/service-name': 'web' };
  assert.equal(decodeEndpointSlice(raw({ labels }, { addressType: 'FQDN' })), undefined);
  assert.equal(decodeEndpointSlice(raw({}, { addressType: 'IPv4' })), undefined);
});

test('decodeSecret() decodes base64', () => {
  const secret = decodeSecret(raw({}, { data: { password: 'c2VjcmV0' } }));
  assert.equal(Buffer.from(secret.data.password ?? []).toString(), 'secret');
});
