/** Defaults and validation of all kinds except Services. They follow the answers of Kubernetes in `test/e2e/apiserver-answers.json`. */
import { isIPv4, isIPv6 } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { invalid, requireOneOf, undecodable } from './invalid.ts';
import { field, type KubernetesObject, type Resource } from './resources.ts';

/** Completes an object, or throws the answer to an invalid one. In an update, `before` is the stored object. */
export type Admit = (
  resource: Resource,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
) => KubernetesObject;

type Fields = Record<string, unknown>;

/** The most bytes that all values of a ConfigMap or a Secret may have together. The values of a Secret count without their base64 encoding. */
const maxDataBytes = 1_048_576;
/** A time with microseconds. In a field of the type MicroTime, the server accepts no other form. */
const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/;

function dataOf(resource: Resource, object: KubernetesObject): [string, string][] {
  const entries = Object.entries((object.data ?? {}) as Fields);
  const { name } = object.metadata;
  for (const [key, value] of entries) {
    if (!/^[-._a-zA-Z0-9]+$/.test(key))
      throw invalid(resource, name, `data[${key}]: Invalid value: "${key}"`);
    if (typeof value !== 'string') throw undecodable(`data.${key}: expected a string`);
  }
  return entries as [string, string][];
}

function checkSize(resource: Resource, name: string, values: readonly (string | Buffer)[]): void {
  if (values.reduce((sum, value) => sum + Buffer.byteLength(value), 0) > maxDataBytes)
    throw invalid(resource, name, `data: Too long: may not be more than ${maxDataBytes} bytes`);
}

const admitConfigMap: Admit = (resource, object) => {
  const values = dataOf(resource, object).map(([, value]) => value);
  checkSize(resource, object.metadata.name, values);
  return object;
};

const admitSecret: Admit = (resource, object, before) => {
  const { stringData, ...rest } = object;
  const { name } = object.metadata;
  const plain = dataOf(resource, { ...rest, data: stringData });
  const data = Object.fromEntries([
    ...dataOf(resource, object),
    ...plain.map(([key, value]) => [key, Buffer.from(value).toString('base64')] as const),
  ]);
  const values = Object.entries(data).map(([key, value]) => {
    const decoded = Buffer.from(value, 'base64');
    if (decoded.toString('base64') !== value) throw undecodable(`data.${key}: illegal base64 data`);
    return decoded;
  });
  checkSize(resource, name, values);
  const secret: KubernetesObject = {
    type: 'Opaque',
    ...rest,
    ...(Object.keys(data).length > 0 ? { data } : {}),
  };
  if (before && before.type !== secret.type)
    throw invalid(resource, name, `type: Invalid value: "${secret.type}": field is immutable`);
  if (before?.immutable === true && JSON.stringify(before.data) !== JSON.stringify(secret.data))
    throw invalid(resource, name, 'data: Forbidden: field is immutable when `immutable` is set');
  return secret;
};

const admitNamespace: Admit = (resource, object) => {
  const { name } = object.metadata;
  if (name.includes('.'))
    throw invalid(resource, name, `metadata.name: Invalid value: "${name}": must not contain dots`);
  return { status: { phase: 'Active' }, ...object };
};

const admitLease: Admit = (resource, object) => {
  const { name } = object.metadata;
  const spec = (object.spec ?? {}) as Fields;
  for (const key of ['acquireTime', 'renewTime'])
    if (spec[key] !== undefined && spec[key] !== null && !microTime.test(String(spec[key])))
      throw undecodable(`spec.${key}: parsing time "${spec[key]}" as a time with microseconds`);
  const duration = spec.leaseDurationSeconds;
  if (duration !== undefined && !(Number(duration) > 0))
    throw invalid(
      resource,
      name,
      `spec.leaseDurationSeconds: Invalid value: ${duration}: must be greater than 0`,
    );
  return object;
};

