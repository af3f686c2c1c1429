/**
 * The decisions of `watch.ts` as a pure function: when a watch tries again, and what it logs. The delay doubles with each failure. The
 * delay is reset when the watch delivers a change or a bookmark, and when the server ends the watch. An accepted request does not reset it, because a
 * proxy may accept each request and then break the connection.
 */
import { type Refusal, refused } from './retry.ts';

export interface WatchRetryState {
  /** Failures since the delay was last reset. */
  readonly failures: number;
  /** Whether the last failure was a request that the server did not answer. A refusal that follows does not change this. */
  readonly isAfterOutage: boolean;
  readonly refusal: Refusal | undefined;
  /** Objects in one page of a list. */
  readonly pageSize: number;
}

export type WatchOutcome =
  /** The list is complete, or the watch is open. */
  | { readonly kind: 'accepted' }
  /** The watch has delivered a change or a bookmark. */
  | { readonly kind: 'delivered' }
  /** The server ended the watch, as it does every few minutes. */
  | { readonly kind: 'ended'; readonly openForMs: number }
  | { readonly kind: 'unanswered' }
  /** The server no longer has the history that the watch needs, or the next page of the list: 410. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'refused'; readonly reason: string; readonly retryAfterMs?: number | undefined }
  /** The response could not be read, so a change may have been missed. */
  | { readonly kind: 'unusable'; readonly isTooLarge: boolean };

export interface WatchRetryStep {
  readonly state: WatchRetryState;
  /** Pause before the next request. */
  readonly delayMs: number;
  /** Whether the pause ends early when the server answers again after an outage. A pause that the server asked for never ends early. */
  readonly endsOnReturn: boolean;
  /** Whether the next request lists, instead of resuming the watch. */
  readonly relist: boolean;
  readonly report: 'refused' | 'granted' | undefined;
}

const largestPage = 500;
const backoff = { firstMs: 200, maxMs: 10_000 } as const;
/** A server that ends watches at once must not be asked in a tight loop. */
const shortWatch = { openForMs: 1000, pauseMs: 1000 } as const;
/** After a compaction, the watches of all speakers expire together. The speakers spread their lists over this time. */
const relistJitterMs = 500;

export const initialWatchRetry: WatchRetryState = {
  failures: 0,
  isAfterOutage: false,
  refusal: undefined,
  pageSize: largestPage,
};

/** `random` is in [0, 1). */
export function nextWatchTry(
  state: WatchRetryState,
  outcome: WatchOutcome,
  nowMs: number,
  random: number,
): WatchRetryStep {
  const onward = { delayMs: 0, endsOnReturn: true, relist: false, report: undefined };
  switch (outcome.kind) {
    case 'accepted':
      return {
        ...onward,
        state: { ...state, refusal: undefined },
        report: state.refusal?.logged === undefined ? undefined : 'granted',
      };
    case 'delivered':
      return { ...onward, state: { ...state, failures: 0, isAfterOutage: false } };
    case 'ended':
      return {
        ...onward,
        state: { ...state, failures: 0, isAfterOutage: false },
        delayMs: outcome.openForMs < shortWatch.openForMs ? shortWatch.pauseMs * jitter(random) : 0,
      };
    case 'unanswered': {
      const step = failed(state, random);
      return { ...step, state: { ...step.state, isAfterOutage: true }, relist: false };
    }
    case 'expired': {
      // An expired resourceVersion is not a fault of the server, so the list follows soon. After earlier failures, for example when one list
      // after another expires, the delay grows. After an outage, a resumed watch often expires, and its list must not wait for the delay that the
      // outage has raised.
      const step = failed(state, random);
      const isSoon = state.failures === 0 || state.isAfterOutage;
      return isSoon ? { ...step, delayMs: relistJitterMs * random } : step;
    }
    case 'refused': {
      const { refusal, isWorthLogging } = refused(state.refusal, outcome.reason, nowMs);
      const step = failed({ ...state, refusal }, random);
      const { retryAfterMs } = outcome;
      return {
        ...step,
        // A server that has just started refuses requests for some seconds. The outage is not over before it accepts one.
        state: { ...step.state, isAfterOutage: state.isAfterOutage },
        delayMs: Math.max(step.delayMs, (retryAfterMs ?? 0) * (1 + random / 2)),
        endsOnReturn: retryAfterMs === undefined,
        relist: false,
        report: isWorthLogging ? 'refused' : undefined,
      };
    }
    case 'unusable': {
      const pageSize = outcome.isTooLarge ? Math.max(1, Math.floor(state.pageSize / 2)) : state.pageSize;
      return failed({ ...state, pageSize }, random);
    }
  }
}

function failed(state: WatchRetryState, random: number): WatchRetryStep {
  const delayMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(state.failures, 10));
  return {
    state: { ...state, failures: state.failures + 1, isAfterOutage: false },
    delayMs: delayMs * jitter(random),
    endsOnReturn: true,
    relist: true,
    report: undefined,
  };
}

/** Half of the delay is fixed, half is random. */
function jitter(random: number): number {
  return 0.5 + random / 2;
}
