/**
 * Converts API objects, as the server sends them, to the plain models. Absent fields get Kubernetes' own defaults, so that no other
 * code has to know them. Fields of the wrong type throw {@link InvalidObject}.
 */
import type { RawObject } from './api.ts';
import {
  type ConfigMap,
  type EndpointSlice,
  type IngressAddress,
  type IpFamilyName,
  keptNodeConditions,
  type Namespace,
  type Node,
  type NodeCondition,
  type ObjectKey,
  type Secret,
  type Service,
  type ServiceCondition,
  type ServicePort,
  type SpeakerPod,
  serviceConditionTypes,
  serviceNameLabel,
  type Taint,
} from './model.ts';
import { InvalidObject, ObjectReader } from './object-reader.ts';

const ipFamilies = ['IPv4', 'IPv6'] as const;
const ipFamilyPolicies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const;
const protocols = ['TCP', 'UDP', 'SCTP'] as const;

export function decodeService(raw: RawObject): Service {
  const object = new ObjectReader(raw);
  const metadata = object.object('metadata');
  const spec = object.object('spec');
  const loadBalancerClass = spec.text('loadBalancerClass');
  const loadBalancerIP = spec.text('loadBalancerIP');
  const status = object.object('status');
  const conditions = status.objects('conditions').flatMap(decodeServiceCondition);
  return {
    ...keyOf(metadata),
    uid: metadata.text('uid') ?? '',
    resourceVersion: metadata.text('resourceVersion') ?? '',
    labels: metadata.textMap('labels'),
    annotations: metadata.textMap('annotations'),
    createdAtMs: milliseconds(metadata.text('creationTimestamp')),
    deleting: metadata.has('deletionTimestamp'),
    type: spec.text('type') ?? 'ClusterIP',
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    ...(loadBalancerIP ? { loadBalancerIP } : {}),
    ipFamilies: spec.has('ipFamilies')
      ? spec.texts('ipFamilies').map((family): IpFamilyName => oneOf(ipFamilies, family, 'spec.ipFamilies'))
      : ['IPv4'],
    ipFamilyPolicy: oneOf(
      ipFamilyPolicies,
      spec.text('ipFamilyPolicy') ?? 'SingleStack',
      'spec.ipFamilyPolicy',
    ),
    externalTrafficPolicy: spec.text('externalTrafficPolicy') === 'Local' ? 'Local' : 'Cluster',
    ...(spec.text('sessionAffinity') === 'ClientIP' ? { sessionAffinity: 'ClientIP' as const } : {}),
    ports: spec.objects('ports').map(decodePort),
    selector: spec.textMap('selector'),
    // V8 reserves room for more entries in an array that `flatMap` creates. The copy by `slice` has only the room that it needs.
    ingress: status.object('loadBalancer').objects('ingress').flatMap(decodeIngress).slice(),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

/** Returns nothing for a condition of another program. */
function decodeServiceCondition(condition: ObjectReader): ServiceCondition[] {
  const type = serviceConditionTypes.find((each) => each === condition.text('type'));
  const status = (['True', 'False', 'Unknown'] as const).find((each) => each === condition.text('status'));
  if (type === undefined || status === undefined) return [];
  return [
    {
      type,
      status,
      reason: condition.text('reason') ?? '',
      message: condition.text('message') ?? '',
      lastTransitionTime: condition.text('lastTransitionTime') ?? '',
    },
  ];
}

function decodePort(port: ObjectReader): ServicePort {
  const name = port.text('name');
  return {
    ...(name === undefined ? {} : { name }),
    protocol: oneOf(protocols, port.text('protocol') ?? 'TCP', 'spec.ports.protocol'),
    port: port.number('port') ?? 0,
  };
}

/** Returns nothing for an entry that has a host name instead of an address. */
function decodeIngress(entry: ObjectReader): IngressAddress[] {
  const ip = entry.text('ip');
  const ipMode = entry.text('ipMode');
  return ip === undefined ? [] : [{ ip, ...(ipMode === undefined ? {} : { ipMode }) }];
}

export function decodeNode(raw: RawObject): Node {
  const object = new ObjectReader(raw);
  const metadata = object.object('metadata');
  const status = object.object('status');
  const spec = object.object('spec');
  const deletedAt = metadata.text('deletionTimestamp');
  const all = status.objects('conditions').map(decodeNodeCondition);
  const isTrue = (type: string) => all.some((each) => each.type === type && each.status === 'True');
  return {
    name: metadata.requiredText('name'),
    uid: metadata.text('uid') ?? '',
    labels: metadata.textMap('labels'),
    annotations: metadata.textMap('annotations'),
    ready: isTrue('Ready'),
    networkUnavailable: isTrue('NetworkUnavailable'),
    unschedulable: spec.boolean('unschedulable') === true,
    taints: spec.objects('taints').map(decodeTaint),
    conditions: all.filter(({ type }) => keptNodeConditions.some((kept) => kept === type)),
    ...(deletedAt === undefined ? {} : { deletedAt }),
    internalIPs: status
      .objects('addresses')
      .filter((entry) => entry.text('type') === 'InternalIP')
      .map((entry) => entry.requiredText('address')),
  };
}

function decodeTaint(taint: ObjectReader): Taint {
  const timeAdded = taint.text('timeAdded');
  return {
    key: taint.text('key') ?? '',
    value: taint.text('value') ?? '',
    effect: taint.text('effect') ?? '',
    ...(timeAdded === undefined ? {} : { timeAdded }),
  };
}

function decodeNodeCondition(condition: ObjectReader): NodeCondition {
  const lastTransitionTime = condition.text('lastTransitionTime');
  return {
    type: condition.text('type') ?? '',
    status: condition.text('status') ?? '',
    reason: condition.text('reason') ?? '',
    message: condition.text('message') ?? '',
    ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
  };
}

/** Returns `undefined` for a slice of FQDN endpoints, and for a slice without a Service. */
export function decodeEndpointSlice(raw: RawObject): EndpointSlice | undefined {
  const object = new ObjectReader(raw);
  const metadata = object.object('metadata');
  const serviceName = metadata.textMap('labels')[serviceNameLabel];
  const family = object.text('addressType');
  if (serviceName === undefined || (family !== 'IPv4' && family !== 'IPv6')) return undefined;
  return {
    ...keyOf(metadata),
    serviceName,
    family,
    endpoints: object.objects('endpoints').map((endpoint) => {
      const conditions = endpoint.object('conditions');
      const nodeName = endpoint.text('nodeName');
      // Without a value, `ready` counts as true, `serving` as `ready`, and `terminating` as false (API reference, EndpointConditions).
      const ready = conditions.boolean('ready') ?? true;
      return {
        addresses: endpoint.texts('addresses'),
        ...(nodeName === undefined ? {} : { nodeName }),
        ready,
        serving: conditions.boolean('serving') ?? ready,
        terminating: conditions.boolean('terminating') ?? false,
      };
    }),
  };
}

export function decodeNamespace(raw: RawObject): Namespace {
  const metadata = new ObjectReader(raw).object('metadata');
  return { name: metadata.requiredText('name'), labels: metadata.textMap('labels') };
}

export function decodeConfigMap(raw: RawObject): ConfigMap {
  const object = new ObjectReader(raw);
  const metadata = object.object('metadata');
  return {
    ...keyOf(metadata),
    uid: metadata.text('uid') ?? '',
    resourceVersion: metadata.text('resourceVersion') ?? '',
    annotations: metadata.textMap('annotations'),
    data: object.textMap('data'),
  };
}

export function decodeSpeakerPod(raw: RawObject): SpeakerPod {
  const object = new ObjectReader(raw);
  const nodeName = object.object('spec').text('nodeName');
  return {
    ...(nodeName === undefined ? {} : { nodeName }),
    podIPs: object
      .object('status')
      .objects('podIPs')
      .flatMap((entry) => entry.text('ip') ?? []),
  };
}

export function decodeSecret(raw: RawObject): Secret {
  const object = new ObjectReader(raw);
  return {
    ...keyOf(object.object('metadata')),
    data: Object.fromEntries(
      Object.entries(object.textMap('data')).map(([key, value]) => [
        key,
        new Uint8Array(Buffer.from(value, 'base64')),
      ]),
    ),
  };
}

function keyOf(metadata: ObjectReader): ObjectKey {
  return { namespace: metadata.text('namespace') ?? '', name: metadata.requiredText('name') };
}

/** Parses an RFC 3339 date. Returns 0 for a date that cannot be read. */
function milliseconds(date: string | undefined): number {
  return date === undefined ? 0 : Date.parse(date) || 0;
}

function oneOf<T extends string>(allowed: readonly T[], value: string, path: string): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new InvalidObject(`${path} is not one of ${allowed.join(', ')}`);
  return found;
}
