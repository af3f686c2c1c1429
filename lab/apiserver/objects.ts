/**
 * The verbs of the API on the objects of a store. This file decides which writes are valid, which fields a write fills in, and which fields
 * it leaves unchanged. `server.ts` handles HTTP. A request that fails throws an {@link ApiProblem}.
 */
import { randomUUID } from 'node:crypto';
import jsonPatch from 'fast-json-patch';
import { admit, admitStatus } from './defaults.ts';
import { invalid } from './invalid.ts';
import { present, storedForm } from './presentation.ts';
import { ApiProblem, notFound } from './problem.ts';
import {
  apiVersionOf,
  field,
  type KubernetesObject,
  type Resource,
  resources,
  storageKey,
} from './resources.ts';
import type { Matcher } from './selectors.ts';
import type { Store } from './store.ts';
import { mergePatch, strategicMerge } from './strategic-merge.ts';
import { decodeContinuation, encodeContinuation, keyOf, type Target } from './target.ts';

/** The largest request that etcd accepts by default. */
const maxObjectBytes = 1_572_864;
const firstNamespaces = ['default', 'kube-system'];

/** One page of a list. */
export interface Page {
  readonly items: readonly KubernetesObject[];
  /** `metadata` of the list. */
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}

export interface ListOptions {
  readonly limit: number;
  /** The continuation of an earlier page. */
  readonly token: string | null;
  /** Whether the request has a selector. With one, the server does not say how many objects remain. */
  readonly isSelection: boolean;
}

interface Condition {
  readonly type: string;
}

export class Objects {
  readonly #store: Store;
  /** The types of the conditions that an owner (a field manager) has applied to an object. The key is `UID OWNER`, with the uid of the object. */
  readonly #applied = new Map<string, readonly string[]>();

  constructor(store: Store) {
    this.#store = store;
    for (const name of firstNamespaces) {
      store.put('/v1/namespaces', name, { metadata: born({ name }), status: { phase: 'Active' } });
      this.#addDefaultAccount(name);
    }
  }

  hasServiceAccount(namespace: string, name: string): boolean {
    return this.#store.get('/v1/serviceaccounts', `${namespace}/${name}`) !== undefined;
  }

