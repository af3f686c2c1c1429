/** Waiting and retrying, shared by all code that talks to the API server. */
import type { Clock } from '../clock.ts';
import type { Reachability } from './reachability.ts';

/** Resolves after the delay or when the signal aborts. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal.addEventListener('abort', done);
  });
}

/** Like {@link pause}, but ends early when an outage of the API server ends. */
export async function pauseForRetry(
  clock: Clock,
  delayMs: number,
  reachability: Reachability,
  signal: AbortSignal,
): Promise<void> {
  const end = new AbortController();
  const cancel = reachability.onReturn(() => end.abort());
  const abort = () => end.abort();
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  await pause(clock, delayMs, end.signal);
  signal.removeEventListener('abort', abort);
  cancel();
}

/** Consecutive refusals by the API server, e.g. 401 or 403. */
export interface Refusal {
  readonly sinceMs: number;
  /** The reason that was logged last; `undefined` before the first log line. */
  readonly logged: string | undefined;
}

/**
 * A starting API server refuses valid accounts for some seconds, until its authorizer is ready. Refusals are therefore logged only when they
 * have lasted for this time, and again when the reason changes.
 */
const refusalGraceMs = 10_000;

export function refused(
  before: Refusal | undefined,
  reason: string,
  nowMs: number,
): { readonly refusal: Refusal; readonly isWorthLogging: boolean } {
  const sinceMs = before?.sinceMs ?? nowMs;
  const isWorthLogging = nowMs - sinceMs >= refusalGraceMs && before?.logged !== reason;
  return { refusal: { sinceMs, logged: isWorthLogging ? reason : before?.logged }, isWorthLogging };
}

/** Whether waiting may help, because the server is unreachable, starting or overloaded, or its authorizer is not ready. */
export function isPassing(status: number): boolean {
  return status === 0 || status === 401 || status === 403 || status === 429 || status >= 500;
}
