import { apiVersionOf, field, type KubernetesObject, type Resource } from './resources.ts';

/** Whether the client asks for rows and columns, as `kubectl get` does. */
export function wantsTable(accept: string | undefined): boolean {
  return (accept ?? '').split(',')[0]?.includes('as=Table') ?? false;
}

/** An object as the resource's group and version show it: the two event APIs share what is stored. */
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
    ...rest
  } = typed;
  return {
    ...rest,
    regarding: involvedObject,
    note: message,
    reportingController: reportingComponent ?? field(source, 'component'),
    deprecatedSource: source,
    deprecatedFirstTimestamp: firstTimestamp,
    deprecatedLastTimestamp: lastTimestamp,
    deprecatedCount: count,
  };
}

/** What is stored of an object that came in by a resource. */
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
  const time = rest.eventTime ?? new Date().toISOString();
  return {
    ...rest,
    involvedObject: regarding,
    message: note,
    reportingComponent: reportingController,
    source: deprecatedSource ?? { component: reportingController },
    firstTimestamp: deprecatedFirstTimestamp ?? time,
    lastTimestamp: deprecatedLastTimestamp ?? time,
    count: deprecatedCount ?? 1,
  };
}

/** `meta.k8s.io/v1 Table`. */
export function table(
  resource: Resource,
  objects: readonly KubernetesObject[],
  metadata: { readonly resourceVersion: string },
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
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  };
}
