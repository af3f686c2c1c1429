/**
 * Long work in slices. A turn of the event loop that does long work keeps everything else waiting: keepalives, probes, answers, `/healthz`.
 * All long work of a process therefore shares one `Turns`, which gives it a few milliseconds of each turn.
 *
 *   one turn:   timers, sockets …  │ tasks: up to `taskMs` │ callers of `next()`: up to `turnMs` │  … the next turn
 *
 * A task is work that can be cut into small steps, for example the plan of one Service. When several tasks have work, the one that was
 * registered first runs first. Code that handles a stream of inputs asks `hasTime` between two inputs, and awaits `next()` when no time is left.
 * Code that needs the result of some steps awaits `finish()`.
 */
import type { Clock } from './clock.ts';

/** Time for tasks in one turn. Even if a step ends 1 ms after this limit, the turn stays below the 10 ms that `bench/large-cluster.ts` allows. */
const taskMs = 3;
/** Time for all long work in one turn. */
const turnMs = 5;
/** Long work is reported after `firstMs`, and then every `everyMs`. */
const report = { firstMs: 2000, everyMs: 5000 } as const;

/** Work that is done in steps. */
export interface TurnTask {
  /** Names the work in the log and in `/status`. */
  readonly name: string;
  /**
   * Does one step of well under a millisecond. Returns false when no work is left. If it returns false, a call of `TurnHandle.request` that the step
   * made for its own task has no effect.
   */
  step(): boolean;
  /** Number of steps that are left, as far as it is known. */
  remaining(): number;
}

/** How far some work has come. */
export interface TurnProgress {
  readonly work: string;
  readonly remaining: number;
  readonly seconds: number;
  readonly isDone: boolean;
}

/** A task that has been registered. */
export interface TurnHandle {
  /** Says that there is work. The first steps run at once if the turn has time left. */
  request(): void;
  /** Drops the task, with all its work. */
  end(): void;
}

interface Entry {
  readonly task: TurnTask;
  /** Time of the request; `undefined` while there is no work. */
  sinceMs: number | undefined;
  reportAtMs: number;
  wasReported: boolean;
}

export class Turns {
  readonly #clock: Clock;
  readonly #onProgress: (progress: TurnProgress) => void;
  readonly #entries: Entry[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  /** When long work began in this turn. */
  #beganMs: number | undefined;
  #isScheduled = false;
  #isStepping = false;

  /** `onProgress` is called now and then while work takes several seconds, and once more when such work is done. */
  constructor(clock: Clock, onProgress: (progress: TurnProgress) => void = () => {}) {
    this.#clock = clock;
    this.#onProgress = onProgress;
  }

  /** Registers a task, which does nothing before its first request. */
  task(task: TurnTask): TurnHandle {
    const entry: Entry = { task, sinceMs: undefined, reportAtMs: 0, wasReported: false };
    this.#entries.push(entry);
    return {
      request: () => {
        if (!this.#entries.includes(entry)) return;
        if (entry.sinceMs === undefined) {
          entry.sinceMs = this.#clock.now();
          entry.reportAtMs = entry.sinceMs + report.firstMs;
        }
        this.#runTasks();
      },
      end: () => {
        entry.sinceMs = undefined;
        const index = this.#entries.indexOf(entry);
        if (index >= 0) this.#entries.splice(index, 1);
      },
    };
  }

  /** Whether this turn has time left for more long work. */
  get hasTime(): boolean {
    return this.#spentMs() < turnMs;
  }

  /** Resolves in the next turn. */
  next(): Promise<void> {
    this.#waiting ??= Promise.withResolvers();
    this.#schedule();
    return this.#waiting.promise;
  }

  /** Does all steps of some work, each of well under a millisecond, in the time that callers of `next()` have. Resolves to their result. */
  async finish<Result>(steps: Iterator<unknown, Result>): Promise<Result> {
    for (;;) {
      while (!this.hasTime) await this.next();
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  /** The tasks that have work left. */
  status(): Omit<TurnProgress, 'isDone'>[] {
    const nowMs = this.#clock.now();
    return this.#entries.flatMap(({ task, sinceMs }) =>
      sinceMs === undefined
        ? []
        : [
            {
              work: task.name,
              remaining: task.remaining(),
              seconds: Math.round((nowMs - sinceMs) / 100) / 10,
            },
          ],
    );
  }

  #spentMs(): number {
    const nowMs = this.#clock.now();
    if (this.#beganMs === undefined) {
      this.#beganMs = nowMs;
      this.#schedule();
    }
    return nowMs - this.#beganMs;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.after(0, () => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#beganMs = undefined;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    try {
      this.#runTasks();
    } finally {
      waiting?.resolve();
    }
  }

  /** Runs tasks while this turn has time for them. A request from within a step takes effect when the step is done. */
  #runTasks(): void {
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (;;) {
        const entry = this.#entries.find(({ sinceMs }) => sinceMs !== undefined);
        if (!entry || this.#spentMs() >= taskMs) return;
        if (entry.task.step()) continue;
        this.#report(entry, true);
        entry.sinceMs = undefined;
        entry.wasReported = false;
      }
    } finally {
      this.#isStepping = false;
      for (const entry of this.#entries) this.#report(entry, false);
      if (this.#entries.some(({ sinceMs }) => sinceMs !== undefined)) this.#schedule();
    }
  }

  #report(entry: Entry, isDone: boolean): void {
    const { task, sinceMs, reportAtMs, wasReported } = entry;
    if (sinceMs === undefined) return;
    const nowMs = this.#clock.now();
    if (isDone ? !wasReported : nowMs < reportAtMs) return;
    entry.reportAtMs = nowMs + report.everyMs;
    entry.wasReported = true;
    const seconds = Math.round((nowMs - sinceMs) / 100) / 10;
    this.#onProgress({ work: task.name, remaining: task.remaining(), seconds, isDone });
  }
}
