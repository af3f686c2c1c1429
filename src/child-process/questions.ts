import type { Clock, Timer } from '../clock.ts';

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: Timer;
}

/** Time limit for an answer. The largest batch of work in the layer-2 process takes less. */
const deadlineMs = 5000;

/** Questions to a child process that wait for their answers. A question fails when the process ends or does not answer in time. */
export class Questions {
  readonly #process: string;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  /** `process` names the process in errors, for instance `layer-2 process`. */
  constructor(process: string, clock: Clock) {
    this.#process = process;
    this.#clock = clock;
  }

  /** Sends a question. `send` receives the question's id. */
  ask<T>(send: (id: number) => void): Promise<T> {
    const id = ++this.#lastId;
    return new Promise<T>((resolve, reject) => {
      const deadline = this.#clock.after(deadlineMs, () => this.#fail(id, 'does not answer'));
      this.#pending.set(id, { resolve: (answer) => resolve(answer as T), reject, deadline });
      send(id);
    });
  }

  answered(id: number, answer: unknown): void {
    const pending = this.#take(id);
    pending?.resolve(answer);
  }

  /** Fails all pending questions, because the process has ended. */
  failAll(): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, 'has ended');
  }

  #fail(id: number, what: string): void {
    this.#take(id)?.reject(new Error(`the ${this.#process} ${what}`));
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.deadline.cancel();
    return pending;
  }
}
