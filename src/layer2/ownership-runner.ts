import type { Clock, Timer } from '../clock.ts';
import { type TurnHandle, Turns } from '../turns.ts';
import type { Answers } from './answers.ts';
import type { Claim } from './ownership/claim.ts';
import type { AnswerAction, NotedEvent, OwnershipAction, OwnershipEvent } from './ownership/event.ts';
import type { Ownership } from './ownership/ownership.ts';
import type { Steps } from './ownership/steps.ts';
import type { OwnershipRecorder } from './ownership-recorder.ts';
import { stallMs } from './responder/stall.ts';

export interface OwnershipRunnerOptions {
  readonly clock: Clock;
  readonly ownership: Pick<Ownership, 'handle' | 'note' | 'setTime' | 'stalled' | 'takeActions' | 'wakeAtMs'>;
  readonly recorder: Pick<OwnershipRecorder, 'record'>;
  readonly answers: Pick<Answers, 'answer' | 'adjust' | 'silence'>;
  /** Merges the claims into the store and sends them to the other members. */
  readonly publish: (claims: readonly Claim[]) => void;
  /** Called before each step and each action, so that neighbours are answered meanwhile. */
  readonly drainCaptures: () => void;
  /** Called before each decision that the runner's own timer starts. */
  readonly beforeTick?: () => void;
  readonly onAnswer: (action: AnswerAction) => void;
  /** Shares the turns of the event loop with the other long work of the process. */
  readonly turns?: Turns;
}

/**
 * The runner publishes the claims of a long decision in groups of this size, soon after the answers that the claims belong to. The other
 * members wait only a second for a claim of this node, and then pass this node over. A claim at the end of a long decision would be too late.
 */
const claimsAtOnce = 100;

interface QueuedEvent {
  readonly event: OwnershipEvent;
  /** The actions that have been run so far. */
  readonly actions: OwnershipAction[];
  readonly whenHandled: (() => void) | undefined;
}

/** An event whose steps are not complete. */
interface CurrentEvent extends QueuedEvent {
  /** `undefined` when there is nothing to decide yet. */
  readonly steps: Steps<readonly OwnershipAction[]> | undefined;
}

/**
 * Passes events to the ownership machine, runs its actions and wakes it when it is due. A decision about thousands of addresses is made in
 * slices (`turns.ts`). Between two slices, the process hears the other members and answers their probes. Without these pauses, the other members
 * would declare this node dead while it works. Each of them would then have to do as much work itself, to take the addresses over.
 *
 * Events are handled one after another. Views and claims do not wait: the machine notes them at once, and decides about them after the events
 * that came before.
 */
export class OwnershipRunner {
  readonly #options: OwnershipRunnerOptions;
  readonly #queue: QueuedEvent[] = [];
  readonly #task: TurnHandle;
  #current: CurrentEvent | undefined;
  #recording: Steps<void> | undefined;
  #claims: Claim[] = [];
  #timer: Timer | undefined;
  /** When the timer is due; infinite when it is not set. */
  #dueAtMs = Number.POSITIVE_INFINITY;

  constructor(options: OwnershipRunnerOptions) {
    this.#options = options;
    this.#task = (options.turns ?? new Turns(options.clock)).task({
      name: 'decisions about addresses',
      step: () => this.#step(),
      remaining: () => this.#queue.length,
    });
  }

  /** Handles the event: at once if the event is short and no other work is under way. Calls `whenHandled` when its actions have been run. */
  send(event: OwnershipEvent, whenHandled?: () => void): void {
    this.#noteStall();
    const actions = isNoted(event) ? this.#note(event) : [];
    this.#queue.push({ event, actions, whenHandled });
    this.#task.request();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#task.end();
  }

  /**
   * After a stall of this process, the timer fires and the first datagrams are handled while the claims of other nodes still wait in the socket.
   * The machine must know of the stall. Otherwise, it would pass these nodes over, as if they had not claimed in time.
   */
  #noteStall(): void {
    const { ownership, clock } = this.#options;
    if (clock.now() - this.#dueAtMs <= stallMs) return;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    ownership.stalled();
  }

  #note(event: NotedEvent): OwnershipAction[] {
    const { ownership, clock } = this.#options;
    ownership.note(event, clock.now());
    const actions = [...ownership.takeActions()];
    this.#runAll(actions);
    return actions;
  }

  /** Does one step. Returns false when nothing is left to do. */
  #step(): boolean {
    const { ownership, clock, drainCaptures } = this.#options;
    drainCaptures();
    if (this.#recording) {
      if (this.#recording.next().done) this.#recording = undefined;
      return true;
    }
    this.#current ??= this.#begin();
    const current = this.#current;
    if (!current) {
      this.#schedule();
      return false;
    }
    let isDone = true;
    try {
      ownership.setTime(clock.now());
      const { done = false, value } = current.steps?.next() ?? { done: true, value: [] };
      const actions = value ?? ownership.takeActions();
      for (const action of actions) current.actions.push(action);
      this.#runAll(actions);
      isDone = done;
    } finally {
      if (isDone) this.#current = undefined;
    }
    if (isDone) this.#handled(current);
    return true;
  }

  #begin(): CurrentEvent | undefined {
    const next = this.#queue.shift();
    return next && { ...next, steps: this.#stepsOf(next.event) };
  }

  #stepsOf(event: OwnershipEvent): CurrentEvent['steps'] {
    const { ownership, clock } = this.#options;
    // The next decision, for instance on a tick, includes all claims that were received before it.
    if (event.kind === 'claims-received') return undefined;
    // The machine has noted the event already.
    return ownership.handle(isNoted(event) ? { kind: 'tick' } : event, clock.now());
  }

  #handled({ event, actions, whenHandled }: CurrentEvent): void {
    this.#publish();
    this.#recording = this.#options.recorder.record(event, actions);
    whenHandled?.();
  }

  #runAll(actions: readonly OwnershipAction[]): void {
    for (const action of actions) {
      this.#options.drainCaptures();
      this.#run(action);
    }
  }

  #run(action: OwnershipAction): void {
    const { answers, onAnswer } = this.#options;
    switch (action.kind) {
      case 'answer':
        answers.answer(action);
        return onAnswer(action);
      case 'adjust':
        return answers.adjust(action);
      case 'silence':
        return answers.silence(action);
      case 'claim':
        for (const claim of action.claims) this.#claims.push(claim);
        if (this.#claims.length >= claimsAtOnce) this.#publish();
    }
  }

  #publish(): void {
    if (this.#claims.length === 0) return;
    const claims = this.#claims;
    this.#claims = [];
    this.#options.publish(claims);
    // These addresses count as load in the election of the remaining vacancies, on this node as on the other nodes.
    this.send({ kind: 'claims-published', addresses: claims.map(({ address }) => address) });
  }

  #schedule(): void {
    const { ownership, clock } = this.#options;
    this.#timer?.cancel();
    const atMs = ownership.wakeAtMs();
    // After a long decision, `atMs` may already have passed. That is not a stall.
    this.#dueAtMs = Math.max(atMs, clock.now());
    this.#timer =
      atMs === Number.POSITIVE_INFINITY
        ? undefined
        : clock.after(atMs - clock.now(), () => {
            this.#noteStall();
            this.#dueAtMs = Number.POSITIVE_INFINITY;
            this.#options.beforeTick?.();
            this.send({ kind: 'tick' });
          });
  }
}

function isNoted(event: OwnershipEvent): event is NotedEvent {
  return event.kind === 'view' || event.kind === 'claims-received' || event.kind === 'claims-published';
}
