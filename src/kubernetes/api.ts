/** The API server as the rest of the code sees it: requests and watch streams. */
import type { Reachability } from './reachability.ts';

type PatchType =
  | 'application/merge-patch+json'
  | 'application/strategic-merge-patch+json'
  | 'application/json-patch+json'
  | 'application/apply-patch+yaml';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute path with its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: PatchType | 'application/json';
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Access to the API server. An implementation may refuse to write while this process does not hold the Lease. */
export interface Api {
  readonly reachability: Reachability;
  /** Resolves to the parsed body. Rejects with {@link ApiError}, or with another error when the credentials cannot be read. */
  request<T>(request: ApiRequest): Promise<T>;
  /**
   * Opens a watch. Resolves to its lines of JSON, which end when the server ends the watch. The promise rejects as the promise of `request` does.
   * The lines fail with {@link ApiError}.
   */
  openStream(path: string, signal: AbortSignal): Promise<AsyncIterable<string>>;
}

/** The fields common to all API objects. */
export interface RawObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}
