/**
 * A queue of keys to work on. Only one worker at a time works on a key. A key that is added while a worker is busy with it gets
 * one more run afterwards. A failed key waits with exponential back-off and holds up no other key.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Reachability } from './reachability.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Keys worked on at once. */
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
  }

  /** Resolves once no work is under way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  get depth(): number {
    return this.#waiting.size + this.#active.size;
  }

  #fill(): void {
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
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const delay = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 20));
      onError(key, error, delay);
      this.#retryAfter(key, delay);
    }
    this.#active.delete(key);
    if (this.#again.delete(key)) this.add(key);
    else this.#fill();
  }

  #retryAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    this.#retries.get(key)?.cancel();
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

  #retryAll(): void {
    const keys = [...this.#retries.keys()];
    for (const timer of this.#retries.values()) timer.cancel();
    this.#retries.clear();
    for (const key of keys) this.add(key);
  }
}
