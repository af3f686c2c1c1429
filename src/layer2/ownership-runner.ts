import type { Clock, Timer } from '../clock.ts';
import type { Answers } from './answers.ts';
import type { Claim } from './ownership/claim.ts';
import type { AnswerAction, OwnershipAction, OwnershipEvent } from './ownership/event.ts';
import type { Ownership } from './ownership/ownership.ts';
import { complete } from './ownership/steps.ts';
import type { OwnershipRecorder } from './ownership-recorder.ts';

export interface OwnershipRunnerOptions {
  readonly clock: Clock;
  readonly ownership: Pick<Ownership, 'handle' | 'wakeAtMs'>;
  readonly recorder: Pick<OwnershipRecorder, 'record'>;
  readonly answers: Pick<Answers, 'answer' | 'adjust' | 'silence'>;
  /** Merges the claims into the store and sends them to the other members. */
  readonly publish: (claims: readonly Claim[]) => void;
  /** Called between steps and actions, so that neighbours are answered meanwhile. */
  readonly drainCaptures: () => void;
  /** Called before a decision that is due by its time. */
  readonly beforeTick?: () => void;
  readonly onAnswer: (action: AnswerAction) => void;
}

/**
 * Passes events to the ownership machine, runs its actions and wakes it when it is due. While one event is handled, another event may
 * arrive, for instance from a frame between two steps. The new event is handled afterwards.
 */
export class OwnershipRunner {
  readonly #options: OwnershipRunnerOptions;
  readonly #queue: OwnershipEvent[] = [];
  #isRunning = false;
  #timer: Timer | undefined;

  constructor(options: OwnershipRunnerOptions) {
    this.#options = options;
  }

  send(event: OwnershipEvent): void {
    this.#queue.push(event);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#handle(next);
    } finally {
      this.#isRunning = false;
    }
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #handle(event: OwnershipEvent): void {
    const { ownership, clock, recorder, drainCaptures } = this.#options;
    const actions = complete(ownership.handle(event, clock.now()), drainCaptures);
    for (const action of actions) {
      drainCaptures();
      this.#run(action);
    }
    complete(recorder.record(event, actions), drainCaptures);
  }

  #run(action: OwnershipAction): void {
    const { answers, publish, onAnswer } = this.#options;
    switch (action.kind) {
      case 'answer':
        answers.answer(action);
        return onAnswer(action);
      case 'adjust':
        return answers.adjust(action);
      case 'silence':
        return answers.silence(action);
      case 'claim':
        publish(action.claims);
        // These addresses count as load in the election of the remaining vacancies, on this node as on the other nodes.
        this.send({ kind: 'claims-published', addresses: action.claims.map(({ address }) => address) });
    }
  }

  #schedule(): void {
    const { ownership, clock } = this.#options;
    this.#timer?.cancel();
    const atMs = ownership.wakeAtMs();
    this.#timer =
      atMs === Number.POSITIVE_INFINITY
        ? undefined
        : clock.after(atMs - clock.now(), () => {
            this.#options.beforeTick?.();
            this.send({ kind: 'tick' });
          });
  }
}
