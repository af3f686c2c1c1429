/**
 * Fuzzes the reading of Kubernetes API bodies: pages of lists and lines of watches, with objects of every kind that
 * `src/kubernetes/decode.ts` decodes. In most inputs, a field of a valid object has another value or is missing, or the text of the body is
 * changed.
 *
 * Each body is decoded, or its decoding throws one of the errors that the watch handles. Decoded objects are plain data.
 */
import assert from 'node:assert/strict';
import { decodeDeathReport } from '../../src/cluster/death-report.ts';
import type { RawObject } from '../../src/kubernetes/api.ts';
import { ApiError } from '../../src/kubernetes/api-error.ts';
import {
  decodeConfigMap,
  decodeEndpointSlice,
  decodeNamespace,
  decodeNode,
  decodeSecret,
  decodeService,
  decodeSpeakerPod,
} from '../../src/kubernetes/decode.ts';
import { InvalidObject } from '../../src/kubernetes/object-reader.ts';
import { readListPage, readRawObject, readWatchEvent } from '../../src/kubernetes/watch-event.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const metadata = {
  name: 'web',
  namespace: 'default',
  uid: '6a8f3f1e-0000-4000-8000-000000000000',
  resourceVersion: '1234',
  creationTimestamp: '2026-01-02T03:04:05Z',
  labels: { 'kubernetes.io/service-name': 'web' },
  annotations: { 'bellman.dev/address-pool': 'public' },
};

const kinds: readonly { readonly sound: Json; readonly decode: (object: RawObject) => unknown }[] = [
  {
    decode: decodeService,
    sound: {
      metadata: { ...metadata, deletionTimestamp: '2026-01-02T03:04:06Z' },
      spec: {
        type: 'LoadBalancer',
        loadBalancerClass: 'bellman.dev/bellman',
        loadBalancerIP: '192.0.2.1',
        clusterIPs: ['10.0.0.1', 'fd00::1'],
        ipFamilies: ['IPv4', 'IPv6'],
        ipFamilyPolicy: 'PreferDualStack',
        externalTrafficPolicy: 'Local',
        ports: [{ name: 'dns', port: 53, protocol: 'UDP', nodePort: 30_053 }],
        selector: { app: 'web' },
      },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP' }] } },
    },
  },
  {
    decode: decodeNode,
    sound: {
      metadata,
      spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] },
      status: {
        addresses: [{ type: 'InternalIP', address: '192.0.2.10' }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    },
  },
  {
    decode: decodeEndpointSlice,
    sound: {
      metadata,
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.0.0.7'], nodeName: 'node-1', conditions: { ready: true, serving: true } },
      ],
    },
  },
  {
    decode: decodeDeathReport,
    sound: {
      metadata: { ...metadata, name: 'speaker-node-1', annotations: { 'bellman.dev/dead-nodes': 'node-2' } },
    },
  },
  { decode: decodeNamespace, sound: { metadata } },
  { decode: decodeConfigMap, sound: { metadata, data: { config: 'peers: []' } } },
  { decode: decodeSecret, sound: { metadata, data: { password: 'c2VjcmV0' } } },
  {
    decode: decodeSpeakerPod,
    sound: { metadata, spec: { nodeName: 'node-1' }, status: { podIPs: [{ ip: '10.0.0.7' }] } },
  },
];

const replacements: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  'x',
  '\u0000',
  '\ud800',
  'x'.repeat(70_000),
  [],
  [null],
  [[]],
  {},
  { name: {} },
  { '': '' },
];

export const kubernetesBodies: FuzzTarget = {
  name: 'kubernetes-bodies',
  weight: 20,
  budget: { cpuMs: 10, heapOctets: 8 * 1024 * 1024 },
  expectedVerdicts: ['decoded', 'invalid object', 'not JSON'],
  run(random, meter) {
    const { sound, decode } = random.pick(kinds);
    const object = random.oneIn(4) ? sound : withOtherField(sound, random);
    const text = JSON.stringify(bodyOf(object, random));
    const line = random.oneIn(3) ? changedText(text, random) : text;
    try {
      const decoded = meter.measure(() => decodeBody(line).map(decode));
      // Throws when an object holds something that is not data, such as a function.
      structuredClone(decoded);
      return 'decoded';
    } catch (error) {
      return verdictOf(error);
    }
  },
};

function bodyOf(object: Json, random: Random): Json {
  if (random.oneIn(3))
    return { metadata: { resourceVersion: '1234', continue: 'token' }, items: [object, object] };
  return { type: random.pick(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR', 'OTHER']), object };
}

/** The objects of a list or of a watch event. */
function decodeBody(line: string): RawObject[] {
  if (line.startsWith('{"metadata"')) return readListPage(JSON.parse(line)).items.map(readRawObject);
  const event = readWatchEvent(line);
  return event.kind === 'bookmark' ? [] : [event.object];
}

function changedText(text: string, random: Random): string {
  return Buffer.from(mutate(Buffer.from(text.slice(0, 2000)), random)).toString();
}

/** The value with one field, at any depth, replaced or removed. */
function withOtherField(value: Json, random: Random): Json {
  if (typeof value !== 'object' || value === null || random.oneIn(5)) return random.pick(replacements);
  const entries: [string, Json][] = Object.entries(value);
  if (entries.length === 0) return random.pick(replacements);
  const at = random.below(entries.length);
  const changed = entries.flatMap(([key, item], index): [string, Json][] => {
    if (index !== at) return [[key, item]];
    return random.oneIn(8) ? [] : [[key, withOtherField(item, random)]];
  });
  return Array.isArray(value) ? changed.map(([, item]) => item) : Object.fromEntries(changed);
}

function verdictOf(error: unknown): string {
  if (error instanceof InvalidObject) return 'invalid object';
  if (error instanceof ApiError) return 'API error';
  if (error instanceof SyntaxError) return 'not JSON';
  if (error instanceof TypeError && error.message.startsWith('unknown type of watch event'))
    return 'unknown event';
  assert.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
