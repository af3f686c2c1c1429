/**
 * An API server for the lab. It implements enough of the Kubernetes REST API for `kubectl`, `@kubernetes/client-node` and Bellman to work
 * unchanged. Objects live in memory and end with the process. The server answers in JSON and knows only the kinds of `resources.ts`. It has
 * no authorization, and no admission beyond `defaults.ts`. It supports server-side apply only for the conditions of a Service. It plays two
 * controllers: a new namespace gets its default ServiceAccount, and a deleted namespace loses its content.
 *
 *   request ──▶ server.ts: token, knobs, discovery ──▶ target.ts: resource, name, selectors
 *                 ├──▶ objects.ts: get, list, create, update, patch, delete ──▶ defaults.ts ──▶ store.ts
 *                 └──▶ watch.ts ◀── changes ── store.ts
 *   response ◀── presentation.ts: group and version, or rows and columns
 *
 * The paths below `/lab` are for tests. `/lab/requests` shows the counts of requests, so that a test can check that nothing was written. Each of the
 * other paths turns a knob. Most knobs make the server fail. The paths need no token, and they work whatever the knobs are set to.
 *   GET  /lab/requests      requests since the last reset, by user agent, verb and resource
 *   POST /lab/reset         resets the counts
 *   POST /lab/cut-watches   breaks all open watches
 *   POST /lab/compact       forgets history: watches that resume get 410 Gone
 *   POST /lab/refuse        breaks all open watches. Until POST /lab/serve, the server breaks the connection of each new request too.
 *   POST /lab/pause         accepts connections and sends nothing, not even on watches, until serve
 *   POST /lab/forbid        breaks all open watches. Until POST /lab/serve, the server answers every request except health checks with 403. A
 *                           real API server, too, answers with 403 in its first seconds.
 *   POST /lab/serve         ends refuse, pause and forbid
 */
import { readFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { Authentication } from './authentication.ts';
import { discovery } from './discovery.ts';
import { listOf, Objects, unsupportedPatch } from './objects.ts';
import { present, rowContentOf, table, wantsTable } from './presentation.ts';
import { ApiProblem } from './problem.ts';
import { decodeProtobuf } from './protobuf.ts';
import { type KubernetesObject, resources } from './resources.ts';
import { Store } from './store.ts';
import { matcherOf, type Target, targetOf } from './target.ts';
import { serveWatch, watchOptionsOf } from './watch.ts';

export interface ApiServerOptions {
  /** Key and certificate as PEM. Without them the server speaks plain HTTP. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Bearer token that every request must carry, except requests to the paths of health checks and below `/lab`. */
  readonly token?: string;
  /** Interval of bookmarks on watches that request them; 30 s by default. */
  readonly bookmarkMs?: number;
  /** Folder with a `NAME.log` for each Pod, which `kubectl logs` shows. */
  readonly logFolder?: string;
}

/** The supported part of the body of a DELETE. */
interface DeleteOptions {
  readonly dryRun?: readonly string[];
  readonly preconditions?: { readonly uid?: string };
}

export class ApiServer {
  readonly #store = new Store();
  readonly #objects = new Objects(this.#store);
  readonly #options: ApiServerOptions;
  readonly #server: Server;
  readonly #watches = new Set<ServerResponse>();
  readonly #counts = new Map<string, number>();
  readonly #authentication = new Authentication();
  #isRefusing = false;
  #isForbidding = false;
  #paused: PromiseWithResolvers<void> | undefined;

  constructor(options: ApiServerOptions = {}) {
    this.#options = options;
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      void this.#handle(request, response);
    this.#server = options.tls ? createHttpsServer(options.tls, handle) : createHttpServer(handle);
    this.#server.keepAliveTimeout = 60_000;
  }

  /** Resolves to the port. For port 0, the system chooses one. */
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
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    if (!url) return send(response, 400, '400 Bad Request');
    const { token } = this.#options;
    try {
      if (url.pathname.startsWith('/lab/')) return this.#control(request, url, response);
      if (this.#isRefusing) {
        request.socket.destroy();
        return;
      }
      await this.#paused?.promise;
      if (/^\/(healthz|readyz|livez)/.test(url.pathname)) return send(response, 200, 'ok');
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
        throw new ApiProblem(401, 'Unauthorized', 'Unauthorized');
      if (this.#isForbidding) {
        const forbidden = targetOf(url);
        if (forbidden) this.#count(forbidden, request, url);
        throw new ApiProblem(
          403,
          'Forbidden',
          `${request.method} ${url.pathname}: the lab forbids everything`,
        );
      }
      // An empty protobuf document: an old kubectl then leaves validation to the server.
      if (url.pathname === '/openapi/v2') return send(response, 200, '', 'application/octet-stream');
      const answer = discovery(url.pathname.replace(/(.)\/$/, '$1'));
      if (answer) return send(response, 200, answer);
      if (request.method === 'POST' && Authentication.serves(url.pathname))
        return send(
          response,
          201,
          this.#authentication.answer(url.pathname, await readBody(request), (namespace, name) =>
            this.#objects.hasServiceAccount(namespace, name),
          ),
        );
      const [, pod] = /^\/api\/v1\/namespaces\/[^/]+\/pods\/([-a-z0-9.]+)\/log$/.exec(url.pathname) ?? [];
      if (pod !== undefined) return send(response, 200, this.#podLog(pod, url));
      const target = targetOf(url);
      if (!target && !isKnownGroup(url.pathname)) return send(response, 404, '404 page not found\n');
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
    const { resource, name, status } = target;
    const { method = 'GET', headers } = request;
    const asTable = wantsTable(headers.accept);
    const isWatch = asksForWatch(request, url);
    const isCollection = isWatch || name === undefined;
    const isAllowed = isCollection
      ? ['GET', 'POST', 'DELETE'].includes(method)
      : method !== 'POST' && !(status && method === 'DELETE');
    if (!isAllowed)
      throw new ApiProblem(405, 'MethodNotAllowed', `${method} is not allowed on ${url.pathname}`);
    checkNumbers(url, isWatch);
    this.#count(target, request, url);
    const show = (code: number, object: KubernetesObject) => {
      const presented = present(resource, object);
      const { resourceVersion = '' } = object.metadata;
      send(
        response,
        code,
        asTable ? table(resource, [presented], { resourceVersion }, rowContentOf(url)) : presented,
      );
    };
    switch (method) {
      case 'GET': {
        if (isWatch) {
          const bookmarkMs = this.#options.bookmarkMs ?? 30_000;
          const matches = matcherOf(target, url);
          const options = {
            ...watchOptionsOf(url, resource, matches, asTable, bookmarkMs),
            paused: () => this.#paused?.promise,
          };
          this.#watches.add(response);
          response.on('close', () => this.#watches.delete(response));
          return serveWatch(this.#store, response, options);
        }
        if (name !== undefined) return show(200, this.#objects.get(target));
        const { searchParams } = url;
        const page = this.#objects.list(target, matcherOf(target, url), {
          limit: Number(searchParams.get('limit') ?? 0),
          token: searchParams.get('continue'),
          isSelection: Boolean(searchParams.get('labelSelector') || searchParams.get('fieldSelector')),
        });
        return send(
          response,
          200,
          asTable ? table(resource, page.items, page.metadata, rowContentOf(url)) : listOf(resource, page),
        );
      }
      case 'POST':
        return show(201, this.#objects.create(target, (await readBody(request)) as KubernetesObject));
      case 'PUT': {
        const code = this.#objects.has(target) ? 200 : 201;
        return show(code, this.#objects.update(target, (await readBody(request)) as KubernetesObject));
      }
      case 'PATCH': {
        const type = headers['content-type'] ?? '';
        if (type.startsWith('application/apply-patch') && isConditionsApply(target, url)) {
          const owner = url.searchParams.get('fieldManager') ?? '';
          return show(
            200,
            this.#objects.applyConditions(target, owner, (await readBody(request)) as KubernetesObject),
          );
        }
        // Other uses of server-side apply may send YAML: refuse them before parsing the body.
        if (!type.includes('json')) throw unsupportedPatch(type);
        return show(200, this.#objects.patch(target, type, await readBody(request)));
      }
      case 'DELETE': {
        const options = ((await readBody(request)) ?? {}) as DeleteOptions;
        const wanted = { ...target, dryRun: target.dryRun || options.dryRun?.includes('All') === true };
        if (name === undefined) {
          const items = this.#objects.deleteCollection(wanted, matcherOf(target, url));
          return send(response, 200, listOf(resource, { items, metadata: { resourceVersion: '' } }));
        }
        const deleted = this.#objects.delete(wanted, options.preconditions);
        if (resource.returnsDeleted) return show(200, asDeleted(resource, deleted));
        const { uid } = deleted.metadata;
        return send(response, 200, success({ name, kind: resource.plural, uid }));
      }
      default:
        throw new ApiProblem(405, 'MethodNotAllowed', `${method} is not allowed`);
    }
  }

  #control(request: IncomingMessage, url: URL, response: ServerResponse): void {
    const knobs: Readonly<Record<string, () => void>> = {
      reset: () => this.#counts.clear(),
      compact: () => this.#store.compact(),
      'cut-watches': () => this.#cutWatches(),
      refuse: () => {
        this.#isRefusing = true;
        this.#cutWatches();
      },
      pause: () => this.#pause(),
      forbid: () => {
        this.#isForbidding = true;
        this.#cutWatches();
      },
      serve: () => this.#resume(),
    };
    const name = url.pathname.slice('/lab/'.length);
    const turnKnob = knobs[name];
    if (name === 'requests') {
      send(response, 200, Object.fromEntries(this.#counts));
    } else if (request.method === 'POST' && turnKnob) {
      turnKnob();
      send(response, 200, {});
    } else {
      send(response, 404, { knobs: Object.keys(knobs) });
    }
  }

  /** The last `tailLines` lines of a Pod's log, or the whole log if the query does not set `tailLines`. */
  #podLog(pod: string, { searchParams }: URL): string {
    const { logFolder } = this.#options;
    try {
      const text = readFileSync(`${logFolder}/${pod}.log`, 'utf8');
      const tail = searchParams.get('tailLines');
      // Each line includes its newline, which the last line may lack.
      const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
      return tail === null ? text : lines.slice(Math.max(0, lines.length - Number(tail))).join('');
    } catch {
      throw new ApiProblem(404, 'NotFound', `the lab has no log of pod ${pod}`);
    }
  }

  #cutWatches(): void {
    for (const watch of this.#watches) watch.destroy();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = Promise.withResolvers();
    for (const watch of this.#watches) watch.cork();
  }

  #resume(): void {
    this.#isRefusing = false;
    this.#isForbidding = false;
    this.#paused?.resolve();
    this.#paused = undefined;
    for (const watch of this.#watches) while (watch.writableCorked > 0) watch.uncork();
  }

  #count({ resource, name, status }: Target, request: IncomingMessage, url: URL): void {
    const { method = 'GET' } = request;
    const verb = asksForWatch(request, url)
      ? 'WATCH'
      : name === undefined && method === 'GET'
        ? 'LIST'
        : method;
    const agent = (request.headers['user-agent'] ?? '').split('/')[0];
    const key = `${agent} ${verb} ${resource.plural}${status ? '/status' : ''}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}

function asksForWatch({ method = 'GET' }: IncomingMessage, { searchParams }: URL): boolean {
  return method === 'GET' && ['true', '1'].includes(searchParams.get('watch') ?? '');
}

function isConditionsApply({ resource, status }: Target, { searchParams }: URL): boolean {
  return resource.kind === 'Service' && status && searchParams.get('force') === 'true';
}

function isKnownGroup(path: string): boolean {
  const [, group] = /^\/apis\/([^/]+)\//.exec(path) ?? [];
  return group === undefined || resources.some((resource) => resource.group === group);
}

/** Throws the error with which a real server answers when the resourceVersion or the limit is not a number. */
function checkNumbers({ searchParams }: URL, isWatch: boolean): void {
  const isNumber = (name: string) => /^\d*$/.test(searchParams.get(name) ?? '');
  if (!isNumber('limit')) throw new ApiProblem(400, 'BadRequest', 'limit: expected a number');
  if (isNumber('resourceVersion')) return;
  const message = `resourceVersion: Invalid value: "${searchParams.get('resourceVersion')}"`;
  throw isWatch ? new ApiProblem(500, undefined, message) : new ApiProblem(400, 'BadRequest', message);
}

/** The answer to the deletion of a Pod says when the Pod ends. */
function asDeleted({ kind }: { readonly kind: string }, object: KubernetesObject): KubernetesObject {
  if (kind !== 'Pod') return object;
  return { ...object, metadata: { deletionTimestamp: new Date().toISOString(), ...object.metadata } };
}

function success(details: object): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

/** `undefined` for a DELETE without a body. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  if (body.length === 0 && request.method === 'DELETE') return undefined;
  if (request.headers['content-type']?.includes('protobuf')) return decodeProtobuf(body);
  try {
    return JSON.parse(body.toString('utf8'));
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
