/** A call to the API server that got an error or no answer. */
export class ApiError extends Error {
  /** HTTP status; 0 without a response. */
  readonly status: number;
  /** `reason` of the Status object, e.g. `Conflict` or `Expired`. Without a response, the system's error code. */
  readonly reason: string;
  /** How long the server asks its clients to wait before they try again; `undefined` when it says nothing about that. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    { cause, retryAfterMs }: { readonly cause?: unknown; readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause });
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A response that arrived but cannot be used: too large, not JSON, or not of the documented shape. */
export class UnusableResponse extends ApiError {
  readonly code = 'ERR_UNUSABLE_RESPONSE';
  /** Whether a request for fewer objects may succeed. */
  readonly isTooLarge: boolean;

  constructor(status: number, message: string, isTooLarge = false) {
    super(status, 'UnusableResponse', message);
    this.isTooLarge = isTooLarge;
  }
}

/** How long the server asked to wait; `undefined` when the error does not say. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof ApiError ? error.retryAfterMs : undefined;
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** Whether the server no longer has the requested history, or the requested page of a list. */
export function isExpired(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
  );
}
