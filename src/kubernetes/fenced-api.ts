import type { Clock } from '../clock.ts';
import type { Api, ApiRequest } from './api.ts';
import { ApiError } from './api-error.ts';
import { type Candidate, mayWrite, writeTimeoutMs } from './lease.ts';

/** A connection that writes only while this process holds the Lease. It aborts a write under way before the next holder can start to write. */
export class FencedApi implements Api {
  readonly #api: Api;
  readonly #clock: Clock;
  readonly #candidate: () => Candidate;

  constructor(api: Api, clock: Clock, candidate: () => Candidate) {
    this.#api = api;
    this.#clock = clock;
    this.#candidate = candidate;
  }

  get reachability() {
    return this.#api.reachability;
  }

  async request<T>(request: ApiRequest): Promise<T> {
    if (request.method === 'GET') return this.#api.request(request);
    const nowMs = this.#clock.now();
    const candidate = this.#candidate();
    if (!mayWrite(candidate, nowMs))
      throw new ApiError(0, 'NotLeading', `${request.method} ${request.path}: this process lost the Lease`);
    const leftMs = writeTimeoutMs(candidate, nowMs);
    return this.#api.request({ ...request, timeoutMs: Math.min(request.timeoutMs ?? leftMs, leftMs) });
  }

  openStream(path: string, signal: AbortSignal): Promise<AsyncIterable<string>> {
    return this.#api.openStream(path, signal);
  }
}
