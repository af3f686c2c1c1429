/**
 * One connection to the API server: requests with JSON bodies, and streams of JSON lines for watches. Where to go and how to
 * authenticate comes from `@kubernetes/client-node`'s KubeConfig (files, in-cluster, exec plugins, rotated tokens); requests are
 * our own, because watches need bookmarks, resumption and limits that a generated client hides, and because its agents open a
 * connection for each request.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import {
  type AgentOptions,
  request as httpsRequest,
  type RequestOptions,
  Agent as SecureAgent,
} from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { jsonLines } from './json-lines.ts';
import { Reachability } from './reachability.ts';

/** A call that the API server answered with an error, or that did not reach it. */
export class ApiError extends Error {
  /** HTTP status, 0 when there was no answer. */
  readonly status: number;
  /** `reason` of the Status object, e.g. `Conflict`, `Expired`. */
  readonly reason: string;

  constructor(status: number, reason: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
    this.reason = reason;
  }
}

type PatchType =
  | 'application/merge-patch+json'
  | 'application/strategic-merge-patch+json'
  | 'application/json-patch+json';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute, with its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: PatchType | 'application/json';
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** What the rest of the code needs of a connection; a {@link KubernetesClient}, or one that is held back by a Lease. */
export interface Api {
  readonly reachability: Reachability;
  request<T>(request: ApiRequest): Promise<T>;
  stream(path: string, onLine: (event: unknown) => void, signal: AbortSignal): Promise<void>;
}

/** Longest silence on a watch before it is taken for dead: bookmarks arrive about every minute. */
const watchSilenceMs = 330_000;
/** First keepalive probe on a quiet watch; libuv sends ten more, a second apart, before the connection is given up. */
const watchKeepAliveMs = 15_000;
const requestTimeoutMs = 15_000;

export class KubernetesClient implements Api {
  readonly reachability = new Reachability();
  readonly #config: KubeConfig;
  readonly #server: URL;
  readonly #proxied: boolean;
  readonly #userAgent: string;
  readonly #plainAgent = new Agent({ keepAlive: true });
  #secureAgent: { readonly credentials: string; readonly agent: SecureAgent } | undefined;

  constructor(config: KubeConfig, userAgent: string) {
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error('the kubeconfig names no current cluster');
    this.#config = config;
    this.#server = new URL(cluster.server);
    this.#proxied = cluster.proxyUrl !== undefined;
    this.#userAgent = userAgent;
    // KubeConfig refuses plain HTTP, as `kubectl proxy` and test servers speak it, unless told that TLS does not matter.
    if (this.#server.protocol === 'http:' && !cluster.skipTLSVerify)
      config.loadFromClusterAndUser(
        { ...cluster, skipTLSVerify: true },
        config.getCurrentUser() ?? { name: 'anonymous' },
      );
  }

  get server(): string {
    return this.#server.href;
  }

  /** Sends a request and returns the parsed body. Rejects with {@link ApiError}. */
  async request<T>(request: ApiRequest): Promise<T> {
    const { signal: outer, timeoutMs = requestTimeoutMs } = request;
    const limit = AbortSignal.timeout(timeoutMs);
    const response = await this.#send(request, outer ? AbortSignal.any([outer, limit]) : limit);
    try {
      return (await readBody(response)) as T;
    } catch (error) {
      throw noAnswer(request.method, request.path, error);
    }
  }

  /** Opens a watch and hands over each event until the server ends it. Rejects with {@link ApiError} when it cannot start or breaks. */
  async stream(path: string, onLine: (event: unknown) => void, signal: AbortSignal): Promise<void> {
    const silence = new AbortController();
    const both = AbortSignal.any([signal, silence.signal]);
    const response = await this.#send({ method: 'GET', path }, both);
    response.socket.setKeepAlive(true, watchKeepAliveMs);
    response.socket.setTimeout(watchSilenceMs, () => silence.abort(new Error('the watch fell silent')));
    try {
      for await (const line of unbroken(response, path)) onLine(line);
    } finally {
      response.destroy();
    }
  }

  /** Closes idle connections, so that the process can end. */
  close(): void {
    this.#plainAgent.destroy();
    this.#secureAgent?.agent.destroy();
  }

  async #send(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { method, path, body, contentType = 'application/json' } = request;
    const options: RequestOptions = { method, headers: {}, signal };
    // Also sets the token header, which plain HTTP needs as well.
    await this.#config.applyToHTTPSOptions(options);
    if (!this.#proxied) options.agent = this.#agent(options);
    const payload = body === undefined ? undefined : JSON.stringify(body);
    options.headers = {
      ...options.headers,
      accept: 'application/json',
      'user-agent': this.#userAgent,
      ...(payload === undefined
        ? {}
        : { 'content-type': contentType, 'content-length': Buffer.byteLength(payload) }),
    };
    const url = new URL(this.#server.pathname.replace(/\/$/, '') + path, this.#server);
    const response = await this.#exchange(url, options, payload).catch((cause: unknown) => {
      throw noAnswer(method, url.pathname, cause);
    });
    if ((response.statusCode ?? 0) < 300) return response;
    const status = (await readBody(response).catch(() => ({}))) as { reason?: string; message?: string };
    throw new ApiError(
      response.statusCode ?? 0,
      status.reason ?? String(response.statusCode),
      `${method} ${url.pathname}: ${status.message ?? response.statusMessage ?? 'no reason given'}`,
    );
  }