  /** Kubernetes' controller-manager creates this account in each namespace. */
  #addDefaultAccount(namespace: string): void {
    const metadata = born({ name: 'default', namespace });
    this.#store.put('/v1/serviceaccounts', `${namespace}/default`, { metadata });
  }

  get({ resource, namespace, name = '' }: Target): KubernetesObject {
    const object = this.#store.get(storageKey(resource), keyOf(resource, namespace, name));
    if (!object) throw notFound(resource.plural, name);
    return object;
  }

  /** With a limit of 0, the page holds all objects. A continuation from before a compaction fails with 410. */
  list({ resource }: Target, matches: Matcher, { limit, token, isSelection }: ListOptions): Page {
    const kind = storageKey(resource);
    const from = token ? decodeContinuation(token) : undefined;
    if (from && !this.#store.remembers(kind, Number(from.version)))
      throw new ApiProblem(410, 'Expired', 'the continue token is too old, list again');
    const found = this.#store
      .list(kind)
      .filter(([key, object]) => (from === undefined || key > from.after) && matches(object));
    const page = limit > 0 ? found.slice(0, limit) : found;
    const version = from?.version ?? String(this.#store.version);
    const last = page.at(-1)?.[0];
    const more =
      last !== undefined && found.length > page.length
        ? {
            continue: encodeContinuation({ after: last, version }),
            ...(isSelection ? {} : { remainingItemCount: found.length - page.length }),
          }
        : {};
    return {
      items: page.map(([, object]) => present(resource, object)),
      metadata: { resourceVersion: version, ...more },
    };
  }

  create(target: Target, body: KubernetesObject): KubernetesObject {
    const { resource } = target;
    checkKind(resource, body);
    const { resourceVersion: _, ...metadata } = { ...body.metadata };
    if (!metadata.name && metadata.generateName)
      metadata.name = metadata.generateName + randomUUID().slice(0, 8);
    if (!metadata.name)
      throw new ApiProblem(
        422,
        'Invalid',
        `${resource.kind} is invalid: metadata.name: Required value: name or generateName is required`,
      );
    const namespace = resource.namespaced ? (target.namespace ?? metadata.namespace ?? 'default') : undefined;
    if (namespace !== undefined) {
      if (metadata.namespace !== undefined && metadata.namespace !== namespace)
        throw new ApiProblem(
          400,
          'BadRequest',
          `the namespace of the object (${metadata.namespace}) is not that of the request (${namespace})`,
        );
      if (!this.#store.get('/v1/namespaces', namespace)) throw notFound('namespaces', namespace);
      metadata.namespace = namespace;
    }
    // A Node is created with its status, because its kubelet creates it. For other kinds with a status path, the status in the body is ignored.
    const { status, ...content } = storedForm(resource, body);
    const keepsStatus = !resource.hasStatus || resource.kind === 'Node';
    const object = admit(
      resource,
      {
        ...content,
        ...(keepsStatus && status !== undefined ? { status } : {}),
        metadata: { ...born(metadata), generation: 1 },
      },
      undefined,
    );
    // The server validates an object before it looks for another one of the same name.
    const key = keyOf(resource, namespace, metadata.name);
    if (this.#store.get(storageKey(resource), key))
      throw new ApiProblem(409, 'AlreadyExists', `${resource.plural} "${metadata.name}" already exists`, {
        name: metadata.name,
        kind: resource.plural,
      });
    const created = this.#put(target, key, withoutEmptyMetadata(object));
    if (resource.kind === 'Namespace' && !target.dryRun) this.#addDefaultAccount(metadata.name);
    return created;
  }

  has({ resource, namespace, name = '' }: Target): boolean {
    return this.#store.get(storageKey(resource), keyOf(resource, namespace, name)) !== undefined;
  }

  /** Replaces an object. For some kinds, it creates an object that does not exist, but never on the status path. */
  update(target: Target, body: KubernetesObject): KubernetesObject {
    const { resource, namespace, name = '' } = target;
    checkKind(resource, body);
    if (body.metadata.name !== name)
      throw new ApiProblem(
        400,
        'BadRequest',
        `the name of the object (${body.metadata.name}) is not that of the request (${name})`,
      );
    const before = this.#store.get(storageKey(resource), keyOf(resource, namespace, name));
    if (!before && resource.createsOnUpdate && !target.status) return this.create(target, body);
    if (!before) throw notFound(resource.plural, name);
    if (resource.needsVersion && !body.metadata.resourceVersion)
      throw invalid(
        resource,
        name,
        'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      );
    return this.#replace(target, before, storedForm(resource, body));
  }

  /** `contentType` names one of the three supported types of patch; others fail with 415. */
  patch(target: Target, contentType: string, patch: unknown): KubernetesObject {
    const before = this.get(target);
    const after = patched(present(target.resource, before), contentType, patch);
    try {
      return this.#replace(target, before, storedForm(target.resource, after));
    } catch (error) {
      // The patch itself could be decoded. If its result cannot be decoded, the server answers 422 instead of 400.
      if (error instanceof ApiProblem && error.code === 400)
        throw new ApiProblem(422, 'Invalid', error.message, error.details);
      throw error;
    }
  }

  /**
   * Server-side apply (KEP-555), as far as Bellman uses it: an owner applies conditions to the status of a Service. An applied condition replaces
   * the present one of the same type, whichever owner applied the present one. Conditions that the owner applied before and leaves out now are
   * removed.
   */
  applyConditions(target: Target, owner: string, body: KubernetesObject): KubernetesObject {
    const { resource, name = '' } = target;
    if (owner === '')
      throw invalid(resource, name, 'fieldManager: Required value: is required for apply patch');
    if (body.apiVersion === undefined || body.kind === undefined)
      throw new ApiProblem(400, 'BadRequest', 'invalid object type: apiVersion and kind must be set');
    checkKind(resource, body);
    if (!this.has(target)) throw goneOrInvalid(target, body);
    const before = this.get(target);
    const { uid = '' } = before.metadata;
    if (body.metadata.uid !== undefined && body.metadata.uid !== uid)
      throw invalid(resource, name, 'metadata.uid: Invalid value: field is immutable');
    const conditions = (field(body, 'status', 'conditions') ?? []) as readonly Condition[];
    const key = `${uid} ${owner}`;
    const dropped = new Set(this.#applied.get(key) ?? []).difference(
      new Set(conditions.map(({ type }) => type)),
    );
    const present = (field(before, 'status', 'conditions') ?? []) as readonly Condition[];
    const kept = appliedOver(present, conditions).filter(({ type }) => !dropped.has(type));
    const { conditions: _, ...status } = (before.status ?? {}) as Record<string, unknown>;
    const after = { ...status, ...(kept.length > 0 ? { conditions: kept } : {}) };
    const applied = this.#replace(target, before, { ...before, status: after });
    if (!target.dryRun)
      this.#applied.set(
        key,
        conditions.map(({ type }) => type),
      );
    return applied;
  }

  /** Deletes an object. An object with finalizers is only marked, and the update that removes the last finalizer deletes it. */
  delete(target: Target, preconditions: { readonly uid?: string } = {}): KubernetesObject {
    const object = this.get(target);
    if (preconditions.uid !== undefined && preconditions.uid !== object.metadata.uid)
      throw new ApiProblem(
        409,
        'Conflict',
        `the UID in the precondition (${preconditions.uid}) does not match`,
      );
    return this.#remove(target, object);
  }

  /** Returns what it deleted. */
  deleteCollection(target: Target, matches: Matcher): readonly KubernetesObject[] {
    const found = this.#store.list(storageKey(target.resource)).filter(([, object]) => matches(object));
    for (const [, object] of found) this.#remove(target, object);
    return found.map(([, object]) => present(target.resource, object));
  }

  #remove({ resource, dryRun }: Target, object: KubernetesObject): KubernetesObject {
    if (dryRun) return object;
    const kind = storageKey(resource);
    const { name, namespace, finalizers = [], deletionTimestamp } = object.metadata;
    const key = keyOf(resource, namespace, name);
    if (finalizers.length > 0)
      return deletionTimestamp === undefined
        ? this.#store.put(kind, key, {
            ...object,
            metadata: { ...object.metadata, deletionTimestamp: now() },
          })
        : object;
    if (resource.kind === 'Namespace') this.#empty(name);
    return this.#store.remove(kind, key) ?? object;
  }

  #empty(namespace: string): void {
    for (const resource of resources) {
      if (!resource.namespaced || resource.storedAs !== undefined) continue;
      const kind = storageKey(resource);
      for (const [key, object] of this.#store.list(kind))
        if (object.metadata.namespace === namespace) this.#store.remove(kind, key);
    }
  }

  /** Stores an update. The status path changes the status and the metadata. The main path changes everything except the status. */
  #replace(target: Target, before: KubernetesObject, after: KubernetesObject): KubernetesObject {
    const { resource, status } = target;
    const asked = after.metadata?.resourceVersion;
    if (asked !== undefined && asked !== '' && asked !== before.metadata.resourceVersion)
      throw new ApiProblem(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${resource.plural} "${before.metadata.name}": the object has been modified; please apply your changes to the latest version and try again`,
        { name: before.metadata.name, kind: resource.plural },
      );
    const chosen: KubernetesObject = status
      ? { ...before, ...(after.status === undefined ? {} : { status: after.status }) }
      : { ...after, ...(resource.hasStatus && before.status !== undefined ? { status: before.status } : {}) };
    // For the built-in kinds of Kubernetes, the status path accepts metadata too and ignores only the spec.
    const merged = { ...chosen, metadata: { ...after.metadata, ...fixedMetadata(before) } };
    const next = withoutEmptyMetadata(
      status ? admitStatus(resource, merged) : admit(resource, merged, before),
    );
    if (canonical(next) === canonical(before)) return before;
    const { generation = 1, name, namespace, deletionTimestamp } = before.metadata;
    const key = keyOf(resource, namespace, name);
    if (!target.dryRun && deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0) {
      this.#store.remove(storageKey(resource), key);
      return next;
    }
    const specChanged = canonical(specOf(next)) !== canonical(specOf(before));
    return this.#put(target, key, {
      ...next,
      metadata: { ...next.metadata, generation: specChanged ? generation + 1 : generation },
    });
  }

  #put({ resource, dryRun }: Target, key: string, object: KubernetesObject): KubernetesObject {
    const size = Buffer.byteLength(JSON.stringify(object));
    if (size > maxObjectBytes)
      throw new ApiProblem(
        413,
        'RequestEntityTooLarge',
        `the object has ${size} bytes, at most ${maxObjectBytes} are stored`,
      );
    return dryRun ? object : this.#store.put(storageKey(resource), key, object);
  }
}

function patched(shown: KubernetesObject, contentType: string, patch: unknown): KubernetesObject {
  const [type] = contentType.split(';');
  switch (type) {
    case 'application/json-patch+json': {
      const operations = patch as jsonPatch.Operation[];
      const problem = jsonPatch.validate(operations, shown);
      if (problem)
        throw new ApiProblem(
          422,
          'Invalid',
          `the patch cannot be applied: ${problem.message.split('\n')[0]}`,
        );
      return jsonPatch.applyPatch(structuredClone(shown), operations).newDocument;
    }
    case 'application/merge-patch+json':
      return mergePatch(shown, patch) as KubernetesObject;
    case 'application/strategic-merge-patch+json':
      return strategicMerge(shown, patch) as KubernetesObject;
    default:
      throw unsupportedPatch(contentType);
  }
}

/**
 * The conditions after an apply. A present condition whose type is also applied gives its place to an applied condition. These places are filled
 * in the order of the apply. Applied conditions of new types come last, also in the order of the apply. For example, an apply of C, A, D over A, B, C
 * gives C, B, A, D.
 */
function appliedOver(present: readonly Condition[], applied: readonly Condition[]): Condition[] {
  const isIn = (list: readonly Condition[], { type }: Condition) => list.some((each) => each.type === type);
  const known = applied.filter((each) => isIn(present, each));
  return [
    ...present.map((each) => (isIn(applied, each) ? (known.shift() ?? each) : each)),
    ...applied.filter((each) => !isIn(present, each)),
  ];
}

/**
 * The answer to an apply to the status of an object that does not exist. When the body has no uid, Kubernetes tries to create the object, and finds
 * that it lacks ports.
 */
function goneOrInvalid({ resource, name = '' }: Target, { metadata }: KubernetesObject): ApiProblem {
  return metadata.uid === undefined
    ? invalid(resource, name, 'spec.ports: Required value')
    : new ApiProblem(409, 'Conflict', `uid mismatch: there is no ${resource.plural} "${name}"`);
}

/** Server-side apply is supported only for conditions of Services, because any other use needs a record of the manager of each field. */
export function unsupportedPatch(contentType: string): ApiProblem {
  return new ApiProblem(
    415,
    'UnsupportedMediaType',
    contentType.startsWith('application/apply-patch')
      ? 'the lab has no server-side apply: use kubectl apply without --server-side'
      : `patches of type ${contentType} are not supported by the lab`,
  );
}

/** The metadata that a client cannot change. */
function fixedMetadata({ metadata }: KubernetesObject): KubernetesObject['metadata'] {
  const fixed: KubernetesObject['metadata'] = { name: metadata.name };
  const names = [
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'resourceVersion',
    'generation',
  ];
  for (const name of names) if (metadata[name] !== undefined) fixed[name] = metadata[name];
  return fixed;
}

/** Throws 400 when the object is not of the kind that the path names. */
function checkKind({ kind }: Resource, body: KubernetesObject): void {
  if (body.kind !== undefined && body.kind !== kind)
    throw new ApiProblem(400, 'BadRequest', `the object is a ${body.kind}, not a ${kind}`);
}

/** The server does not store an empty map of labels or annotations, or an empty list of finalizers. */
function withoutEmptyMetadata(object: KubernetesObject): KubernetesObject {
  const { labels = {}, annotations = {}, finalizers = [], ...metadata } = object.metadata;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      ...(finalizers.length > 0 ? { finalizers } : {}),
    },
  };
}

function specOf(object: KubernetesObject): object {
  return { ...object, metadata: {}, status: {} };
}

/** JSON with sorted keys, for comparison. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

function born(metadata: KubernetesObject['metadata']): KubernetesObject['metadata'] {
  return { ...metadata, uid: randomUUID(), creationTimestamp: now() };
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

/**
 * The response to a list request: an object of the kind `…List` with the items of the page. The items have no `kind` and no `apiVersion`, because
 * those of the list imply them.
 */
export function listOf(resource: Resource, { items, metadata }: Page): object {
  const bare = items.map(({ kind: _, apiVersion: __, ...item }) => item);
  return { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items: bare };
}
