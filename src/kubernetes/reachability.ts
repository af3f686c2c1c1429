/**
 * Whether the API server answers, judged by all requests and watches of the process.
 *
 * Any response is an answer, even a refusal. An opened watch is an answer too, however long it then stays silent. A request without a
 * response is a miss, and so is a watch that breaks. An API server that restarts behind a load balancer causes misses for less than a
 * second. An outage is therefore logged only after {@link graceMs} without an answer. Its start and its end are logged once each.
 *
 * {@link stepReachability} decides, and {@link Reachability} runs the actions.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import { ApiError } from './api-error.ts';

/** Time from the first miss until an outage is logged. */
const graceMs = 3000;

export type ReachabilityState =
  | { readonly kind: 'answering' }
  /** Requests get no answer. This is not logged yet. */
  | { readonly kind: 'missing'; readonly sinceMs: number; readonly reason: string }
  /** An outage that has been logged. */
  | { readonly kind: 'lost'; readonly sinceMs: number };

export type ReachabilityEvent =
  | { readonly kind: 'answered' }
  | { readonly kind: 'missed'; readonly reason: string }
  | { readonly kind: 'grace over' };

export type ReachabilityAction =
  | { readonly kind: 'start grace'; readonly delayMs: number }
  | { readonly kind: 'cancel grace' }
  | { readonly kind: 'log lost'; readonly reason: string }
  | { readonly kind: 'log returned'; readonly outageMs: number }
  /** Start the retries that wait for the server. */
  | { readonly kind: 'wake' };

export interface ReachabilityStep {
  readonly state: ReachabilityState;
  readonly actions: readonly ReachabilityAction[];
}

export function stepReachability(
  state: ReachabilityState,
  event: ReachabilityEvent,
  nowMs: number,
): ReachabilityStep {
  switch (event.kind) {
    case 'answered':
      switch (state.kind) {
        case 'answering':
          return { state, actions: [] };
        case 'missing':
          return { state: { kind: 'answering' }, actions: [{ kind: 'cancel grace' }, { kind: 'wake' }] };
        case 'lost':
          return {
            state: { kind: 'answering' },
            actions: [{ kind: 'log returned', outageMs: nowMs - state.sinceMs }, { kind: 'wake' }],
          };
      }
      break;
    case 'missed':
      if (state.kind === 'answering')
        return {
          state: { kind: 'missing', sinceMs: nowMs, reason: event.reason },
          actions: [{ kind: 'start grace', delayMs: graceMs }],
        };
      return { state, actions: [] };
    case 'grace over':
      if (state.kind !== 'missing') return { state, actions: [] };
      return {
        state: { kind: 'lost', sinceMs: state.sinceMs },
        actions: [{ kind: 'log lost', reason: state.reason }],
      };
  }
}

export interface ReachabilityOptions {
  readonly clock: Clock;
  /** Silent by default. */
  readonly logger?: Logger | undefined;
  readonly recorder?: FlightRecorder | undefined;
}

export class Reachability {
  readonly #options: ReachabilityOptions;
  readonly #waiting = new Set<() => void>();
  #state: ReachabilityState = { kind: 'answering' };
  #grace: Timer | undefined;
  #newestEventAtMs: number | undefined;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
  }

  /** False from the first miss to the next answer. */
  get isAnswering(): boolean {
    return this.#state.kind === 'answering';
  }

  answered(): void {
    this.#step({ kind: 'answered' });
  }

  missed(reason: string): void {
    this.#step({ kind: 'missed', reason });
  }

  /** Calls back once: at the end of the present outage, or of the next outage if there is none now. Returns a function that cancels the call. */
  onReturn(callback: () => void): () => void {
    // Each call gets its own wrapper, so that the same callback may wait twice.
    const waiting = () => callback();
    this.#waiting.add(waiting);
    return () => void this.#waiting.delete(waiting);
  }

  /** Notes that a list, a change or a bookmark has arrived. */
  receivedEvent(): void {
    this.#newestEventAtMs = this.#options.clock.now();
  }

  /** Age of the newest list, change or bookmark of any watch; `undefined` before the first. */
  newestEventAgeMs(): number | undefined {
    return this.#newestEventAtMs === undefined
      ? undefined
      : this.#options.clock.now() - this.#newestEventAtMs;
  }

  /**
   * Counts a failed exchange as an answer if the server sent a response, otherwise as a miss. Ignores an exchange that the caller aborted before
   * a response, and an error that is not an `ApiError`.
   */
  observeFailure(error: unknown, signal?: AbortSignal): void {
    if (!(error instanceof ApiError)) return;
    if (error.status > 0) this.answered();
    else if (!signal?.aborted) this.missed(error.message);
  }

  #step(event: ReachabilityEvent): void {
    const { clock, recorder } = this.#options;
    const { state, actions } = stepReachability(this.#state, event, clock.now());
    // Thousands of answers that change nothing would push all other events out of the recorder.
    if (state !== this.#state) recorder?.record('api server', state.kind, event, actions);
    this.#state = state;
    for (const action of actions) this.#run(action);
  }

  #run(action: ReachabilityAction): void {
    const { clock, logger } = this.#options;
    switch (action.kind) {
      case 'start grace':
        this.#grace = clock.after(action.delayMs, () => this.#step({ kind: 'grace over' }));
        return;
      case 'cancel grace':
        this.#grace?.cancel();
        return;
      case 'log lost':
        logger?.warn({ reason: action.reason }, 'API server not reached, retrying');
        return;
      case 'log returned':
        logger?.info({ outageMs: Math.round(action.outageMs) }, 'API server reached again');
        return;
      case 'wake': {
        const waiting = [...this.#waiting];
        this.#waiting.clear();
        for (const callback of waiting) callback();
        return;
      }
    }
  }
}
