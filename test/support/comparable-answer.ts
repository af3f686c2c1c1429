/** Reduces an answer of an API server to the parts that clients of this project read and that are the same in every run. */
import type { Answer } from './api-conversation/server.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Metadata that differ between runs, or that no client reads. */
const droppedMetadata = new Set([
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'generation',
  'managedFields',
  'selfLink',
  'deletionGracePeriodSeconds',
]);

/**
 * The fields of each kind's spec that clients read. The server fills in dozens of fields beside them. Of a kind that is not listed, the whole spec is
 * compared. A Service is an exception: see `reducedService`.
 */
const readOfSpec: Readonly<Record<string, readonly string[]>> = {
  Pod: ['nodeName'],
  Node: ['unschedulable'],
  Namespace: [],
  TokenReview: [],
  SubjectAccessReview: [],
};
const readOfStatus: Readonly<Record<string, readonly string[]>> = {
  Pod: ['podIP', 'podIPs', 'conditions'],
  Node: ['conditions', 'addresses'],
  Namespace: ['phase'],
  TokenReview: ['authenticated', 'audiences'],
  SubjectAccessReview: ['allowed'],
};

/** Whether `body` holds the lines of a watch. */
function isWatch(body: unknown): body is string {
  return typeof body === 'string' && body.startsWith('{');
}

export function comparable({ code, body }: Answer): unknown {
  if (isWatch(body))
    return body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; object: unknown })
      .map(({ type, object }) => ({ type, object: reduced(object) }));
  return { code, body: reduced(body) };
}

function reduced(value: unknown): unknown {
  // Errors outside the API are plain text, and no client reads them.
  if (typeof value === 'string') return 'text';
  const object = value as Fields;
  const { kind } = object;
  if (kind === 'Status') return { kind, status: object.status, reason: object.reason };
  if ('gitVersion' in object) return 'version';
  if (Array.isArray(object.items)) {
    const { continue: token, remainingItemCount } = object.metadata as Fields;
    const metadata = { continue: token === undefined || token === '' ? 'no' : 'yes', remainingItemCount };
    return defined({
      kind,
      apiVersion: object.apiVersion,
      metadata,
      items: object.items.map((item: Fields) => ({
        hasKind: 'kind' in item,
        object: reduced({ ...item, kind: String(kind).replace(/List$/, '') }),
      })),
    });
  }
  return reducedObject(object);
}

function reducedObject(object: Fields): unknown {
  const { metadata, spec, status, ...rest } = object;
  const kind = String(object.kind ?? '');
  return defined({
    ...rest,
    metadata: reducedMetadata((metadata ?? {}) as Fields, kind),
    spec:
      readOfSpec[kind]?.length === 0
        ? undefined
        : kind === 'Service'
          ? reducedService((spec ?? {}) as Fields)
          : pick(spec, readOfSpec[kind]),
    status: kind === 'TokenRequest' ? 'a token' : pick(status, readOfStatus[kind]),
  });
}

function reducedMetadata(metadata: Fields, kind: string): unknown {
  const kept = Object.entries(metadata).filter(([name]) => !droppedMetadata.has(name));
  const { name, generateName, deletionTimestamp } = metadata;
  // A controller puts this annotation on each Node, sooner or later.
  const { 'node.alpha.kubernetes.io/ttl': __, ...annotations } = (metadata.annotations ?? {}) as Fields;
  // The server puts its own label on a Namespace.
  const { 'kubernetes.io/metadata.name': _, ...labels } = (metadata.labels ?? {}) as Fields;
  return defined({
    ...Object.fromEntries(kept),
    annotations: Object.keys(annotations).length > 0 ? annotations : undefined,
    ...(kind === 'Namespace' ? { labels: Object.keys(labels).length > 0 ? labels : undefined } : {}),
    ...(typeof generateName === 'string' ? { name: String(name).startsWith(generateName) } : {}),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp: 'set' }),
  });
}

/** The server chooses addresses and node ports among those that are free, so only the families of the addresses are compared. */
function reducedService({ clusterIP, clusterIPs, healthCheckNodePort, ports, ...spec }: Fields): unknown {
  const family = (ip: unknown) => (ip === 'None' ? ip : String(ip).includes(':') ? 'IPv6' : 'IPv4');
  return defined({
    ...spec,
    clusterIP: clusterIP === undefined ? undefined : family(clusterIP),
    clusterIPs: (clusterIPs as unknown[] | undefined)?.map(family),
    ports: (ports as Fields[] | undefined)?.map(({ nodePort, ...port }) => port),
  });
}

function pick(value: unknown, names: readonly string[] | undefined): unknown {
  if (names === undefined || value === undefined) return value;
  const fields = defined(Object.fromEntries(names.map((name) => [name, (value as Fields)[name]])));
  return Object.keys(fields).length > 0 ? fields : undefined;
}

/** Without the fields that are `undefined`. */
function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
