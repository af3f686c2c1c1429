/** Kubernetes objects as plain data, reduced to the fields that Bellman uses. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/**
 * `namespace/name`, a key of many maps. `join` makes one plain string. A template literal would take more memory: V8 keeps its result as a pair of
 * strings, and adds a plain string when the result becomes a key.
 */
export function objectKey(object: ObjectKey): string {
  return [object.namespace, object.name].join('/');
}

export type IpFamilyName = 'IPv4' | 'IPv6';
export type IpFamilyPolicy = 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
export type ServiceProtocol = 'TCP' | 'UDP' | 'SCTP';

export interface ServicePort {
  readonly name?: string;
  readonly protocol: ServiceProtocol;
  readonly port: number;
}

export interface IngressAddress {
  readonly ip: string;
  readonly ipMode?: string;
}

/** A condition in the status of a Service. */
export interface ServiceCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  /** A word in CamelCase. */
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}

/** Types of the Service conditions that Bellman writes. The decoder leaves out all other conditions. */
export const serviceConditionTypes = ['bellman.dev/AddressAssigned', 'bellman.dev/Announced'] as const;
export type ServiceConditionType = (typeof serviceConditionTypes)[number];

export interface Service extends ObjectKey {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly createdAtMs: number;
  readonly deleting: boolean;
  readonly type: string;
  readonly loadBalancerClass?: string;
  readonly loadBalancerIP?: string;
  readonly ipFamilies: readonly IpFamilyName[];
  readonly ipFamilyPolicy: IpFamilyPolicy;
  readonly externalTrafficPolicy: 'Cluster' | 'Local';
  /** Absent for `None`. */
  readonly sessionAffinity?: 'ClientIP';
  readonly ports: readonly ServicePort[];
  readonly selector: Readonly<Record<string, string>>;
  /** `status.loadBalancer.ingress` entries that carry an address. */
  readonly ingress: readonly IngressAddress[];
  /** Only those of `serviceConditionTypes`. Absent when there are none. */
  readonly conditions?: readonly ServiceCondition[];
}

export interface Taint {
  readonly key: string;
  readonly value: string;
  /** `NoSchedule`, `NoExecute` or `PreferNoSchedule`. */
  readonly effect: string;
  /** RFC 3339. */
  readonly timeAdded?: string;
}

export interface NodeCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly lastTransitionTime?: string;
}

/** Types of the conditions in `Node.conditions`. All but `Ready` are those of the life cycle of a node (KEP-5683). */
export const keptNodeConditions = [
  'Ready',
  'MaintenancePlanned',
  'MaintenanceInProgress',
  'DrainInProgress',
  'Drained',
  'GracefulNodeShutdownInProgress',
] as const;

export interface Node {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ready: boolean;
  readonly networkUnavailable: boolean;
  readonly unschedulable: boolean;
  readonly taints: readonly Taint[];
  /** Only those of `keptNodeConditions`. */
  readonly conditions: readonly NodeCondition[];
  /** `metadata.deletionTimestamp`, RFC 3339. */
  readonly deletedAt?: string;
  /** `status.addresses` of type InternalIP. */
  readonly internalIPs: readonly string[];
}

/** A Pod of a speaker. */
export interface SpeakerPod {
  /** Absent until the Pod is scheduled. */
  readonly nodeName?: string;
  readonly podIPs: readonly string[];
}

export interface Endpoint {
  readonly addresses: readonly string[];
  readonly nodeName?: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

/** Label that names the Service of an EndpointSlice. */
export const serviceNameLabel = 'kubernetes.io/service-name';

export interface EndpointSlice extends ObjectKey {
  readonly serviceName: string;
  readonly family: IpFamilyName;
  readonly endpoints: readonly Endpoint[];
}

export interface Namespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ConfigMap extends ObjectKey {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly data: Readonly<Record<string, string>>;
}

export interface Secret extends ObjectKey {
  /** Decoded from base64. */
  readonly data: Readonly<Record<string, Uint8Array>>;
}
