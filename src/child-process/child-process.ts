/**
 * A child process of a daemon, from the side of the parent. The parent starts it, restarts it with a growing delay when it ends, exchanges
 * messages with it, and stops it. `parent-process.ts` is the other side. Messages are plain JSON over Node's IPC channel.
 *
 *             start()                       exit                 delay is over
 *     (off) ──────────→ running ─────────────────→ waiting ─────────────────→ running
 *       ↑                 │ stop()                    │ stop()
 *       └────── exit ── stopping                      └──→ (off)
 *
 * A `start()` while the process stops takes effect when that process is gone, so that two processes never run at once.
 */
import { fork, type ChildProcess as NodeChildProcess } from 'node:child_process';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { Questions } from './questions.ts';

export interface ChildProcessOptions<ToChild extends object, FromChild> {
  /** Names the process in the log and in errors, for instance `layer-2 process`. */
  readonly name: string;
  readonly program: URL;
  readonly arguments: readonly string[];
  /** Flags of Node and V8 for the child process, in addition to those of the parent. */
  readonly nodeFlags?: readonly string[];
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called when a new process runs. The process knows nothing yet, so this function sends it the first messages. */
  readonly onStarted: () => void;
  readonly onMessage: (message: FromChild) => void;
  /** The process is gone, whether it was stopped or ended by itself. */
  readonly onEnded: () => void;
  /** Asks the process to end. */
  readonly stopMessage: ToChild;
  /** The process has this long to end after a call of `stop`. Then it is killed. */
  readonly stopMs: number;
}

/**
 * The delay doubles with each restart, from `firstMs` to `maxMs`. After a run of more than `calmMs` it begins at
 * `firstMs` again, because a lasting fault ends a process sooner.
 */
const restart = { firstMs: 100, maxMs: 5000, calmMs: 10_000 } as const;

export class ChildProcess<ToChild extends object, FromChild> {
  readonly #options: ChildProcessOptions<ToChild, FromChild>;
  readonly #questions: Questions;
  #isWanted = false;
  #child: NodeChildProcess | undefined;
  /** Present while the process stops. Resolved when it is gone. */
  #stopping: PromiseWithResolvers<void> | undefined;
  #restartTimer: Timer | undefined;
  #startedAtMs = 0;
  #delayMs: number = restart.firstMs;

  constructor(options: ChildProcessOptions<ToChild, FromChild>) {
    this.#options = options;
    this.#questions = new Questions(options.name, options.clock);
  }

  /** Starts the process, and restarts it whenever it ends, until `stop` is called. */
  start(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    if (!this.#child) this.#fork();
  }

  /** Asks the process to end, and kills it after `stopMs`. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    this.#restartTimer?.cancel();
    this.#restartTimer = undefined;
    const child = this.#child;
    if (!child) return;
    if (!this.#stopping) this.#askToEnd(child);
    await this.#stopping?.promise;
  }

  /** Whether the process should run: `start` has been called, and no `stop` since. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Sends messages in order. Without a running process they are lost. `onStarted` sends what a new process needs. */
  send(...messages: readonly ToChild[]): void {
    for (const message of messages) if (this.#child?.connected) this.#child.send(message);
  }

  /** Gives the question an id, sends it, and resolves to the answer. Rejects when the process ends or does not answer in time. */
  ask<Answer>(question: (id: number) => ToChild): Promise<Answer> {
    return this.#questions.ask<Answer>((id) => this.send(question(id)));
  }

  /** Call it when the answer to a question has arrived. */
  answered(id: number, answer: unknown): void {
    this.#questions.answered(id, answer);
  }

  /** Reasons why the process is unhealthy. Empty while it runs, and while it is not meant to run. */
  unhealthy(): readonly string[] {
    return this.#isWanted && !this.#child ? [`the ${this.#options.name} is not running`] : [];
  }

  #fork(): void {
    const {
      name,
      program,
      arguments: args,
      nodeFlags = [],
      logger,
      clock,
      onMessage,
      onStarted,
    } = this.#options;
    this.#startedAtMs = clock.now();
    let child: NodeChildProcess;
    try {
      child = fork(program, args, {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        execArgv: [...process.execArgv, ...nodeFlags],
      });
    } catch (error) {
      this.#restartLater(String(error));
      return;
    }
    this.#child = child;
    child.on('message', (message) => onMessage(message as FromChild));
    child.on('error', (error) => {
      logger.error({ process: name, reason: error.message }, 'child process failed');
      // A process that could not be created emits no `exit`.
      if (child.pid === undefined) this.#ended(error.message);
    });
    child.on('exit', (code, signal) => this.#ended(signal ?? `exit code ${code}`));
    onStarted();
  }

  #askToEnd(child: NodeChildProcess): void {
    const { clock, stopMessage, stopMs } = this.#options;
    const stopping = Promise.withResolvers<void>();
    this.#stopping = stopping;
    this.send(stopMessage);
    const limit = clock.after(stopMs, () => child.kill('SIGKILL'));
    void stopping.promise.then(() => limit.cancel());
  }

  #ended(reason: string): void {
    const stopping = this.#stopping;
    this.#child = undefined;
    this.#stopping = undefined;
    this.#questions.failAll();
    this.#options.onEnded();
    stopping?.resolve();
    if (!this.#isWanted) return;
    if (stopping) this.#fork();
    else this.#restartLater(reason);
  }

  #restartLater(reason: string): void {
    const { name, clock, logger } = this.#options;
    if (clock.now() - this.#startedAtMs > restart.calmMs) this.#delayMs = restart.firstMs;
    logger.error({ process: name, reason, retryInMs: this.#delayMs }, 'child process ended; restarting it');
    this.#restartTimer = clock.after(this.#delayMs, () => {
      this.#restartTimer = undefined;
      this.#fork();
    });
    this.#delayMs = Math.min(restart.maxMs, this.#delayMs * 2);
  }
}
