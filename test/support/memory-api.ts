import { type Clock, systemClock } from '../../src/clock.ts';
import type { Api, ApiRequest } from '../../src/kubernetes/api.ts';
import { ApiError } from '../../src/kubernetes/api-error.ts';
import { Reachability } from '../../src/kubernetes/reachability.ts';
import type { Logger } from '../../src/log.ts';
import { LineStream } from './line-stream.ts';

export interface StoredObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

interface Watcher {
  readonly path: string;
  readonly lines: LineStream;
}

/**
 * An API server in memory, for tests in virtual time. It supports lists and watches, which may select by name, by node, by label values, or
 * by the absence of a label. It supports creation, replacement and merge patches, counts resourceVersions, and reports conflicts. `before`
 * may delay a request or make it fail. `after` may delay the response to a request that the server has carried out. Watches then report the
 * change before the response arrives, as they can with a real server.
 */
export class MemoryApi implements Api {
  readonly reachability: Reachability;
  /** Every write request, including refused ones. */
  readonly writes: ApiRequest[] = [];
  before: (request: ApiRequest) => Promise<void> | void = () => {};
  after: (request: ApiRequest) => Promise<void> | void = () => {};
  readonly #objects = new Map<string, StoredObject>();
  readonly #watchers = new Set<Watcher>();
  #version = 100;

  constructor(clock: Clock = systemClock, logger?: Logger) {
    this.reachability = new Reachability({ clock, logger });
  }

  get(path: string): StoredObject | undefined {
    return this.#objects.get(path);
  }

  /** The objects of a collection. */
  under(collection: string): StoredObject[] {
    return [...this.#objects].filter(([path]) => path.startsWith(`${collection}/`)).map(([, each]) => each);
  }

  /** Stores an object on behalf of another client. */
  put(path: string, object: StoredObject): StoredObject {
    const known = this.#objects.get(path);
    const version = String(++this.#version);
    const uid = known?.metadata.uid ?? object.metadata.uid ?? `uid-${version}`;
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: version } };
    this.#objects.set(path, stored);
    this.#publish(path, known, stored);
    return stored;
  }

  remove(path: string): void {
    const known = this.#objects.get(path);
    if (!known) return;
    this.#objects.delete(path);
    const resourceVersion = String(++this.#version);
    this.#publish(path, { ...known, metadata: { ...known.metadata, resourceVersion } }, undefined);
  }

  /** Ends every watch, as a restart of the server does. */
  cutWatches(): void {
    for (const { lines } of this.#watchers) lines.end();
    this.#watchers.clear();
  }

  async request<T>(request: ApiRequest): Promise<T> {
    if (request.method !== 'GET') this.writes.push(request);
    try {
      await this.before(request);
    } catch (error) {
      this.reachability.observeFailure(error, request.signal);
      throw error;
    }
    const response = this.#carryOut<T>(request);
    const delay = this.after(request);
    if (delay) await delay;
    return response;
  }

  #carryOut<T>(request: ApiRequest): T {
    this.reachability.answered();
    const path = (request.path.split('?')[0] ?? '').replace(/\/status$/, '');
    const known = this.#objects.get(path);
    const body = request.body as StoredObject | undefined;
    switch (request.method) {
      case 'GET':
        if (known) return known as T;
        if (collectionPath.test(path))
          return {
            metadata: { resourceVersion: String(this.#version) },
            items: this.#matching(request.path),
          } as T;
        throw new ApiError(404, 'NotFound', `${path} not found`);
      case 'POST': {
        const created = `${path}/${body?.metadata.name}`;
        if (this.#objects.has(created)) throw new ApiError(409, 'AlreadyExists', `${created} exists`);
        return this.put(created, structuredClone(body) as StoredObject) as T;
      }
      default: {
        // If a PUT finds no Lease, the API server creates the Lease, whatever resourceVersion the PUT names.
        if (!known && request.method === 'PUT' && path.includes('/leases/'))
          return this.put(path, structuredClone(body) as StoredObject) as T;
        if (!known) throw new ApiError(404, 'NotFound', `${path} not found`);
        const asked = body?.metadata?.resourceVersion;
        if (asked !== undefined && asked !== known.metadata.resourceVersion)
          throw new ApiError(409, 'Conflict', `${path} was modified`);
        const next = request.method === 'PATCH' ? mergePatch(known, body) : structuredClone(body);
        return this.put(path, next as StoredObject) as T;
      }
    }
  }

  async openStream(path: string, signal: AbortSignal): Promise<AsyncIterable<string>> {
    const watcher = { path, lines: new LineStream(signal) };
    this.#watchers.add(watcher);
    signal.addEventListener('abort', () => this.#watchers.delete(watcher), { once: true });
    return watcher.lines;
  }

  #matching(path: string): StoredObject[] {
    return [...this.#objects].filter(([each, object]) => selects(path, each, object)).map(([, each]) => each);
  }

  /** A watch with a selector reports an object that starts to match as added, and an object that stops matching as deleted. */
  #publish(path: string, before: StoredObject | undefined, after: StoredObject | undefined): void {
    for (const watcher of this.#watchers) {
      const matched = before !== undefined && selects(watcher.path, path, before);
      const matches = after !== undefined && selects(watcher.path, path, after);
      if (matches) watcher.lines.send({ type: matched ? 'MODIFIED' : 'ADDED', object: after });
      else if (matched) watcher.lines.send({ type: 'DELETED', object: after ?? before });
    }
  }
}

/** The path of all objects of a kind, in one namespace or all. The path of an object has the name of the object at its end. */
const collectionPath = /^\/(?:api|apis\/[^/]+)\/[^/]+\/(?:namespaces\/[^/]+\/)?[^/]+$/;

/** Whether a list or watch of a collection, in one namespace or all, includes an object. */
function selects(listPath: string, objectPath: string, object: StoredObject): boolean {
  const [collection = '', query] = listPath.split('?');
  const { namespace, name, labels = {} } = object.metadata;
  const selectors = new URLSearchParams(query);
  const field = selectors.get('fieldSelector');
  const { nodeName } = (object as { readonly spec?: { readonly nodeName?: string } }).spec ?? {};
  if (field !== null && field !== `metadata.name=${name}` && field !== `spec.nodeName=${nodeName}`)
    return false;
  const pairs = selectors.get('labelSelector')?.split(',') ?? [];
  const holds = (pair: string) =>
    pair.startsWith('!')
      ? !(pair.slice(1) in labels)
      : Object.entries(labels).some(([key, value]) => pair === `${key}=${value}`);
  if (!pairs.every(holds)) return false;
  const [, kind] = /\/([^/]+)$/.exec(collection) ?? [];
  const everywhere = collection.replace(/\/[^/]+$/, '');
  return (
    objectPath === `${collection}/${name}` ||
    objectPath === `${everywhere}/namespaces/${namespace}/${kind}/${name}`
  );
}

/** Applies a JSON merge patch (RFC 7396). */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return structuredClone(patch);
  const merged: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}
