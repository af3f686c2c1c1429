/** The kinds that the lab's API server knows, with the columns that `kubectl get` shows. */

export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    generateName?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    finalizers?: string[];
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

export interface Column {
  readonly name: string;
  readonly type?: 'string' | 'integer';
  /** 0: always shown. 1: shown with `-o wide`. */
  readonly priority?: 0 | 1;
  readonly cell: (object: KubernetesObject) => string | number;
}

export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortNames?: readonly string[];
  readonly namespaced: boolean;
  readonly hasStatus?: boolean;
  /** Whether a PUT creates an object that does not exist. */
  readonly createsOnUpdate?: boolean;
  /** Whether a PUT must say which resourceVersion it replaces. */
  readonly needsVersion?: boolean;
  /** Whether the answer to a DELETE is the object, and not a Status. */
  readonly returnsDeleted?: boolean;
  /** Key of the collection of another resource, if these objects are stored there. The two event APIs share one collection. */
  readonly storedAs?: string;
  readonly columns: readonly Column[];
}

/** Reads a nested field of an object of any shape. */
export function field(object: unknown, ...path: readonly (string | number)[]): unknown {
  let value = object;
  for (const part of path)
    value = value === null || value === undefined ? undefined : (value as Record<string, unknown>)[part];
  return value;
}

function list(object: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const value = field(object, ...path);
  return Array.isArray(value) ? value : [];
}

function text(value: unknown, absent = '<none>'): string {
  return value === undefined || value === null || value === '' ? absent : String(value);
}

