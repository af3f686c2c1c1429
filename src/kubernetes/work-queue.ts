/**
 * A queue of keys to work on. Only one worker at a time works on a key. A key that is added while a worker is busy with it gets
 * one more run afterwards. A failed key is tried again after a delay that doubles with each failure, or earlier if it is added again. It holds
 * up no other key. When the API server asks its clients to wait, the whole queue waits (a hold). Otherwise each key would send a request only
 * to receive the same refusal.
 */
import type { Clock, Timer } from '../clock.ts';
import { retryAfterOf } from './api-error.ts';
import type { Reachability } from './reachability.ts';

/** The longest hold, unless the server asks for a longer one. The limit lets the work resume soon after the server has capacity again. */
const maxHoldMs = 16_000;

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Maximum number of keys worked on at once. */
  readonly concurrency: number;
  /** Works on a key; a rejection schedules a retry. */
  readonly work: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown, retryInMs: number) => void;
  readonly firstRetryMs?: number;
  readonly maxRetryMs?: number;
  /** The end of an outage starts all retries at once. */
  readonly reachability?: Reachability;
}

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #active = new Set<string>();
  readonly #again = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #failures = new Map<string, number>();
  readonly #retries = new Map<string, Timer>();
  /** The wait that the API server asked for; `undefined` while the queue does not wait. */
  #hold: { readonly timer: Timer; readonly untilMs: number } | undefined;
  /** Consecutive holds without a success between them. */
  #holds = 0;
  #stopWaiting: (() => void) | undefined;
  #stopped = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  add(key: string): void {
    if (this.#stopped) return;
    if (this.#active.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#fill();
  }

  /** Starts no more work. Work under way runs to its end. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    this.#stopWaiting?.();
    for (const timer of this.#retries.values()) timer.cancel();
    this.#retries.clear();
    this.#hold?.timer.cancel();
  }

  /** Resolves once no work is under way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Number of keys that are not done, including those that wait for a retry. */
  get depth(): number {
    let depth = this.#waiting.size + this.#active.size;
    for (const key of this.#retries.keys()) if (!this.#waiting.has(key) && !this.#active.has(key)) depth++;
    return depth;
  }

  #fill(): void {
    if (this.#hold !== undefined) return;
    for (const key of this.#waiting) {
      if (this.#active.size >= this.#options.concurrency) return;
      this.#waiting.delete(key);
      this.#active.add(key);
      const run = this.#run(key);
      this.#running.add(run);
      void run.then(() => this.#running.delete(run));
    }
  }

  async #run(key: string): Promise<void> {
    const { work, onError, firstRetryMs = 100, maxRetryMs = 30_000 } = this.#options;
    try {
      await work(key);
      this.#failures.delete(key);
      this.#cancelRetry(key);
      this.#holds = 0;
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const retryAfterMs = retryAfterOf(error) ?? 0;
      if (retryAfterMs > 0) this.#holdFor(retryAfterMs);
      const heldMs = Math.max(0, (this.#hold?.untilMs ?? 0) - this.#options.clock.now());
      const backoffMs = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 20));
      const delay = retryAfterMs > 0 ? heldMs : Math.max(heldMs, backoffMs);
      onError(key, error, delay);
      this.#retryAfter(key, delay);
    }
    this.#active.delete(key);
    if (this.#again.delete(key)) this.add(key);
    else this.#fill();
  }

  /**
   * Starts no work for the time that the server asks for, and for longer if it keeps refusing. Several refused requests that were under way
   * together share one hold. The hold does not end before the longest wait that the server asked of them.
   */
  #holdFor(retryAfterMs: number): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    if (this.#hold !== undefined) {
      if (clock.now() + retryAfterMs > this.#hold.untilMs) this.#holdUntil(clock.now() + retryAfterMs);
      return;
    }
    const durationMs = Math.max(
      retryAfterMs,
      Math.min(maxHoldMs, retryAfterMs * 2 ** Math.min(this.#holds, 10)),
    );
    this.#holds++;
    this.#holdUntil(clock.now() + durationMs);
  }

  #holdUntil(untilMs: number): void {
    const { clock } = this.#options;
    this.#hold?.timer.cancel();
    const timer = clock.after(untilMs - clock.now(), () => {
      this.#hold = undefined;
      this.#fill();
    });
    this.#hold = { timer, untilMs };
  }

  #retryAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    this.#cancelRetry(key);
    this.#retries.set(
      key,
      this.#options.clock.after(delayMs, () => {
        this.#retries.delete(key);
        this.add(key);
      }),
    );
    this.#stopWaiting ??= this.#options.reachability?.onReturn(() => {
      this.#stopWaiting = undefined;
      this.#retryAll();
    });
  }

  #cancelRetry(key: string): void {
    this.#retries.get(key)?.cancel();
    this.#retries.delete(key);
  }

  #retryAll(): void {
    const keys = [...this.#retries.keys()];
    for (const timer of this.#retries.values()) timer.cancel();
    this.#retries.clear();
    for (const key of keys) this.add(key);
  }
}
