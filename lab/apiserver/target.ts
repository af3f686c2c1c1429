import { ApiProblem } from './problem.ts';
import { type KubernetesObject, type Resource, resources } from './resources.ts';
import { fieldMatcher, labelMatcher, type Matcher } from './selectors.ts';

/** What a request is about, read from its URL. */
export interface Target {
  readonly resource: Resource;
  readonly namespace?: string;
  /** Absent for a whole collection. */
  readonly name?: string;
  /** The status subresource. */
  readonly status: boolean;
  /** Everything is judged and answered, nothing is stored. */
  readonly dryRun: boolean;
}

/** `undefined` when the path leads to no resource that is served. */
export function targetOf({ pathname, searchParams }: URL): Target | undefined {
  const [, core, group = '', version, rest] =
    /^\/(?:(api)|apis\/([^/]+))\/([^/]+)\/(.+?)\/?$/.exec(pathname) ?? [];
  if (rest === undefined || (core === undefined && group === '')) return undefined;
  const parts = rest.split('/').map(decodeURIComponent);
  const namespaced = parts[0] === 'namespaces' && parts.length > 2 && parts[2] !== 'status';
  const namespace = namespaced ? parts[1] : undefined;
  const [plural, name, subresource] = namespaced ? parts.slice(2) : parts;
  const resource = resources.find(
    (each) => each.group === group && each.version === version && each.plural === plural,
  );
  if (!resource || (subresource !== undefined && !(subresource === 'status' && resource.hasStatus)))
    return undefined;
  return {
    resource,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    status: subresource === 'status',
    dryRun: searchParams.get('dryRun') === 'All',
  };
}

/** The key under which the store keeps an object. */
export function keyOf(resource: Resource, namespace: string | undefined, name: string): string {
  return resource.namespaced ? `${namespace ?? 'default'}/${name}` : name;
}

/** Objects that a list or watch of the target with the URL's selectors is to show. */
export function matcherOf({ namespace, name }: Target, { searchParams }: URL): Matcher {
  const byField = fieldMatcher(searchParams.get('fieldSelector'));
  const byLabel = labelMatcher(searchParams.get('labelSelector'));
  return (object: KubernetesObject) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    (name === undefined || object.metadata.name === name) &&
    byField(object) &&
    byLabel(object);
}

/** Where the next page of a list begins, and of which state it is. */
export interface Continuation {
  readonly after: string;
  readonly version: string;
}

export function encodeContinuation(continuation: Continuation): string {
  return Buffer.from(JSON.stringify(continuation)).toString('base64url');
}

/** Refuses with 400 what {@link encodeContinuation} did not make. */
export function decodeContinuation(token: string): Continuation {
  let value: Partial<Continuation> = {};
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as Partial<Continuation>;
  } catch {
    // Judged below, with everything else that is no token of ours.
  }
  const { after, version } = value;
  if (typeof after !== 'string' || typeof version !== 'string')
    throw new ApiProblem(400, 'BadRequest', 'the continue token cannot be read');
  return { after, version };
}
