/**
 * API objects, as the server sends them, into the plain models. Fields that are absent get Kubernetes' own defaults, so the pure
 * parts never ask twice.
 */
import type {
  V1ConfigMap,
  V1EndpointSlice,
  V1Namespace,
  V1Node,
  V1Pod,
  V1Secret,
  V1Service,
} from '@kubernetes/client-node';
import { serviceNameLabel } from '../cluster/names.ts';
import type {
  ConfigMap,
  EndpointSlice,
  IngressAddress,
  IpFamilyName,
  Namespace,
  Node,
  ObjectKey,
  Secret,
  Service,
  ServicePort,
  SpeakerPod,
} from './model.ts';
import type { RawObject } from './watch.ts';

function keyOf({ metadata }: RawObject): ObjectKey {
  return { namespace: metadata.namespace ?? '', name: metadata.name };
}

/** Dates arrive as RFC 3339 text, whatever the client library's types say. */
function milliseconds(date: unknown): number {
  return typeof date === 'string' ? Date.parse(date) || 0 : 0;
}

/** An object of the API as its documented type: the server's word is taken for its shape. */
function as<T>(raw: RawObject): T {
  return raw as unknown as T;
}

export function decodeService(raw: RawObject): Service {
  const { metadata, spec, status } = as<V1Service>(raw);
  return {
    ...keyOf(raw),
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    labels: metadata?.labels ?? {},
    annotations: metadata?.annotations ?? {},
    createdAtMs: milliseconds(metadata?.creationTimestamp),
    deleting: metadata?.deletionTimestamp !== undefined,
    type: spec?.type ?? 'ClusterIP',
    ...(spec?.loadBalancerClass === undefined ? {} : { loadBalancerClass: spec.loadBalancerClass }),
    ...(spec?.loadBalancerIP ? { loadBalancerIP: spec.loadBalancerIP } : {}),
    clusterIPs: spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : []),
    ipFamilies: (spec?.ipFamilies ?? ['IPv4']) as IpFamilyName[],
    ipFamilyPolicy: (spec?.ipFamilyPolicy ?? 'SingleStack') as Service['ipFamilyPolicy'],
    externalTrafficPolicy: spec?.externalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    ports: (spec?.ports ?? []).map(
      ({ name, protocol, port }): ServicePort => ({
        ...(name === undefined ? {} : { name }),
        protocol: (protocol ?? 'TCP') as ServicePort['protocol'],
        port,
      }),
    ),
    selector: spec?.selector ?? {},
    ingress: (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }): IngressAddress[] =>
      ip === undefined ? [] : [{ ip, ...(ipMode === undefined ? {} : { ipMode }) }],
    ),
  };
}

export function decodeNode(raw: RawObject): Node {
  const { metadata, spec, status } = as<V1Node>(raw);
  const condition = (type: string) => status?.conditions?.find((each) => each.type === type)?.status;
  return {
    name: raw.metadata.name,
    uid: metadata?.uid ?? '',
    labels: metadata?.labels ?? {},
    annotations: metadata?.annotations ?? {},
    ready: condition('Ready') === 'True',
    networkUnavailable: condition('NetworkUnavailable') === 'True',
    unschedulable: spec?.unschedulable === true,
    internalIPs: (status?.addresses ?? [])
      .filter(({ type }) => type === 'InternalIP')
      .map(({ address }) => address),
  };
}

/** `undefined` for slices of FQDN endpoints and those that belong to no Service. */
export function decodeEndpointSlice(raw: RawObject): EndpointSlice | undefined {
  const { metadata, addressType, endpoints } = as<V1EndpointSlice>(raw);
  const serviceName = metadata?.labels?.[serviceNameLabel];
  if (serviceName === undefined || (addressType !== 'IPv4' && addressType !== 'IPv6')) return undefined;
  return {
    ...keyOf(raw),
    serviceName,
    family: addressType,
    // An unknown condition counts as true, except terminating (EndpointConditions' own documentation).
    endpoints: (endpoints ?? []).map(({ addresses, nodeName, conditions }) => ({
      addresses,
      ...(nodeName === undefined ? {} : { nodeName }),
      ready: conditions?.ready ?? true,
      serving: conditions?.serving ?? conditions?.ready ?? true,
      terminating: conditions?.terminating ?? false,
    })),
  };
}

export function decodeNamespace(raw: RawObject): Namespace {
  return { name: raw.metadata.name, labels: as<V1Namespace>(raw).metadata?.labels ?? {} };
}

export function decodeConfigMap(raw: RawObject): ConfigMap {
  const { metadata, data } = as<V1ConfigMap>(raw);
  return {
    ...keyOf(raw),
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    annotations: metadata?.annotations ?? {},
    data: data ?? {},
  };
}

export function decodeSpeakerPod(raw: RawObject): SpeakerPod {
  const { spec, status } = as<V1Pod>(raw);
  return {
    ...(spec?.nodeName === undefined ? {} : { nodeName: spec.nodeName }),
    podIPs: (status?.podIPs ?? []).flatMap(({ ip }) => ip ?? []),
  };
}

export function decodeSecret(raw: RawObject): Secret {
  const entries = Object.entries(as<V1Secret>(raw).data ?? {});
  return {
    ...keyOf(raw),
    data: Object.fromEntries(
      entries.map(([key, value]) => [key, new Uint8Array(Buffer.from(value, 'base64'))]),
    ),
  };
}
