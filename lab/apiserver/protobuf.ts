/**
 * Reads the few kinds that kubectl sends as protobuf (`kubectl create KIND`, `kubectl drain`). Clients send everything else as JSON. There
 * is no encoder, because every client accepts JSON responses.
 *
 *   "k8s\0" | Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: the object }
 *
 * A field is a key, `number << 3 | wire type`, and a value: a varint (type 0), or a length and octets (type 2). Kubernetes encodes a field
 * that is not a pointer even when it is empty, so an empty value counts as absent. For a pointer to a boolean, false differs from absent.
 */
import { ApiProblem } from './problem.ts';
import type { KubernetesObject } from './resources.ts';

type Leaf = 'string' | 'integer' | 'pointerToBoolean' | 'bytes' | 'integerOrString';
type FieldType =
  | Leaf
  | { readonly message: Schema }
  | { readonly list: Leaf | Schema }
  | { readonly map: 'string' | 'bytes' };
/** Fields by number, from the `.proto` files of k8s.io/api. Fields that no client sends are left out. */
type Schema = Readonly<Record<number, readonly [name: string, type: FieldType]>>;

const metadata: Schema = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  11: ['labels', { map: 'string' }],
  12: ['annotations', { map: 'string' }],
  14: ['finalizers', { list: 'string' }],
};
const servicePort: Schema = {
  1: ['name', 'string'],
  2: ['protocol', 'string'],
  3: ['port', 'integer'],
  4: ['targetPort', 'integerOrString'],
  5: ['nodePort', 'integer'],
  6: ['appProtocol', 'string'],
};
const serviceSpec: Schema = {
  1: ['ports', { list: servicePort }],
  2: ['selector', { map: 'string' }],
  3: ['clusterIP', 'string'],
  4: ['type', 'string'],
  7: ['sessionAffinity', 'string'],
  8: ['loadBalancerIP', 'string'],
  9: ['loadBalancerSourceRanges', { list: 'string' }],
  10: ['externalName', 'string'],
  11: ['externalTrafficPolicy', 'string'],
  17: ['ipFamilyPolicy', 'string'],
  18: ['clusterIPs', { list: 'string' }],
  19: ['ipFamilies', { list: 'string' }],
  20: ['allocateLoadBalancerNodePorts', 'pointerToBoolean'],
  21: ['loadBalancerClass', 'string'],
  22: ['internalTrafficPolicy', 'string'],
};
const deleteOptions: Schema = {
  1: ['gracePeriodSeconds', 'integer'],
  2: ['preconditions', { message: { 1: ['uid', 'string'] } }],
  4: ['propagationPolicy', 'string'],
  5: ['dryRun', { list: 'string' }],
};
const head = ['metadata', { message: metadata }] as const;
const kinds: Readonly<Record<string, Schema>> = {
  ConfigMap: {
    1: head,
    2: ['data', { map: 'string' }],
    3: ['binaryData', { map: 'bytes' }],
    4: ['immutable', 'pointerToBoolean'],
  },
  DeleteOptions: deleteOptions,
  Namespace: { 1: head },
  Secret: {
    1: head,
    2: ['data', { map: 'bytes' }],
    3: ['type', 'string'],
    4: ['stringData', { map: 'string' }],
    5: ['immutable', 'pointerToBoolean'],
  },
  Service: { 1: head, 2: ['spec', { message: serviceSpec }] },
  ServiceAccount: { 1: head },
};

type WireValue = number | Buffer;

/** Throws 415 for an unknown kind and 400 for octets that are not protobuf. */
export function decodeProtobuf(body: Buffer): KubernetesObject {
  if (body.toString('latin1', 0, 4) !== 'k8s\0') throw unreadable();
  const envelope = fieldsOf(body.subarray(4));
  const type = fieldsOf(octets(envelope.get(1)));
  const kind = octets(type.get(2)).toString('utf8');
  const schema = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (!schema)
    throw new ApiProblem(
      415,
      'UnsupportedMediaType',
      `the lab reads a ${kind} only as JSON: use kubectl apply or kubectl create -f`,
    );
  const apiVersion = octets(type.get(1)).toString('utf8');
  return { apiVersion, kind, ...messageOf(schema, octets(envelope.get(2))) } as KubernetesObject;
}

function messageOf(schema: Schema, body: Buffer): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const [number, values] of fieldsOf(body)) {
    const [name, type] = schema[number] ?? [];
    if (name === undefined || type === undefined) continue;
    const value = fieldValue(type, values);
    if (!isEmpty(value) || type === 'pointerToBoolean') message[name] = value;
  }
  return message;
}

function fieldValue(type: FieldType, values: readonly WireValue[]): unknown {
  if (typeof type === 'string') return leafOf(type, values.at(-1) ?? 0);
  if ('message' in type) return messageOf(type.message, octets(values));
  if ('list' in type) {
    const { list } = type;
    return values.map((value) =>
      typeof list === 'string' ? leafOf(list, value) : messageOf(list, octets([value])),
    );
  }
  return Object.fromEntries(
    values.map((entry) => {
      const pair = fieldsOf(octets([entry]));
      return [octets(pair.get(1)).toString('utf8'), leafOf(type.map, octets(pair.get(2)))];
    }),
  );
}

function leafOf(type: Leaf, value: WireValue): unknown {
  switch (type) {
    case 'string':
      return octets([value]).toString('utf8');
    // JSON carries octets as base64.
    case 'bytes':
      return octets([value]).toString('base64');
    case 'integerOrString': {
      const choice = fieldsOf(octets([value]));
      return choice.get(1)?.[0] === 1 ? octets(choice.get(3)).toString('utf8') : choice.get(2)?.[0];
    }
    case 'pointerToBoolean':
      return value !== 0;
    case 'integer':
      return Number(value);
  }
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === '' ||
    value === 0 ||
    (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  );
}

/** The last occurrence of a field of octets; empty when the field is absent. */
function octets(values: readonly WireValue[] | undefined): Buffer {
  const value = values?.at(-1) ?? Buffer.alloc(0);
  if (typeof value === 'number') throw unreadable();
  return value;
}

function fieldsOf(body: Buffer): Map<number, WireValue[]> {
  const fields = new Map<number, WireValue[]>();
  for (let offset = 0; offset < body.length; ) {
    const [key, afterKey] = varint(body, offset);
    const [numberOrLength, start] = varint(body, afterKey);
    const number = key >>> 3;
    let value: WireValue = numberOrLength;
    offset = start;
    if ((key & 7) === 2) {
      offset = start + numberOrLength;
      if (offset > body.length) throw unreadable();
      value = body.subarray(start, offset);
    } else if ((key & 7) !== 0) throw unreadable();
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function varint(body: Buffer, start: number): [value: number, next: number] {
  let value = 0;
  for (let offset = start, scale = 1; offset < Math.min(body.length, start + 10); offset++, scale *= 128) {
    const octet = body.readUInt8(offset);
    value += (octet & 127) * scale;
    if (octet < 128) return [value, offset + 1];
  }
  throw unreadable();
}

function unreadable(): ApiProblem {
  return new ApiProblem(400, 'BadRequest', 'the body is not Kubernetes protobuf');
}