/** An age as kubectl prints it, but without the smaller unit from three hours on: `3h` where kubectl prints `3h20m`. */
export function age(since: unknown, nowMs = Date.now()): string {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(String(since))) / 1000));
  if (Number.isNaN(seconds)) return '<unknown>';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes}m${seconds % 60 ? `${seconds % 60}s` : ''}`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

const name: Column = { name: 'Name', cell: ({ metadata }) => metadata.name };
const ageColumn: Column = { name: 'Age', cell: ({ metadata }) => age(metadata.creationTimestamp) };

const servicePorts = (object: KubernetesObject) =>
  text(
    list(object, 'spec', 'ports')
      .map((port) => {
        const nodePort = field(port, 'nodePort');
        return `${field(port, 'port')}${nodePort ? `:${nodePort}` : ''}/${text(field(port, 'protocol'), 'TCP')}`;
      })
      .join(','),
  );

const eventColumns: readonly Column[] = [
  {
    name: 'Last Seen',
    cell: (event) =>
      age(
        field(event, 'series', 'lastObservedTime') ??
          event.lastTimestamp ??
          event.deprecatedLastTimestamp ??
          event.eventTime ??
          event.metadata.creationTimestamp,
      ),
  },
  { name: 'Type', cell: (event) => text(event.type) },
  { name: 'Reason', cell: (event) => text(event.reason) },
  {
    name: 'Object',
    cell: (event) => {
      const regarding = event.involvedObject ?? event.regarding;
      return `${text(field(regarding, 'kind')).toLowerCase()}/${text(field(regarding, 'name'))}`;
    },
  },
  { name: 'Message', cell: (event) => text(event.message ?? event.note) },
];

const core = { group: '', version: 'v1' } as const;

/** The fields by which a list can select, in addition to the name and the namespace. */
export const selectableFields: Readonly<Record<string, readonly string[]>> = {
  Event: [
    'involvedObject.apiVersion',
    'involvedObject.kind',
    'involvedObject.name',
    'involvedObject.namespace',
    'involvedObject.uid',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  Namespace: ['status.phase'],
  Node: ['spec.unschedulable'],
  Pod: ['spec.nodeName', 'spec.serviceAccountName', 'status.phase', 'status.podIP'],
  Secret: ['type'],
  Service: ['spec.clusterIP', 'spec.type'],
};

export const resources: readonly Resource[] = [
  {
    ...core,
    plural: 'services',
    singular: 'service',
    kind: 'Service',
    shortNames: ['svc'],
    namespaced: true,
    hasStatus: true,
    createsOnUpdate: true,
    returnsDeleted: true,
    columns: [
      name,
      { name: 'Type', cell: (service) => text(field(service, 'spec', 'type')) },
      { name: 'Cluster-IP', cell: (service) => text(field(service, 'spec', 'clusterIP')) },
      {
        name: 'External-IP',
        cell: (service) => {
          const ips = list(service, 'status', 'loadBalancer', 'ingress').map((each) =>
            text(field(each, 'ip') ?? field(each, 'hostname')),
          );
          return (
            ips.join(',') || (field(service, 'spec', 'type') === 'LoadBalancer' ? '<pending>' : '<none>')
          );
        },
      },
      { name: 'Port(s)', cell: servicePorts },
      ageColumn,
      {
        name: 'Selector',
        priority: 1,
        cell: (service) =>
          text(
            Object.entries((field(service, 'spec', 'selector') ?? {}) as object)
              .map(([key, value]) => `${key}=${value}`)
              .join(','),
          ),
      },
    ],
  },
  {
    ...core,
    plural: 'configmaps',
    singular: 'configmap',
    kind: 'ConfigMap',
    shortNames: ['cm'],
    namespaced: true,
    columns: [
      name,
      { name: 'Data', type: 'integer', cell: ({ data }) => Object.keys((data ?? {}) as object).length },
      ageColumn,
    ],
  },
  {
    ...core,
    plural: 'secrets',
    singular: 'secret',
    kind: 'Secret',
    namespaced: true,
    columns: [
      name,
      { name: 'Type', cell: ({ type }) => text(type) },
      { name: 'Data', type: 'integer', cell: ({ data }) => Object.keys((data ?? {}) as object).length },
      ageColumn,
    ],
  },
  {
    ...core,
    plural: 'namespaces',
    singular: 'namespace',
    kind: 'Namespace',
    shortNames: ['ns'],
    namespaced: false,
    hasStatus: true,
    columns: [
      name,
      { name: 'Status', cell: (object) => text(field(object, 'status', 'phase'), 'Active') },
      ageColumn,
    ],
  },
  {
    ...core,
    plural: 'nodes',
    singular: 'node',
    kind: 'Node',
    shortNames: ['no'],
    namespaced: false,
    hasStatus: true,
    columns: [
      name,
      {
        name: 'Status',
        cell: (node) => {
          const ready = list(node, 'status', 'conditions').find(
            (condition) => field(condition, 'type') === 'Ready',
          );
          const status = field(ready, 'status') === 'True' ? 'Ready' : 'NotReady';
          return field(node, 'spec', 'unschedulable') === true ? `${status},SchedulingDisabled` : status;
        },
      },
      { name: 'Roles', cell: () => '<none>' },
      ageColumn,
      { name: 'Version', cell: (node) => text(field(node, 'status', 'nodeInfo', 'kubeletVersion')) },
      {
        name: 'Internal-IP',
        priority: 1,
        cell: (node) =>
          text(
            field(
              list(node, 'status', 'addresses').find((each) => field(each, 'type') === 'InternalIP'),
              'address',
            ),
          ),
      },
    ],
  },
  {
    ...core,
    plural: 'pods',
    singular: 'pod',
    kind: 'Pod',
    shortNames: ['po'],
    namespaced: true,
    hasStatus: true,
    returnsDeleted: true,
    columns: [
      name,
      {
        name: 'Ready',
        cell: (pod) => {
          const ready = list(pod, 'status', 'conditions').some(
            (condition) => field(condition, 'type') === 'Ready' && field(condition, 'status') === 'True',
          );
          return ready ? '1/1' : '0/1';
        },
      },
      { name: 'Status', cell: (pod) => text(field(pod, 'status', 'phase')) },
      { name: 'Restarts', type: 'integer', cell: () => 0 },
      ageColumn,
      { name: 'IP', priority: 1, cell: (pod) => text(field(pod, 'status', 'podIP')) },
      { name: 'Node', priority: 1, cell: (pod) => text(field(pod, 'spec', 'nodeName')) },
    ],
  },
  {
    ...core,
    plural: 'endpoints',
    singular: 'endpoints',
    kind: 'Endpoints',
    shortNames: ['ep'],
    namespaced: true,
    columns: [
      name,
      {
        name: 'Endpoints',
        cell: (endpoints) =>
          text(
            list(endpoints, 'subsets')
              .flatMap((subset) =>
                list(subset, 'ports').flatMap((port) =>
                  list(subset, 'addresses').map((each) => `${field(each, 'ip')}:${field(port, 'port')}`),
                ),
              )
              .join(','),
          ),
      },
      ageColumn,
    ],
  },
  {
    ...core,
    plural: 'serviceaccounts',
    singular: 'serviceaccount',
    kind: 'ServiceAccount',
    shortNames: ['sa'],
    namespaced: true,
    returnsDeleted: true,
    columns: [name, ageColumn],
  },
  {
    ...core,
    plural: 'events',
    singular: 'event',
    kind: 'Event',
    shortNames: ['ev'],
    namespaced: true,
    columns: eventColumns,
  },
  {
    group: 'events.k8s.io',
    version: 'v1',
    plural: 'events',
    singular: 'event',
    kind: 'Event',
    shortNames: ['ev'],
    namespaced: true,
    storedAs: '/v1/events',
    columns: eventColumns,
  },
  {
    group: 'discovery.k8s.io',
    version: 'v1',
    plural: 'endpointslices',
    singular: 'endpointslice',
    kind: 'EndpointSlice',
    namespaced: true,
    columns: [
      name,
      { name: 'AddressType', cell: ({ addressType }) => text(addressType) },
      {
        name: 'Ports',
        cell: (slice) =>
          text(
            list(slice, 'ports')
              .map((port) => field(port, 'port'))
              .join(','),
            '<unset>',
          ),
      },
      {
        name: 'Endpoints',
        cell: (slice) =>
          text(
            list(slice, 'endpoints')
              .flatMap((endpoint) => list(endpoint, 'addresses'))
              .join(','),
            '<unset>',
          ),
      },
      ageColumn,
    ],
  },
  {
    group: 'coordination.k8s.io',
    version: 'v1',
    plural: 'leases',
    singular: 'lease',
    kind: 'Lease',
    namespaced: true,
    createsOnUpdate: true,
    needsVersion: true,
    columns: [
      name,
      { name: 'Holder', cell: (lease) => text(field(lease, 'spec', 'holderIdentity'), '') },
      ageColumn,
    ],
  },
];

/** Key of a resource's collection in the store: `group/version/plural`. */
export function storageKey(resource: Resource): string {
  return resource.storedAs ?? `${resource.group}/${resource.version}/${resource.plural}`;
}

export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}
