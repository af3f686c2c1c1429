import type { Clock } from '../clock.ts';

/**
 * Keys waiting to be worked on. A key is worked on by one worker at a time; added again meanwhile it is worked on once more. A
 * failed key waits with exponential backoff, others do not wait for it.
 */
export interface WorkQueueOptions {
  readonly clock: Clock;
  /** How many keys are worked on at once. */
  readonly concurrency: number;
  /** Works on a key; a rejection schedules it again. */
  readonly work: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown, retryInMs: number) => void;
  readonly firstRetryMs?: number;
  readonly maxRetryMs?: number;
}

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #active = new Set<string>();
  readonly #again = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #failures = new Map<string, number>();
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

  /** Nothing new is begun; what is under way goes on to its end. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
  }

  /** Resolves when no work is under way. */
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
    const { clock, work, onError, firstRetryMs = 100, maxRetryMs = 30_000 } = this.#options;
    try {
      await work(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const delay = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 20));
      onError(key, error, delay);
      clock.after(delay, () => this.add(key));
    }
    this.#active.delete(key);
    if (this.#again.delete(key)) this.add(key);
    else this.#fill();
  }
}
