/**
 * The HTTP endpoint of a process.
 *
 *   /metrics       Prometheus text
 *   /healthz       200 while the process works, else 503 with the reasons. After 503 a restart may help
 *   /readyz        200 while the process can do its whole job, else 503 with the reasons
 *   /status        the state of the process as JSON (`cluster/status.ts`); access control applies
 *   /page/         the web page (`src/page/`), when the process serves it; access control applies, with one permission for all of its paths
 *   /capture       frames of the control traffic as pcapng, when the process captures; access control applies, with a permission of its own
 *   /debug/events  the flight recorder's events as JSON lines; `?machine=NAME` or `?address=ADDRESS` selects some; access control applies.
 *                  The address of a peer also selects all events of that peer. `machine` may be repeated
 *
 * A request that raises an exception is answered with 500 and reported by the guard. `http-limits.ts` bounds what clients can cost together.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { Turns } from '../turns.ts';
import type { AccessControl } from './access.ts';
import { type EventFilter, matchesFilter } from './event-filter.ts';
import type { RecordedEvent } from './flight-recorder.ts';
import type { Guard } from './guard.ts';
import type { HttpLimits } from './http-limits.ts';
import { jsonText } from './json-text.ts';

/** The content of a process's HTTP endpoint. */
export interface Endpoints {
  readonly registry: {
    readonly contentType: string;
    /** The text in pieces. No piece is asked for before the client has read most of the earlier ones. */
    metrics(): AsyncIterable<string>;
  };
  /** Why the process does not work. Empty while it works. */
  readonly unhealthy: () => readonly string[];
  /** Why the process cannot do its whole job, for reasons that a restart does not remove. */
  readonly notReady?: () => readonly string[];
  readonly status: () => unknown;
  /** All recorded events, oldest first. */
  readonly events: () => Promise<readonly RecordedEvent[]>;
  /** Names of the machines that belong to an address, even if their events do not mention it. */
  readonly machinesOf?: (address: string) => readonly string[];
  /**
   * The name under which the events of the requested machine are recorded; `undefined` when it is the requested name itself. For example, peers
   * that share a BFD session have one machine, which has the name of the first peer.
   */
  readonly recordedAs?: (machine: string) => string | undefined;
  readonly guard: Guard;
  /** When given, a long `/status` is written in slices. */
  readonly turns?: Turns | undefined;
  /** Captures frames. Ends early when the client goes away. Absent in a process that captures none. */
  readonly capture?: (query: URLSearchParams, signal: AbortSignal) => Promise<CaptureReply>;
  /** Serves the web page. Absent in a process that serves none. */
  readonly page?: (request: PageRequest) => Promise<Reply>;
  /** Allows or refuses requests for the paths that show internal state. */
  readonly access: Pick<AccessControl, 'check'>;
  readonly limits: HttpLimits;
}