  #exchange(url: URL, options: RequestOptions, payload: string | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, resolve);
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection in the moment it was taken up again: a new one is asked once more.
        if (outgoing.reusedSocket && error.code === 'ECONNRESET')
          resolve(this.#exchange(url, options, payload));
        else reject(error);
      });
      outgoing.end(payload);
    });
  }

  /** Keeps connections open between requests, and makes new ones when certificates have been rotated. */
  #agent(options: RequestOptions): Agent | SecureAgent {
    if (this.#server.protocol === 'http:') return this.#plainAgent;
    const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = options;
    const credentials = [ca, cert, key, pfx, passphrase, servername, rejectUnauthorized].join('\n');
    if (this.#secureAgent?.credentials !== credentials) {
      const given = { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized };
      const agent = new SecureAgent({ keepAlive: true, ...withoutUndefined(given) });
      this.#secureAgent = { credentials, agent };
    }
    return this.#secureAgent.agent;
  }
}

/** TLS options tell `undefined` from absent: `rejectUnauthorized: undefined` switches verification off. */
function withoutUndefined(options: Readonly<Record<string, unknown>>): AgentOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The lines of a watch; its own failures become an {@link ApiError}, those of the consumer stay what they are. */
async function* unbroken(response: IncomingMessage, path: string): AsyncGenerator<unknown> {
  try {
    yield* jsonLines(response);
  } catch (error) {
    throw noAnswer('GET', path, error);
  }
}

function noAnswer(method: string, path: string, cause: unknown): ApiError {
  const { code, name, message } = cause as NodeJS.ErrnoException;
  // An aborted or broken connection has a code or at least a name; a refused one on several addresses has no message.
  return new ApiError(0, code ?? name, `${method} ${path.split('?')[0]}: ${message || code}`, cause);
}

async function readBody(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Connects by the file given, else by the service account of the Pod it runs in. Throws an error that says what is missing when
 * there is neither; it does not contact the server.
 */
export function connect(kubeconfig: string | undefined, userAgent: string): KubernetesClient {
  const config = new KubeConfig();
  if (kubeconfig) {
    try {
      readFileSync(kubeconfig);
    } catch (cause) {
      throw new Error(`kubeconfig ${kubeconfig} cannot be read: ${(cause as Error).message}`, { cause });
    }
    try {
      config.loadFromFile(kubeconfig);
    } catch (cause) {
      throw new Error(`kubeconfig ${kubeconfig} is not valid: ${(cause as Error).message}`, { cause });
    }
    if (!config.getCurrentCluster())
      throw new Error(
        `kubeconfig ${kubeconfig} has no cluster for its current-context "${config.currentContext}"`,
      );
  } else if (existsSync(serviceAccountToken) && process.env.KUBERNETES_SERVICE_HOST) {
    config.loadFromCluster();
  } else {
    throw new Error('no way to the API server: outside a cluster, give --kubeconfig FILE or set KUBECONFIG');
  }
  return new KubernetesClient(config, userAgent);
}
