/**
 * One connection to the API server: requests with JSON bodies, and streams of JSON lines for watches. Where to go and how to
 * authenticate comes from `@kubernetes/client-node`'s KubeConfig (files, in-cluster, exec plugins, rotated tokens); requests are
 * our own, because watches need bookmarks, resumption and limits that a generated client hides.
 */
import { existsSync, readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { KubeConfig } from '@kubernetes/client-node';

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

export type PatchType =
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

/** Longest silence on a watch before it is taken for dead: bookmarks arrive about every minute. */
const watchSilenceMs = 330_000;
const requestTimeoutMs = 15_000;

export class KubernetesClient {
  readonly #config: KubeConfig;
  readonly #server: URL;
  readonly #userAgent: string;

  constructor(config: KubeConfig, userAgent: string) {
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error('the kubeconfig names no current cluster');
    this.#config = config;
    this.#server = new URL(cluster.server);
    this.#userAgent = userAgent;
  }

  get server(): string {
    return this.#server.href;
  }

  /** Sends a request and returns the parsed body. Rejects with {@link ApiError}. */
  async request<T>(request: ApiRequest): Promise<T> {
    const { signal: outer, timeoutMs = requestTimeoutMs } = request;
    const limit = AbortSignal.timeout(timeoutMs);
    const response = await this.#send(request, outer ? AbortSignal.any([outer, limit]) : limit);
    return (await readBody(response)) as T;
  }

  /** Opens a watch and hands over each event until the server ends it. Rejects with {@link ApiError} when it cannot start or breaks. */
  async stream(path: string, onLine: (event: unknown) => void, signal: AbortSignal): Promise<void> {
    const silence = new AbortController();
    const both = AbortSignal.any([signal, silence.signal]);
    const response = await this.#send({ method: 'GET', path }, both);
    response.socket.setTimeout(watchSilenceMs, () => silence.abort(new Error('the watch fell silent')));
    try {
      for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY }))
        if (line !== '') onLine(JSON.parse(line));
    } finally {
      response.destroy();
    }
  }

  async #send(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { method, path, body, contentType = 'application/json' } = request;
    const secure = this.#server.protocol === 'https:';
    const options: RequestOptions = { method, headers: {}, signal };
    // Also sets the token header, which plain HTTP needs as well; its agent is for TLS only.
    await this.#config.applyToHTTPSOptions(options);
    if (!secure) delete options.agent;
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
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)(url, options, resolve);
      outgoing.once('error', (cause: Error & { code?: string }) =>
        reject(
          new ApiError(0, cause.code ?? cause.name, `${method} ${url.pathname}: ${cause.message}`, cause),
        ),
      );
      outgoing.end(payload);
    });
    if ((response.statusCode ?? 0) < 300) return response;
    const status = (await readBody(response).catch(() => ({}))) as { reason?: string; message?: string };
    throw new ApiError(
      response.statusCode ?? 0,
      status.reason ?? String(response.statusCode),
      `${method} ${url.pathname}: ${status.message ?? response.statusMessage ?? 'no reason given'}`,
    );
  }
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
  if (kubeconfig !== undefined) {
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
