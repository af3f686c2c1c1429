/**
 * An API server for the lab: enough of the Kubernetes REST dialect that `kubectl`, `@kubernetes/client-node` and Bellman itself work
 * against it unchanged. Objects live in memory. Beside the API stands `/lab`: counts of requests for tests that say "nothing was
 * written", and knobs that cut watches, forget history or refuse to answer, for tests of what happens then.
 */
import { randomUUID } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import jsonPatch from 'fast-json-patch';
import { admit } from './defaults.ts';
import { discovery } from './discovery.ts';
import { present, storedForm, table, wantsTable } from './presentation.ts';
import { ApiProblem, notFound } from './problem.ts';
import { apiVersionOf, type KubernetesObject, type Resource, resources, storageKey } from './resources.ts';
import { fieldMatcher, labelMatcher } from './selectors.ts';
import { type Change, Store } from './store.ts';
import { mergePatch, strategicMerge } from './strategic-merge.ts';

export interface ApiServerOptions {
  /** PEM; plain HTTP without. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Bearer token that every request must carry. */
  readonly token?: string;
}

interface Target {
  readonly resource: Resource;
  readonly namespace?: string;
  readonly name?: string;
  readonly status: boolean;
}

const maxObjectBytes = 1_572_864;
const bookmarkMs = 30_000;

export class ApiServer {
  readonly store = new Store();
  readonly #token: string | undefined;
  readonly #server: Server;
  readonly #watches = new Set<ServerResponse>();
  readonly #counts = new Map<string, number>();
  #refusing = false;

