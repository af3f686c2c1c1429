/**
 * A client of the API server over HTTP: requests with JSON bodies, and watch streams. {@link Credentials} supply the address and prove
 * who sends a request. This file makes the requests itself, for two reasons. The generated client of `@kubernetes/client-node` hides the
 * bookmarks, resumption and limits that watches need. It also opens a new connection for each request.
 *
 * Each exchange reports to {@link Reachability}. During an outage the client asks for `/version`, at first about once a second, later at least
 * every four seconds. It therefore notices the return of the server soon, even when the watches wait longer between two attempts.
 */
import { existsSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import {
  type AgentOptions,
  request as httpsRequest,
  type RequestOptions,
  Agent as SecureAgent,
} from 'node:https';
import { type Clock, systemClock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { systemRandom } from '../random.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Api, ApiRequest } from './api.ts';
import { ApiError } from './api-error.ts';
import type { Credentials } from './credentials/credentials.ts';
import { InClusterCredentials, serviceAccountDirectory } from './credentials/in-cluster.ts';
import { plainKubeconfigCredentials } from './credentials/plain-kubeconfig.ts';
import { Reachability } from './reachability.ts';
import { noAnswer, readJson, refusalOf } from './response.ts';
import { pause } from './retry.ts';
import { textLines } from './text-lines.ts';

/** Longest silence on a watch; bookmarks arrive about once a minute. */
const watchSilenceMs = 330_000;
/** Keepalive on watches. A server that vanishes without a FIN is noticed after 11 s: 5 s of silence, then three unanswered probes 2 s apart. */
const keepAlive = { enable: true, initialDelay: 5000, interval: 2000, count: 3 } as const;
const requestTimeoutMs = 15_000;
/**
 * Probes during an outage: the pause between two probes, before jitter, and the time limit of a probe. The limit grows from probe to
 * probe. If it stayed short, each probe of an overloaded server would be aborted, and the TLS handshake of the next probe would add to
 * the load.
 */
const probe = { pauseMs: 800, timeoutMs: 1000, timeoutStepMs: 200, maxTimeoutMs: 3000 } as const;

/**
 * The API server compresses a response of more than 128 KiB for a client with this header. A page of a list then takes a tenth of the octets. A watch
 * has no such header: a proxy that compresses a watch holds its events back.
 */
const acceptsGzip = { 'accept-encoding': 'gzip' } as const;

/** Longest line of a watch. etcd limits an object to 1.5 MiB, and JSON escapes can multiply that size. */
const maxLineLength = 16 * 2 ** 20;

export interface ClientOptions {
  readonly userAgent: string;
  readonly clock?: Clock;
  /** Logs when the server is lost and when it is back; silent by default. */
  readonly logger?: Logger;
  readonly recorder?: FlightRecorder;
  /** In [0, 1). */
  readonly random?: () => number;
}

export class KubernetesClient implements Api {
  readonly reachability: Reachability;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #closed = new AbortController();
  #isProbing = false;
  readonly #credentials: Credentials;
  readonly #server: URL;
  readonly #userAgent: string;
  readonly #plainAgent = new Agent({ keepAlive: true });
  #secureAgent: { readonly credentials: string; readonly agent: SecureAgent } | undefined;

  constructor(credentials: Credentials, options: ClientOptions) {
    const { clock = systemClock, logger, recorder, random = systemRandom } = options;
    this.reachability = new Reachability({ clock, logger, recorder });
    this.#clock = clock;
    this.#random = random;
    this.#credentials = credentials;
    this.#server = credentials.server;
    this.#userAgent = options.userAgent;
  }

  get server(): string {
    return this.#server.href;
  }

  request<T>(request: ApiRequest): Promise<T> {
    return this.#observe(request.signal, async () => {
      const { signal: outer, timeoutMs = requestTimeoutMs } = request;
      // `AbortSignal.timeout` cannot be cancelled. After thousands of writes, thousands of signals would abort for nothing.
      const late = new AbortController();
      const limit = this.#clock.after(timeoutMs, () => late.abort(exceeded('no answer in time')));
      try {
        const signal = outer ? AbortSignal.any([outer, late.signal]) : late.signal;
        const response = await this.#send(request, signal, acceptsGzip);
        return (await readJson(response, request).catch((error: unknown) => {
          // When the limit or the caller ends a body, Node's error does not say so.
          throw signal.aborted ? noAnswer(request.method, request.path, signal.reason) : error;
        })) as T;
      } finally {
        limit.cancel();
      }
    });
  }

  async openStream(path: string, signal: AbortSignal): Promise<AsyncIterable<string>> {
    const silence = new AbortController();
    const response = await this.#observe(signal, () =>
      this.#open(path, AbortSignal.any([signal, silence.signal])),
    );
    const { socket } = response;
    const fellSilent = () => silence.abort(exceeded('the watch fell silent'));
    socket.setKeepAlive(keepAlive);
    socket.setTimeout(watchSilenceMs, fellSilent);
    // When the server ends a watch, the agent keeps the connection for other requests. The limit on silence must not end those requests.
    const ended = () => void socket.off('timeout', fellSilent);
    return this.#lines(response, { path, signal, silence: silence.signal, ended });
  }

  /** Opens a watch. Limits only the wait for the headers, which arrive at once even when no event follows for minutes. */
  async #open(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const opening = new AbortController();
    const limit = this.#clock.after(requestTimeoutMs, () => opening.abort(exceeded('no answer in time')));
    try {
      return await this.#send({ method: 'GET', path }, AbortSignal.any([signal, opening.signal]));
    } finally {
      limit.cancel();
    }
  }

  async *#lines(
    response: IncomingMessage,
    {
      path,
      signal,
      silence,
      ended,
    }: { readonly path: string; readonly signal: AbortSignal; readonly silence: AbortSignal; ended(): void },
  ): AsyncGenerator<string> {
    try {
      yield* textLines(response, maxLineLength);
    } catch (cause) {
      const reason = silence.aborted ? silence.reason : cause;
      const error = cause instanceof ApiError ? cause : noAnswer('GET', path, reason);
      this.#observeFailure(error, signal);
      throw error;
    } finally {
      response.destroy();
      ended();
    }
  }

  /** Closes the connections, also those in use, and ends the probes, so that the process can end. */
  close(): void {
    this.#closed.abort();
    this.#plainAgent.destroy();
    this.#secureAgent?.agent.destroy();
  }

  async #observe<T>(signal: AbortSignal | undefined, exchange: () => Promise<T>): Promise<T> {
    try {
      const result = await exchange();
      this.reachability.answered();
      return result;
    } catch (error) {
      this.#observeFailure(error, signal);
      throw error;
    }
  }

  #observeFailure(error: unknown, signal?: AbortSignal): void {
    this.reachability.observeFailure(error, signal);
    if (!this.reachability.isAnswering && !this.#isProbing) void this.#probeUntilAnswered();
  }

  async #probeUntilAnswered(): Promise<void> {
    this.#isProbing = true;
    const { signal } = this.#closed;
    for (let timeoutMs: number = probe.timeoutMs; ; timeoutMs += probe.timeoutStepMs) {
      await pause(this.#clock, probe.pauseMs * (0.5 + this.#random() / 2), signal);
      if (signal.aborted || this.reachability.isAnswering) break;
      const limitMs = Math.min(timeoutMs, probe.maxTimeoutMs);
      await this.request({ method: 'GET', path: '/version', timeoutMs: limitMs, signal }).catch(() => {
        // `request` has already reported the failure to `reachability`.
      });
    }
    this.#isProbing = false;
  }

  async #send(
    request: ApiRequest,
    signal: AbortSignal,
    more: OutgoingHttpHeaders = {},
  ): Promise<IncomingMessage> {
    const { method, path, body, contentType = 'application/json' } = request;
    const options: RequestOptions = { method, headers: {}, signal };
    await this.#authorize(options, request, signal);
    if (!this.#credentials.isProxied) options.agent = this.#agent(options);
    const payload = body === undefined ? undefined : JSON.stringify(body);
    options.headers = {
      ...options.headers,
      ...more,
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
    const { statusCode = 0 } = response;
    if (statusCode < 300) return response;
    const hint = statusCode === 401 ? this.#credentials.refused?.() : undefined;
    throw await refusalOf(response, `${method} ${url.pathname}`, hint);
  }

  /** Adds the credentials. A plugin of a kubeconfig may hang, so the time limit of the request also ends the wait for the plugin. */
  async #authorize(
    options: RequestOptions,
    { method, path }: ApiRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const ended = Promise.withResolvers<never>();
    const end = () => ended.reject(noAnswer(method, path, new Error('no credentials in time')));
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    try {
      await Promise.race([this.#credentials.apply(options), ended.promise]);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  #exchange(url: URL, options: RequestOptions, payload: string | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      let isAnswered = false;
      const outgoing = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
        isAnswered = true;
        resolve(response);
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // After the head of the response, a broken connection also emits an error here. The reader of the body notices the broken connection too.
        if (isAnswered) return;
        // The server closed an idle connection just as the request went out on it, so the request is sent again on another connection.
        if (outgoing.reusedSocket && error.code === 'ECONNRESET')
          resolve(this.#exchange(url, options, payload));
        else reject(error);
      });
      outgoing.end(payload);
    });
  }

  /** Returns the agent that keeps connections open between requests. After a change of the credentials, this is a new agent. */
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

/**
 * Removes undefined options. To Node, undefined is not the same as absent: an undefined value replaces the default of the option. In some
 * releases of Node, `rejectUnauthorized: undefined` switched verification off (CVE-2021-22939).
 */
function withoutUndefined(options: Readonly<Record<string, unknown>>): AgentOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/**
 * Makes a client from the kubeconfig file, or from the ServiceAccount of the Pod if no file is given. Does not contact the server. Rejects
 * with an error that names the missing or broken file, or that says how to name a server.
 */
export async function connect(
  kubeconfig: string | undefined,
  userAgent: string,
  options: Omit<ClientOptions, 'userAgent'> = {},
): Promise<KubernetesClient> {
  return new KubernetesClient(await findCredentials(kubeconfig, options.clock ?? systemClock), {
    ...options,
    userAgent,
  });
}

async function findCredentials(kubeconfig: string | undefined, clock: Clock): Promise<Credentials> {
  if (kubeconfig) {
    const plain = plainKubeconfigCredentials(kubeconfig);
    if (plain) return plain;
    const { kubeconfigCredentials } = await import('./credentials/kubeconfig.ts');
    return kubeconfigCredentials(kubeconfig, clock);
  }
  if (existsSync(serviceAccountDirectory) && process.env.KUBERNETES_SERVICE_HOST)
    return new InClusterCredentials(process.env, clock);
  throw new Error('no way to the API server: outside a cluster, give --kubeconfig FILE or set KUBECONFIG');
}

/** The error of a time limit. */
function exceeded(text: string): NodeJS.ErrnoException {
  return Object.assign(new Error(text), { code: 'ETIMEDOUT' });
}
