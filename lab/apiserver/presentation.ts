import { apiVersionOf, type KubernetesObject, type Resource } from './resources.ts';

/** Whether the client wants rows and columns, as `kubectl get` does. */
export function wantsTable(accept: string | undefined): boolean {
  return (accept ?? '').split(',')[0]?.includes('as=Table') ?? false;
}

/** The stored object in the form of the resource's group and version. The two event APIs share their storage. */
export function present(resource: Resource, object: KubernetesObject): KubernetesObject {
  const typed: KubernetesObject = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
  typed.apiVersion = apiVersionOf(resource);
  if (resource.group !== 'events.k8s.io') return typed;
  const {
    involvedObject,
    message,
    source,
    firstTimestamp,
    lastTimestamp,
    count,
    reportingComponent,
    reportingInstance,
    ...rest
  } = typed;
  return {
    ...rest,
    regarding: involvedObject,
    note: message,
    // This API leaves out empty fields, while the older one shows them as empty texts.
    reportingController: reportingComponent || undefined,
    reportingInstance: reportingInstance || undefined,
    deprecatedSource: source,
    deprecatedFirstTimestamp: firstTimestamp,
    deprecatedLastTimestamp: lastTimestamp,
    deprecatedCount: count,
  };
}

/** The stored form of an object that a client has sent to this resource. */
export function storedForm(resource: Resource, object: KubernetesObject): KubernetesObject {
  const { apiVersion: _, kind: __, ...bare } = object;
  if (resource.group !== 'events.k8s.io') return bare;
  const {
    regarding,
    note,
    reportingController,
    deprecatedSource,
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedCount,
    ...rest
  } = bare;
  return {
    ...rest,
    involvedObject: regarding,
    message: note,
    reportingComponent: reportingController,
    source: deprecatedSource ?? {},
    firstTimestamp: deprecatedFirstTimestamp ?? null,
    lastTimestamp: deprecatedLastTimestamp ?? null,
    ...(deprecatedCount === undefined ? {} : { count: deprecatedCount }),
  };
}

/** How much of each object a Table carries beside its cells. `kubectl get --sort-by` needs the whole object. */
export type RowContent = 'metadata' | 'object';

export function rowContentOf({ searchParams }: URL): RowContent {
  return searchParams.get('includeObject') === 'Object' ? 'object' : 'metadata';
}

/** A `Table` of meta.k8s.io/v1. */
export function table(
  resource: Resource,
  objects: readonly KubernetesObject[],
  metadata: { readonly resourceVersion: string },
  content: RowContent,
): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: resource.columns.map(({ name, type = 'string', priority = 0 }) => ({
      name,
      type,
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority,
    })),
    rows: objects.map((object) => ({
      cells: resource.columns.map(({ cell }) => cell(object)),
      object:
        content === 'object'
          ? object
          : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  };
}