  constructor(options: ApiServerOptions = {}) {
    this.#token = options.token;
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      void this.#handle(request, response);
    this.#server = options.tls ? createHttpsServer(options.tls, handle) : createHttpServer(handle);
    this.#server.keepAliveTimeout = 60_000;
    for (const name of ['default', 'kube-system'])
      this.store.put('/v1/namespaces', name, {
        metadata: { name, uid: randomUUID(), creationTimestamp: now() },
        status: { phase: 'Active' },
      });
  }

  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => resolve((this.#server.address() as { port: number }).port));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    try {
      if (url.pathname.startsWith('/lab/')) return this.#control(request, url, response);
      if (this.#refusing) {
        request.socket.destroy();
        return;
      }
      if (this.#token !== undefined && request.headers.authorization !== `Bearer ${this.#token}`)
        throw new ApiProblem(401, 'Unauthorized', 'Unauthorized');
      if (/^\/(healthz|readyz|livez)/.test(url.pathname)) return send(response, 200, 'ok');
      // An empty document in protobuf: old kubectl then leaves validation to the server.
      if (url.pathname === '/openapi/v2') return send(response, 200, '', 'application/octet-stream');
      const answer = discovery(url.pathname.replace(/(.)\/$/, '$1'));
      if (answer) return send(response, 200, answer);
      const target = targetOf(url.pathname);
      if (!target) throw new ApiProblem(404, 'NotFound', 'the server could not find the requested resource');
      await this.#serve(target, request, url, response);
    } catch (error) {
      const problem =
        error instanceof ApiProblem ? error : new ApiProblem(500, 'InternalError', String(error));
      if (response.headersSent) response.destroy();
      else send(response, problem.code, problem.toStatus());
    }
  }

  async #serve(target: Target, request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
    const { resource, name } = target;
    const method = request.method ?? 'GET';
    const watching = method === 'GET' && ['true', '1'].includes(url.searchParams.get('watch') ?? '');
    this.#count(
      watching ? 'WATCH' : name === undefined && method === 'GET' ? 'LIST' : method,
      target,
      request,
    );
    if (watching) return this.#watch(target, request, url, response);
    const shown = (object: KubernetesObject, code = 200) => {
      const presented = present(resource, object);
      const asTable = wantsTable(request.headers.accept);
      send(
        response,
        code,
        asTable ? table(resource, [presented], object.metadata.resourceVersion ?? '') : presented,
      );
    };
    switch (method) {
      case 'GET':
        return name === undefined
          ? this.#list(target, request, url, response)
          : shown(this.#existing(target));
      case 'POST':
        return shown(this.#create(target, (await readJson(request)) as KubernetesObject), 201);
      case 'PUT':
        return shown(this.#update(target, (await readJson(request)) as KubernetesObject));
      case 'PATCH':
        return shown(this.#patch(target, request.headers['content-type'] ?? '', await readJson(request)));
      case 'DELETE': {
        const options = await readJson(request).catch(() => ({}));
        if (name === undefined) return this.#deleteCollection(target, url, response);
        const precondition = (options as { preconditions?: { uid?: string } }).preconditions?.uid;
        const existing = this.#existing(target);
        if (precondition !== undefined && precondition !== existing.metadata.uid)
          throw new ApiProblem(
            409,
            'Conflict',
            `the UID in the precondition (${precondition}) does not match`,
          );
        const deleted = this.#delete(target, existing);
        return send(response, 200, {
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Success',
          details: { name, kind: resource.plural, uid: deleted.metadata.uid },
        });
      }
      default:
        throw new ApiProblem(405, 'MethodNotAllowed', `${method} is not allowed`);
    }
  }

  #existing(target: Target): KubernetesObject {
    const object = this.store.get(storageKey(target.resource), keyOf(target));
    if (!object) throw notFound(target.resource.plural, target.name ?? '');
    return object;
  }

  #list({ resource, namespace }: Target, request: IncomingMessage, url: URL, response: ServerResponse): void {
    const matches = matcherOf(url, namespace);
    const { after, version } = continueToken(url.searchParams.get('continue'));
    const limit = Number(url.searchParams.get('limit') ?? 0);
    const found = this.store
      .list(storageKey(resource))
      .filter(([key, object]) => key > after && matches(object));
    const page = limit > 0 ? found.slice(0, limit) : found;
    const resourceVersion = version ?? String(this.store.version);
    const last = page.at(-1)?.[0];
    const more =
      found.length > page.length && last !== undefined
        ? {
            continue: Buffer.from(JSON.stringify({ after: last, version: resourceVersion })).toString(
              'base64',
            ),
            remainingItemCount: found.length - page.length,
          }
        : {};
    const items = page.map(([, object]) => present(resource, object));
    const plain = {
      kind: `${resource.kind}List`,
      apiVersion: apiVersionOf(resource),
      metadata: { resourceVersion, ...more },
      items,
    };
    const asTable = wantsTable(request.headers.accept);
    send(response, 200, asTable ? table(resource, items, resourceVersion, more) : plain);
  }

  #create(target: Target, body: KubernetesObject): KubernetesObject {
    const { resource } = target;
    const metadata = { ...body.metadata };
    if (!metadata.name && metadata.generateName)
      metadata.name = metadata.generateName + randomUUID().slice(0, 8).replaceAll('-', '');
    if (!metadata.name)
      throw new ApiProblem(
        422,
        'Invalid',
        `${resource.kind} is invalid: metadata.name: Required value: name or generateName is required`,
      );
    const namespace = resource.namespaced ? (target.namespace ?? metadata.namespace ?? 'default') : undefined;
    if (namespace !== undefined && metadata.namespace !== undefined && metadata.namespace !== namespace)
      throw new ApiProblem(
        400,
        'BadRequest',
        `the namespace of the object (${metadata.namespace}) is not that of the request (${namespace})`,
      );
    const home = namespace === undefined ? undefined : this.store.get('/v1/namespaces', namespace);
    if (namespace !== undefined && !home) throw notFound('namespaces', namespace);
    const key = keyOf({ ...target, name: metadata.name, ...(namespace === undefined ? {} : { namespace }) });
    if (this.store.get(storageKey(resource), key))
      throw new ApiProblem(409, 'AlreadyExists', `${resource.plural} "${metadata.name}" already exists`, {
        name: metadata.name,
        kind: resource.plural,
      });
    const { resourceVersion: _, ...fresh } = metadata;
    const object = admit(
      resource,
      {
        ...storedForm(resource, body),
        metadata: {
          ...fresh,
          ...(namespace === undefined ? {} : { namespace }),
          uid: randomUUID(),
          creationTimestamp: now(),
          generation: 1,
        },
      },
      undefined,
    );
    return this.store.put(storageKey(resource), key, limited(object));
  }

