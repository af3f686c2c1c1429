import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RawObject } from '../../../src/kubernetes/api.ts';
import {
  decodeConfigMap,
  decodeEndpointSlice,
  decodeNamespace,
  decodeNode,
  decodeSecret,
  decodeService,
  decodeSpeakerPod,
} from '../../../src/kubernetes/decode.ts';
import { InvalidObject } from '../../../src/kubernetes/object-reader.ts';

function raw(metadata: object, rest: object = {}): RawObject {
  return { metadata: { name: 'n', namespace: 'ns', uid: 'u', resourceVersion: '7', ...metadata }, ...rest };
}

test('decodeService() fills absent fields with the defaults of Kubernetes', () => {
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
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    externalTrafficPolicy: 'Cluster',
    ports: [],
    selector: {},
    ingress: [],
  });
});

test('decodeService() reads every field of the model, and leaves out ingress entries without an IP address', () => {
  const service = decodeService(
    raw(
      { creationTimestamp: '2026-01-02T03:04:05Z', deletionTimestamp: '2026-01-02T03:04:06Z' },
      {
        spec: {
          type: 'LoadBalancer',
          loadBalancerClass: 'c',
          loadBalancerIP: '192.0.2.1',
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
  const { type, loadBalancerClass, loadBalancerIP, ipFamilies, ipFamilyPolicy, selector } = service;
  assert.deepEqual(
    { type, loadBalancerClass, loadBalancerIP, ipFamilies, ipFamilyPolicy, selector },
    {
      type: 'LoadBalancer',
      loadBalancerClass: 'c',
      loadBalancerIP: '192.0.2.1',
      ipFamilies: ['IPv6', 'IPv4'],
      ipFamilyPolicy: 'RequireDualStack',
      selector: { app: 'x' },
    },
  );
  assert.deepEqual(service.ports, [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 80 },
  ]);
  assert.deepEqual(service.ingress, [{ ip: '192.0.2.1', ipMode: 'VIP' }]);
  assert.equal(service.externalTrafficPolicy, 'Local');
});

test('decodeNode() reads the conditions Ready and NetworkUnavailable, the cordon and the internal IP addresses', () => {
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

test('decodeNode() keeps the conditions that Bellman reads, and no others', () => {
  const types = [
    'MemoryPressure',
    'Ready',
    'MaintenancePlanned',
    'MaintenanceInProgress',
    'DrainInProgress',
    'Drained',
    'GracefulNodeShutdownInProgress',
  ];
  const node = decodeNode(
    raw({}, { status: { conditions: types.map((type) => ({ type, status: 'True' })) } }),
  );
  assert.deepEqual(
    node.conditions.map(({ type }) => type),
    types.slice(1),
  );
});

test('decodeEndpointSlice() gives absent conditions the values that the API documents', () => {
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

test('decodeEndpointSlice() leaves out slices of host names and slices without a Service', () => {
  const labels = { 'kubernetes.io/service-name': 'web' };
  assert.equal(decodeEndpointSlice(raw({ labels }, { addressType: 'FQDN' })), undefined);
  assert.equal(decodeEndpointSlice(raw({}, { addressType: 'IPv4' })), undefined);
});

test('decodeSecret() decodes base64', () => {
  const secret = decodeSecret(raw({}, { data: { password: 'c2VjcmV0' } }));
  assert.equal(Buffer.from(secret.data.password ?? []).toString(), 'secret');
});

for (const { field, decode } of [
  { field: 'metadata.labels', decode: () => decodeService(raw({ labels: 5 })) },
  { field: 'metadata.annotations', decode: () => decodeService(raw({ annotations: { a: 5 } })) },
  { field: 'spec', decode: () => decodeService(raw({}, { spec: 'LoadBalancer' })) },
  { field: 'spec.ipFamilies', decode: () => decodeService(raw({}, { spec: { ipFamilies: [5] } })) },
  { field: 'spec.ports', decode: () => decodeService(raw({}, { spec: { ports: { port: 80 } } })) },
  {
    field: 'spec.ports[1].port',
    decode: () => decodeService(raw({}, { spec: { ports: [{}, { port: '80' }] } })),
  },
  { field: 'spec.ipFamilies', decode: () => decodeService(raw({}, { spec: { ipFamilies: ['IPv5'] } })) },
  { field: 'status.conditions', decode: () => decodeNode(raw({}, { status: { conditions: 'Ready' } })) },
  { field: 'spec.unschedulable', decode: () => decodeNode(raw({}, { spec: { unschedulable: 'yes' } })) },
  { field: 'data', decode: () => decodeConfigMap(raw({}, { data: { config: {} } })) },
  { field: 'data', decode: () => decodeSecret(raw({}, { data: { keys: 5 } })) },
  { field: 'metadata.name', decode: () => decodeNamespace(raw({ name: undefined })) },
])
  test(`decoders throw InvalidObject with the path of the invalid field ${field}`, () => {
    assert.throws(
      decode,
      (error) => error instanceof InvalidObject && error.message.startsWith(`${field} is `),
    );
  });

test('decoders return a value or throw InvalidObject for arbitrary objects', () => {
  const decoders = [
    decodeConfigMap,
    decodeEndpointSlice,
    decodeNamespace,
    decodeNode,
    decodeSecret,
    decodeService,
    decodeSpeakerPod,
  ];
  const anything = fc.anything({ maxDepth: 2 });
  const allOptional: { requiredKeys: [] } = { requiredKeys: [] };
  /** Lists of objects with these fields, and sometimes anything else in place of the list, of an object or of a field. */
  const lists = (...names: readonly string[]) => {
    const field = fc.oneof(fc.string(), fc.integer(), fc.boolean(), anything);
    const object = fc.record(Object.fromEntries(names.map((name) => [name, field])), allOptional);
    return fc.oneof(
      fc.array(fc.oneof({ weight: 4, arbitrary: object }, anything), { maxLength: 3 }),
      anything,
    );
  };
  const labels = { 'kubernetes.io/service-name': 'web' };
  const hostile = fc.record(
    {
      metadata: fc.oneof(
        { weight: 4, arbitrary: fc.constant({ name: 'n', namespace: 'ns', labels }) },
        fc.record({ name: fc.constant('n'), labels: anything, annotations: anything }, allOptional),
        anything,
      ),
      addressType: fc.oneof({ weight: 3, arbitrary: fc.constantFrom('IPv4', 'IPv6') }, anything),
      spec: fc.record(
        {
          ports: lists('name', 'protocol', 'port'),
          taints: lists('key', 'value', 'effect', 'timeAdded'),
          ipFamilies: anything,
          selector: anything,
          nodeName: anything,
        },
        allOptional,
      ),
      status: fc.record(
        {
          conditions: lists('type', 'status', 'reason', 'message', 'lastTransitionTime'),
          addresses: lists('type', 'address'),
          loadBalancer: fc.oneof(fc.record({ ingress: lists('ip', 'ipMode') }), anything),
          podIPs: lists('ip'),
        },
        allOptional,
      ),
      data: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.dictionary(fc.string(), anything), anything),
      endpoints: lists('addresses', 'nodeName', 'conditions'),
    },
    allOptional,
  );
  const returned = new Set<string>();
  fc.assert(
    fc.property(hostile, (value) => {
      for (const decode of decoders)
        try {
          if (decode(value as unknown as RawObject) !== undefined) returned.add(decode.name);
        } catch (error) {
          assert.ok(error instanceof InvalidObject, String(error));
        }
    }),
    { numRuns: 1000 },
  );
  assert.equal(returned.size, decoders.length, 'each decoder has decoded some of the objects');
});
