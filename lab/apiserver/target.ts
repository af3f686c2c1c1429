import { ApiProblem } from './problem.ts';
import { type KubernetesObject, type Resource, resources } from './resources.ts';
import { fieldMatcher, labelMatcher, type Matcher } from './selectors.ts';

/** The object or collection that a request addresses. */
export interface Target {
  readonly resource: Resource;
  readonly namespace?: string;
  /** Absent for a collection. */
  readonly name?: string;
  /** The status subresource. */
  readonly status: boolean;
  /** The server validates the request and answers it, but stores nothing. */
  readonly dryRun: boolean;
}

/** Reads the path and the query. `undefined` for an unknown resource or subresource. Throws 400 for a path with a malformed escape. */
export function targetOf({ pathname, searchParams }: URL): Target | undefined {
  const [, core, group = '', version, rest] =
    /^\/(?:(api)|apis\/([^/]+))\/([^/]+)\/(.+?)\/?$/.exec(pathname) ?? [];
  if (rest === undefined || (core === undefined && group === '')) return undefined;
  const parts = rest.split('/').map(unescaped);
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

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ApiProblem(400, 'BadRequest', `invalid URL escape in "${part}"`);
  }
}

/** Key of an object in the store. */
export function keyOf(resource: Resource, namespace: string | undefined, name: string): string {
  return resource.namespaced ? `${namespace ?? 'default'}/${name}` : name;
}

/** Matches the objects that a list or watch returns: those of the target that also match the URL's selectors. */
export function matcherOf({ resource, namespace, name }: Target, { searchParams }: URL): Matcher {
  const byField = fieldMatcher(resource, searchParams.get('fieldSelector'));
  const byLabel = labelMatcher(searchParams.get('labelSelector'));
  return (object: KubernetesObject) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    (name === undefined || object.metadata.name === name) &&
    byField(object) &&
    byLabel(object);
}

/** The key of the last object on this page of a list, and the version of the list. */
export interface Continuation {
  readonly after: string;
  readonly version: string;
}

export function encodeContinuation(continuation: Continuation): string {
  return Buffer.from(JSON.stringify(continuation)).toString('base64url');
}

/** Throws 400 for a token that does not have the form of {@link encodeContinuation}. */
export function decodeContinuation(token: string): Continuation {
  let value: Partial<Continuation> | null = {};
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as Partial<Continuation> | null;
  } catch {
    // The check below also refuses text that is not JSON.
  }
  const { after, version } = value ?? {};
  if (typeof after !== 'string' || typeof version !== 'string')
    throw new ApiProblem(400, 'BadRequest', 'the continue token cannot be read');
  return { after, version };
}