/** A request for something below `/page/`. */
export interface PageRequest {
  /** The path after `/page/`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly ifNoneMatch: string | undefined;
  readonly acceptEncoding: string | undefined;
}

/** A file in the format pcapng, or why there is none. */
export type CaptureReply =
  | { readonly status: 200; readonly file: Buffer }
  | { readonly status: 400 | 404 | 429 | 503; readonly reason: string };

/** An address on which a process serves HTTP. The host `::` stands for all addresses of both families. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface HttpEndpoint {
  /** Port of the first address. */
  readonly port: number;
  close(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | AsyncIterable<string>;
}

const plainText = 'text/plain; charset=utf-8';
const pagePath = '/page';

/** Serves the endpoints on all addresses. Rejects when one address cannot be bound, and then serves on none. */
export async function serveHttp(
  addresses: readonly ListenAddress[],
  endpoints: Endpoints,
): Promise<HttpEndpoint> {
  const servers: Server[] = [];
  const close = async () => void (await Promise.all(servers.map(closeServer)));
  try {
    for (const address of addresses) servers.push(await listen(address, endpoints));
  } catch (error) {
    await close();
    throw error;
  }
  const bound = servers[0]?.address() as AddressInfo | undefined;
  return { port: bound?.port ?? 0, close };
}

async function listen({ host, port }: ListenAddress, endpoints: Endpoints): Promise<Server> {
  const server = createServer((request, response) => void answer(request, response, endpoints));
  server.on('connection', (socket) => endpoints.limits.connected(socket));
  await new Promise<void>((resolve, reject) => {
    // The listener stays after the port is bound, although `reject` then has no effect. Without a listener, a connection that the kernel fails
    // to accept would end the process.
    server.on('error', (cause: NodeJS.ErrnoException) => {
      const where = host === '::' ? `port ${port}` : `${host} port ${port}`;
      reject(new Error(`--metrics-address: cannot listen on ${where}: ${bindFault(cause)}`, { cause }));
    });
    server.listen(port, host, resolve);
  });
  return server;
}

function bindFault({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRNOTAVAIL') return 'this machine does not have the address';
  if (code === 'EADDRINUSE') return 'another socket uses the port';
  return message;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Never rejects. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  endpoints: Endpoints,
): Promise<void> {
  const { limits } = endpoints;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  if (!isCheap(pathOf(request)) && !limits.admit(request.socket, response)) {
    response.writeHead(429, { 'content-type': plainText, 'retry-after': '1' }).end('too many requests\n');
    return;
  }
  try {
    const refusal = await refusalOf(request, endpoints.access);
    const { status, headers, body } =
      refusal ?? (await replyTo(request, endpoints, () => clientSignal(response)));
    const begin = () => {
      limits.answered(request.socket, response);
      response.writeHead(status, headers);
    };
    if (typeof body !== 'string' && !Buffer.isBuffer(body)) return await sendPieces(response, body, begin);
    begin();
    response.end(body);
  } catch (error) {
    const source = `${request.socket.remoteAddress ?? 'unknown'} ${request.method}`;
    endpoints.guard.failed({ entrance: 'http', source, octets: Buffer.from(request.url ?? '') }, error);
    if (response.headersSent) response.destroy();
    else response.writeHead(500, { 'content-type': plainText }).end('internal error\n');
  }
}

/** Sends a body in pieces, not faster than the client reads. Calls `begin` when the first piece is there. Stops when the client goes away. */
async function sendPieces(
  response: ServerResponse,
  body: AsyncIterable<string>,
  begin: () => void,
): Promise<void> {
  for await (const piece of body) {
    if (response.destroyed) return;
    if (!response.headersSent) begin();
    if (!response.write(piece)) await drained(response);
  }
  if (!response.headersSent) begin();
  response.end();
}

/** Resolves when the response can take more, or when the client has gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    if (response.destroyed) resolve();
    else response.on('drain', done).on('close', done);
  });
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '/';
}

/**
 * A probe costs next to nothing, and the kubelet restarts a process that does not answer it. A file of the page costs little, and a browser asks
 * for all files at once.
 */
function isCheap(path: string): boolean {
  return path === '/healthz' || path === '/readyz' || /^\/page\/[a-z-]+\.(css|js|svg)$/.test(path);
}

async function refusalOf(request: IncomingMessage, access: Endpoints['access']): Promise<Reply | undefined> {
  const path = judgedPath(pathOf(request));
  if (path === undefined) return undefined;
  // A web site whose name resolves to a loopback address could make a browser on this host, or at the other end of a forwarded port, send
  // requests here. A request whose `Host` header holds a name other than `localhost` therefore does not count as one from loopback.
  const client = { address: request.socket.remoteAddress, namesOwnHost: isOwnHost(request.headers.host) };
  const verdict = await access.check(client, request.headers.authorization, path);
  return verdict.allowed ? undefined : textReply(verdict.status, `${verdict.reason}\n`);
}

/** The path that the access control judges; `undefined` for a path that is open. One permission covers all files of the page. */
function judgedPath(path: string): string | undefined {
  if (path === pagePath || path.startsWith(`${pagePath}/`)) return pagePath;
  return path === '/status' || path === '/capture' || path.startsWith('/debug/') ? path : undefined;
}

/** Whether the header `host` names a host by its address or as `localhost`, and not by a name that others control. */
function isOwnHost(header = 'localhost'): boolean {
  const host = header.replace(/:\d*$/, '');
  return host === 'localhost' || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

/** Aborts when the connection of the client ends. */
function clientSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  // The client may have gone while its token was being checked.
  if (response.destroyed) gone.abort();
  response.once('close', () => gone.abort());
  return gone.signal;
}

async function replyTo(
  request: IncomingMessage,
  endpoints: Endpoints,
  signalOf: () => AbortSignal,
): Promise<Reply> {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  switch (path) {
    case '/metrics':
      return typedReply(endpoints.registry.contentType, endpoints.registry.metrics());
    case '/healthz':
      return health(endpoints.unhealthy());
    case '/readyz':
      return health([...endpoints.unhealthy(), ...(endpoints.notReady?.() ?? [])]);
    case '/status':
      return typedReply('application/json', `${await jsonText(endpoints.status(), endpoints.turns)}\n`);
    case '/debug/events':
      return eventLines(await endpoints.events(), filterOf(new URLSearchParams(query), endpoints));
    case '/capture':
      if (endpoints.capture)
        return captureReply(await endpoints.capture(new URLSearchParams(query), signalOf()));
      return textReply(404, 'only speakers capture frames\n');
    // The page names its files by relative paths, which are right only below `/page/`.
    case pagePath:
      return { status: 308, headers: { location: `${pagePath}/` }, body: '' };
    default:
      if (path.startsWith(`${pagePath}/`)) return pageReply(request, path, query, endpoints);
      return textReply(404, 'try /metrics, /healthz, /readyz, /status, /page/, /debug/events or /capture\n');
  }
}

async function pageReply(
  { headers }: IncomingMessage,
  path: string,
  query: string,
  { page }: Pick<Endpoints, 'page'>,
): Promise<Reply> {
  if (!page) return textReply(404, 'only the controller serves the page\n');
  const { 'if-none-match': ifNoneMatch, 'accept-encoding': acceptEncoding } = headers;
  return page({
    path: path.slice(pagePath.length + 1),
    query: new URLSearchParams(query),
    ifNoneMatch,
    acceptEncoding: acceptEncoding?.toString(),
  });
}

function typedReply(type: string, body: Reply['body']): Reply {
  return { status: 200, headers: { 'content-type': type }, body };
}

function textReply(status: number, body: string): Reply {
  return { status, headers: { 'content-type': plainText }, body };
}

function captureReply(reply: CaptureReply): Reply {
  return reply.status === 200
    ? typedReply('application/x-pcapng', reply.file)
    : textReply(reply.status, `${reply.reason}\n`);
}

function health(reasons: readonly string[]): Reply {
  return reasons.length === 0 ? textReply(200, 'ok\n') : textReply(503, `${reasons.join('\n')}\n`);
}

function filterOf(
  query: URLSearchParams,
  { machinesOf, recordedAs }: Pick<Endpoints, 'machinesOf' | 'recordedAs'>,
): EventFilter {
  const address = query.get('address');
  return {
    machines: query.getAll('machine').map((machine) => recordedAs?.(machine) ?? machine),
    address: address === null ? undefined : { text: address, machines: machinesOf?.(address) ?? [] },
  };
}

function eventLines(events: readonly RecordedEvent[], filter: EventFilter): Reply {
  const lines = events.filter((event) => matchesFilter(event, filter)).map((event) => JSON.stringify(event));
  return typedReply('application/x-ndjson', lines.map((line) => `${line}\n`).join(''));
}