/** An event of `events.k8s.io`, in its stored form. Apart from the metadata, only its series may change. */
const admitNewEvent: Admit = (resource, object, before) => {
  const { name } = object.metadata;
  const fail = (message: string) => invalid(resource, name, message);
  const { eventTime, message, type, series } = object;
  if (eventTime === undefined || eventTime === null) throw fail('eventTime: Required value');
  if (!microTime.test(String(eventTime)))
    throw undecodable(`eventTime: parsing time "${eventTime}" as a time with microseconds`);
  for (const key of ['reportingComponent', 'reportingInstance', 'action', 'reason'])
    if (!object[key]) throw fail(`${key}: Required value`);
  requireOneOf(resource, name, 'type', type, ['Normal', 'Warning']);
  if (Buffer.byteLength(String(message ?? '')) > 1024) throw fail('note: Too long');
  if (series !== undefined && Number(field(series, 'count')) < 2)
    throw fail('series.count: Invalid value: should be at least 2');
  const fixed = ({ metadata: _, series: __, ...rest }: KubernetesObject) => rest;
  if (before && !isDeepStrictEqual(fixed(before), fixed(object))) throw fail('field is immutable');
  return object;
};

/** An event about an object with a namespace must be in that namespace. */
const admitEvent: Admit = (resource, object, before) => {
  if (resource.group === 'events.k8s.io') return admitNewEvent(resource, object, before);
  const { name, namespace } = object.metadata;
  const about = field(object, 'involvedObject', 'namespace');
  if (about !== undefined && about !== namespace)
    throw invalid(resource, name, 'involvedObject.namespace: Invalid value: does not match event.namespace');
  return { eventTime: null, reportingComponent: '', reportingInstance: '', ...object };
};

const admitPod: Admit = (resource, object) => {
  const { name } = object.metadata;
  const containers = field(object, 'spec', 'containers') as readonly Fields[] | undefined;
  if (!containers || containers.length === 0)
    throw invalid(resource, name, 'spec.containers: Required value');
  for (const [index, { image }] of containers.entries())
    if (!image) throw invalid(resource, name, `spec.containers[${index}].image: Required value`);
  return withConditionTimes(object, 'lastProbeTime', 'lastTransitionTime');
};

const admitNode: Admit = (_, object) => withConditionTimes(object, 'lastHeartbeatTime', 'lastTransitionTime');

/** The server writes `null` for a time that a condition does not have. */
export function withConditionTimes(object: KubernetesObject, ...times: readonly string[]): KubernetesObject {
  const conditions = field(object, 'status', 'conditions') as readonly Fields[] | undefined;
  if (!conditions) return object;
  const absent = Object.fromEntries(times.map((time) => [time, null]));
  const completed = conditions.map((condition) => ({ ...absent, ...condition }));
  return { ...object, status: { ...(object.status as Fields), conditions: completed } };
}

const admitEndpointSlice: Admit = (resource, object, before) => {
  const { name } = object.metadata;
  const { addressType } = object;
  requireOneOf(resource, name, 'addressType', addressType, ['FQDN', 'IPv4', 'IPv6']);
  if (before && before.addressType !== addressType)
    throw invalid(resource, name, `addressType: Invalid value: "${addressType}": field is immutable`);
  const endpoints = (object.endpoints ?? []) as readonly { readonly addresses?: readonly string[] }[];
  const fits = addressType === 'IPv4' ? isIPv4 : addressType === 'IPv6' ? isIPv6 : () => true;
  for (const [index, { addresses = [] }] of endpoints.entries())
    for (const [at, address] of addresses.entries())
      if (!fits(address))
        throw invalid(resource, name, `endpoints[${index}].addresses[${at}]: Invalid value: "${address}"`);
  // The server writes an empty list of endpoints as `null`.
  return { ...object, endpoints: endpoints.length > 0 ? endpoints : null };
};

/** By kind. `services.ts` has the rules for Services. Objects of all other kinds are stored as they come. */
export const admissions: Readonly<Record<string, Admit>> = {
  ConfigMap: admitConfigMap,
  EndpointSlice: admitEndpointSlice,
  Event: admitEvent,
  Lease: admitLease,
  Namespace: admitNamespace,
  Node: admitNode,
  Pod: admitPod,
  Secret: admitSecret,
};
