/**
 * An API server for the lab: enough of the Kubernetes REST dialect that `kubectl`, `@kubernetes/client-node` and Bellman itself work
 * against it unchanged. Objects live in memory and end with it. It answers in JSON only, knows the kinds of `resources.ts` only, and has
 * no admission but `defaults.ts`, no authorization, no server-side apply, and no controllers beside the deletion of a namespace's content.
 *
 *   request ─▶ server.ts: token, knobs, discovery ─▶ target.ts: what it is about
 *                ├─▶ objects.ts: get, list, create, update, patch, delete ─▶ defaults.ts ─▶ store.ts
 *                └─▶ watch.ts ◀─ changes ─ store.ts
 *   answer  ◀─ presentation.ts: group and version, or rows and columns
 *
 * Beside the API stands `/lab`: counts of requests for tests that say "nothing was written", and knobs for tests of what happens when
 * an API server fails. They need no token and work whatever the rest does.
 *   GET  /lab/requests      requests since the last reset, by user agent, verb and resource
 *   POST /lab/reset         counts from zero
 *   POST /lab/cut-watches   breaks each open watch
 *   POST /lab/compact       forgets history: watches that resume are told 410 Gone
 *   POST /lab/refuse        breaks each connection and watch at once, until serve
 *   POST /lab/pause         accepts connections and says nothing, on watches too, until serve
 *   POST /lab/serve         ends refuse and pause
 */
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
import { present, table, wantsTable } from './presentation.ts';
import { ApiProblem } from './problem.ts';
import { decodeProtobuf } from './protobuf.ts';
import type { KubernetesObject } from './resources.ts';
import { Store } from './store.ts';
import { matcherOf, type Target, targetOf } from './target.ts';
import { serveWatch, watchOptionsOf } from './watch.ts';

export interface ApiServerOptions {
  /** PEM; plain HTTP without. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Bearer token that every request must carry. */
  readonly token?: string;
  /** How often a watch that wants bookmarks gets one; 30 s when absent. */
  readonly bookmarkMs?: number;
}

/** The part that is heeded of a deletion's body. */
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
  #refusing = false;
  #paused: PromiseWithResolvers<void> | undefined;

  constructor(options: ApiServerOptions = {}) {
    this.#options = options;
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      void this.#handle(request, response);
    this.#server = options.tls ? createHttpsServer(options.tls, handle) : createHttpServer(handle);
    this.#server.keepAliveTimeout = 60_000;
  }

  /** Returns the port, which the system chose when 0 was asked for. */
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
    const { token } = this.#options;
    try {
      if (url.pathname.startsWith('/lab/')) return this.#control(request, url, response);
      if (this.#refusing) {
        request.socket.destroy();
        return;
      }
      await this.#paused?.promise;
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
        throw new ApiProblem(401, 'Unauthorized', 'Unauthorized');
      if (/^\/(healthz|readyz|livez)/.test(url.pathname)) return send(response, 200, 'ok');
      // An empty document in protobuf: old kubectl then leaves validation to the server.
      if (url.pathname === '/openapi/v2') return send(response, 200, '', 'application/octet-stream');
      const answer = discovery(url.pathname.replace(/(.)\/$/, '$1'));
      if (answer) return send(response, 200, answer);
      if (request.method === 'POST' && Authentication.serves(url.pathname))
        return send(response, 201, this.#authentication.answer(url.pathname, await readBody(request)));
      const target = targetOf(url);
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
    const { method = 'GET', headers } = request;
    const asTable = wantsTable(headers.accept);
    const watching = method === 'GET' && ['true', '1'].includes(url.searchParams.get('watch') ?? '');
    this.#count(
      watching ? 'WATCH' : name === undefined && method === 'GET' ? 'LIST' : method,
      target,
      request,
    );
    const show = (code: number, object: KubernetesObject) => {
      const presented = present(resource, object);
      const { resourceVersion = '' } = object.metadata;
      send(response, code, asTable ? table(resource, [presented], { resourceVersion }) : presented);
    };
    switch (method) {
      case 'GET': {
        if (watching) {
          const every = this.#options.bookmarkMs ?? 30_000;
          const options = watchOptionsOf(url, resource, matcherOf(target, url), asTable, every);
          this.#watches.add(response);
          response.on('close', () => this.#watches.delete(response));
          return serveWatch(this.#store, response, options);
        }
        if (name !== undefined) return show(200, this.#objects.get(target));
        const { searchParams } = url;
        const limit = Number(searchParams.get('limit') ?? 0);
        const matches = matcherOf(target, url);
        const page = this.#objects.list(target, matches, limit, searchParams.get('continue'));
        return send(
          response,
          200,
          asTable ? table(resource, page.items, page.metadata) : listOf(resource, page),
        );
      }
      case 'POST':
        return show(201, this.#objects.create(target, (await readBody(request)) as KubernetesObject));
      case 'PUT':
        return show(200, this.#objects.update(target, (await readBody(request)) as KubernetesObject));
      case 'PATCH': {
        const type = headers['content-type'] ?? '';
        // Its body is YAML: refused before it is read.
        if (!type.includes('json')) throw unsupportedPatch(type);
        return show(200, this.#objects.patch(target, type, await readBody(request)));
      }
      case 'DELETE': {
        const options = ((await readBody(request)) ?? {}) as DeleteOptions;
        const wanted = { ...target, dryRun: target.dryRun || options.dryRun?.includes('All') === true };
        if (name === undefined) {
          this.#objects.deleteCollection(wanted, matcherOf(target, url));
          return send(response, 200, success({}));
        }
        const { uid } = this.#objects.delete(wanted, options.preconditions).metadata;
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
        this.#refusing = true;
        this.#cutWatches();
      },
      pause: () => this.#pause(),
      serve: () => this.#resume(),
    };
    const name = url.pathname.slice('/lab/'.length);
    const turn = knobs[name];
    if (name === 'requests') {
      send(response, 200, Object.fromEntries(this.#counts));
    } else if (request.method === 'POST' && turn) {
      turn();
      send(response, 200, {});
    } else {
      send(response, 404, { knobs: Object.keys(knobs) });
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
    this.#refusing = false;
    this.#paused?.resolve();
    this.#paused = undefined;
    for (const watch of this.#watches) while (watch.writableCorked > 0) watch.uncork();
  }

  #count(verb: string, { resource, status }: Target, request: IncomingMessage): void {
    const agent = (request.headers['user-agent'] ?? '').split('/')[0];
    const key = `${agent} ${verb} ${resource.plural}${status ? '/status' : ''}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}

function success(details: object): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

/** `undefined` when there is no body. */
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