  #update(target: Target, body: KubernetesObject): KubernetesObject {
    const before = this.#existing(target);
    return this.#replace(target, before, storedForm(target.resource, body));
  }

  #patch(target: Target, contentType: string, patch: unknown): KubernetesObject {
    const before = this.#existing(target);
    const shown = present(target.resource, before);
    let after: unknown;
    if (contentType.startsWith('application/json-patch+json')) {
      const problem = jsonPatch.validate(patch as jsonPatch.Operation[], shown);
      if (problem)
        throw new ApiProblem(
          422,
          'Invalid',
          `the patch cannot be applied: ${problem.message.split('\n')[0]}`,
        );
      after = jsonPatch.applyPatch(structuredClone(shown), patch as jsonPatch.Operation[]).newDocument;
    } else if (contentType.startsWith('application/merge-patch+json')) after = mergePatch(shown, patch);
    else if (contentType.startsWith('application/strategic-merge-patch+json'))
      after = strategicMerge(shown, patch);
    else
      throw new ApiProblem(
        415,
        'UnsupportedMediaType',
        `patches of type ${contentType} are not supported by the lab's API server`,
      );
    return this.#replace(target, before, storedForm(target.resource, after as KubernetesObject));
  }

  /** Stores an update: the status only by its own path, the spec only without it, metadata by both. */
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
    const { uid, creationTimestamp, name, namespace, deletionTimestamp, resourceVersion, generation } =
      before.metadata;
    const fixed = {
      name,
      uid,
      creationTimestamp,
      resourceVersion,
      generation,
      ...(namespace === undefined ? {} : { namespace }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    };
    const chosen: KubernetesObject = status
      ? { ...before, ...(after.status === undefined ? {} : { status: after.status }) }
      : { ...after, ...(resource.hasStatus && before.status !== undefined ? { status: before.status } : {}) };
    const merged = {
      ...chosen,
      // The status path takes metadata too, as Kubernetes' own kinds do; only the spec stays as it was.
      metadata: { ...after.metadata, ...fixed },
    } as KubernetesObject;
    const next = limited(status ? merged : admit(resource, merged, before));
    if (canonical(next) === canonical(before)) return before;
    if (
      canonical({ ...next, metadata: {}, status: {} }) !== canonical({ ...before, metadata: {}, status: {} })
    )
      next.metadata = { ...next.metadata, generation: (generation ?? 1) + 1 };
    const key = keyOf(target);
    if (deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0)
      return this.store.remove(storageKey(resource), key) ?? next;
    return this.store.put(storageKey(resource), key, next);
  }

  #delete(target: Target, object: KubernetesObject): KubernetesObject {
    const kind = storageKey(target.resource);
    const key = keyOf({
      ...target,
      name: object.metadata.name,
      ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
    });
    if ((object.metadata.finalizers ?? []).length > 0) {
      if (object.metadata.deletionTimestamp !== undefined) return object;
      return this.store.put(kind, key, {
        ...object,
        metadata: { ...object.metadata, deletionTimestamp: now() },
      });
    }
    if (target.resource.kind === 'Namespace')
      for (const resource of resources)
        if (resource.namespaced && resource.storedAs === undefined)
          for (const [inside] of this.store.list(storageKey(resource)))
            if (inside.startsWith(`${object.metadata.name}/`))
              this.store.remove(storageKey(resource), inside);
    return this.store.remove(kind, key) ?? object;
  }

  #deleteCollection(target: Target, url: URL, response: ServerResponse): void {
    const matches = matcherOf(url, target.namespace);
    for (const [, object] of this.store.list(storageKey(target.resource)))
      if (matches(object)) this.#delete(target, object);
    send(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
  }

  #watch(
    { resource, namespace, name }: Target,
    request: IncomingMessage,
    url: URL,
    response: ServerResponse,
  ): void {
    const kind = storageKey(resource);
    const matchesSelectors = matcherOf(url, namespace);
    const matches = (object: KubernetesObject) =>
      matchesSelectors(object) && (name === undefined || object.metadata.name === name);
    const asTable = wantsTable(request.headers.accept);
    const write = (type: string, object: object) => response.write(`${JSON.stringify({ type, object })}\n`);
    let first = true;
    const event = (type: string, object: KubernetesObject) => {
      const presented = present(resource, object);
      if (!asTable) return write(type, presented);
      const whole = table(resource, [presented], object.metadata.resourceVersion ?? '');
      write(type, first ? whole : { ...whole, columnDefinitions: null });
      first = false;
    };
    const tell = ({ type, object, before }: Change) => {
      const now = type !== 'DELETED' && matches(object);
      const then = before !== undefined && matches(before);
      if (now) event(then ? 'MODIFIED' : 'ADDED', object);
      else if (then)
        event('DELETED', {
          ...(type === 'DELETED' ? object : before),
          metadata: { ...before.metadata, resourceVersion: object.metadata.resourceVersion ?? '' },
        });
    };
    const from = url.searchParams.get('resourceVersion') ?? '';
    const history = from === '' || from === '0' ? [] : this.store.since(kind, Number(from));
    response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    if (!history) {
      write('ERROR', new ApiProblem(410, 'Expired', `too old resource version: ${from}`).toStatus());
      response.end();
      return;
    }
    if (from === '' || from === '0')
      for (const [, object] of this.store.list(kind)) if (matches(object)) event('ADDED', object);
    for (const change of history) tell(change);
    const ignore = this.store.listen(kind, tell);
    const bookmark = setInterval(() => {
      if (url.searchParams.get('allowWatchBookmarks') === 'true' && !asTable)
        write('BOOKMARK', {
          kind: resource.kind,
          apiVersion: apiVersionOf(resource),
          metadata: { resourceVersion: String(this.store.version) },
        });
    }, bookmarkMs);
    const seconds = Number(url.searchParams.get('timeoutSeconds') ?? 1800);
    const limit = setTimeout(() => response.end(), seconds * 1000);
    this.#watches.add(response);
    response.on('close', () => {
      ignore();
      clearInterval(bookmark);
      clearTimeout(limit);
      this.#watches.delete(response);
    });
  }

  /** `/lab/requests`, `/lab/reset`, `/lab/cut-watches`, `/lab/compact`, `/lab/refuse`, `/lab/serve`. */
  #control(request: IncomingMessage, url: URL, response: ServerResponse): void {
    const knob = url.pathname.slice('/lab/'.length);
    const knobs: Record<string, () => void> = {
      reset: () => this.#counts.clear(),
      compact: () => this.store.compact(),
      serve: () => {
        this.#refusing = false;
      },
      refuse: () => {
        this.#refusing = true;
        this.#cutWatches();
      },
      'cut-watches': () => this.#cutWatches(),
    };
    if (knob === 'requests') {
      send(response, 200, Object.fromEntries(this.#counts));
    } else if (request.method === 'POST' && knobs[knob]) {
      knobs[knob]();
      send(response, 200, {});
    } else {
      send(response, 404, { knobs: Object.keys(knobs) });
    }
  }

  #cutWatches(): void {
    for (const watch of this.#watches) watch.destroy();
  }

  #count(verb: string, { resource, status }: Target, request: IncomingMessage): void {
    const agent = (request.headers['user-agent'] ?? '').split('/')[0];
    const key = `${agent} ${verb} ${resource.plural}${status ? '/status' : ''}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}

function targetOf(path: string): Target | undefined {
  const [, core, group = '', version, rest] =
    /^\/(?:(api)|apis\/([^/]+))\/([^/]+)\/(.+?)\/?$/.exec(path) ?? [];
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
  };
}

function keyOf({ resource, namespace, name }: Pick<Target, 'resource' | 'namespace' | 'name'>): string {
  return resource.namespaced ? `${namespace ?? 'default'}/${name}` : (name ?? '');
}

function matcherOf(url: URL, namespace: string | undefined): (object: KubernetesObject) => boolean {
  const byField = fieldMatcher(url.searchParams.get('fieldSelector'));
  const byLabel = labelMatcher(url.searchParams.get('labelSelector'));
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    byField(object) &&
    byLabel(object);
}

function continueToken(token: string | null): { after: string; version?: string } {
  if (!token) return { after: '' };
  try {
    return JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as { after: string; version: string };
  } catch {
    throw new ApiProblem(400, 'BadRequest', 'the continue token cannot be read');
  }
}

function limited(object: KubernetesObject): KubernetesObject {
  const size = Buffer.byteLength(JSON.stringify(object));
  if (size > maxObjectBytes)
    throw new ApiProblem(
      413,
      'RequestEntityTooLarge',
      `the object has ${size} bytes, at most ${maxObjectBytes}`,
    );
  return object;
}

/** JSON that does not depend on the order of keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const type = request.headers['content-type'] ?? 'application/json';
  if (type.includes('protobuf'))
    throw new ApiProblem(
      415,
      'UnsupportedMediaType',
      'the lab reads JSON only: use kubectl apply or kubectl create -f',
    );
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new ApiProblem(400, 'BadRequest', `the body is not JSON: ${(error as Error).message}`);
  }
}

function send(response: ServerResponse, code: number, body: object | string, type?: string): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(code, {
    'content-type': type ?? (typeof body === 'string' ? 'text/plain' : 'application/json'),
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
