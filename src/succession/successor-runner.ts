import { closeDescriptor } from '../linux/libc.ts';
import type { Logger } from '../log.ts';
import { type Result, reasonOf } from '../result.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Guard } from '../telemetry/guard.ts';
import { type Channel, connectChannel } from './channel.ts';
import type { PassedOn } from './predecessor-runner.ts';
import type { SuccessionRecord } from './record.ts';
import {
  greeting,
  initialSuccessorState,
  type SuccessorAction,
  type SuccessorEvent,
  stepSuccessor,
} from './successor.ts';

export interface SuccessorOptions {
  readonly path: string;
  readonly logger: Logger;
  readonly recorder: FlightRecorder;
  readonly guard: Guard;
  /** Checks the items. If all are valid, they and their descriptors belong to the callee from then on. */
  readonly check: (items: readonly PassedOn[]) => Result<unknown, string>;
  /** Closes the descriptors of checked items, because the sessions stay with the other process. */
  readonly discard: () => void;
}

/** Another speaker serves, and this process waits beside it. */
export interface Successor {
  /** Notes that this process has read all objects and could serve. */
  inSync(): void;
  /** `inherited`: the sessions belong to this process. `without`: it gets no sessions, because the other process has ended or keeps them. */
  readonly outcome: Promise<'inherited' | 'without'>;
}

/** Connects to the speaker that serves on this node. Returns `undefined` when there is none, or when it cannot be reached. */
export function connectToPredecessor(options: SuccessorOptions): Successor | undefined {
  try {
    const runner = new SuccessorRunner(options);
    return runner.connect() ? runner : undefined;
  } catch (error) {
    const reason = reasonOf(error);
    options.logger.warn({ path: options.path, reason }, 'the speaker that serves cannot be reached');
    return undefined;
  }
}

class SuccessorRunner implements Successor {
  readonly outcome: Promise<'inherited' | 'without'>;
  readonly #options: SuccessorOptions;
  #settle: (outcome: 'inherited' | 'without') => void = () => undefined;
  #state = initialSuccessorState;
  #channel: Channel | undefined;
  /** The descriptor of the item that is being handled. */
  #descriptor: number | undefined;
  #items: PassedOn[] = [];
  #isChecked = false;

  constructor(options: SuccessorOptions) {
    this.#options = options;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  connect(): boolean {
    const { path, logger } = this.#options;
    this.#channel = connectChannel(path, {
      onRecord: (record, descriptor) => {
        this.#descriptor = descriptor;
        this.#handle({ kind: 'record', record });
        if (this.#descriptor !== undefined) closeDescriptor(this.#descriptor);
        this.#descriptor = undefined;
      },
      onClosed: (reason) => {
        logger.info({ reason }, 'the connection with the speaker that serves has ended');
        this.#handle({ kind: 'closed' });
      },
    });
    if (!this.#channel) return false;
    this.#send(greeting);
    return true;
  }

  inSync(): void {
    this.#handle({ kind: 'in-sync' });
  }

  #handle(event: SuccessorEvent): void {
    const { guard, recorder } = this.#options;
    const isRight = guard.run({ entrance: 'succession', source: 'predecessor' }, () => {
      const { state, actions } = stepSuccessor(this.#state, event);
      this.#state = state;
      recorder.record(
        'successor',
        state.phase,
        { kind: event.kind },
        actions.map(({ kind }) => ({ kind })),
      );
      for (const action of actions) this.#run(action);
    });
    if (!isRight && event.kind !== 'closed') this.#handle({ kind: 'closed' });
  }

  #run(action: SuccessorAction): void {
    switch (action.kind) {
      case 'send':
        this.#send(action.record);
        return;
      case 'keep-item': {
        const descriptor = this.#descriptor;
        this.#descriptor = undefined;
        this.#items.push({ octets: action.octets, ...(descriptor === undefined ? {} : { descriptor }) });
        return;
      }
      case 'check':
        return this.#check();
      case 'inherit':
        this.#channel?.close();
        this.#settle('inherited');
        return;
      case 'give-up':
        this.#giveUp();
    }
  }

  #send(record: SuccessionRecord): void {
    try {
      this.#channel?.send(record);
    } catch (error) {
      const reason = reasonOf(error);
      this.#options.logger.info({ reason }, 'the connection with the speaker that serves has ended');
      this.#handle({ kind: 'closed' });
    }
  }

  #check(): void {
    const checked = this.#options.check(this.#items);
    if (checked.ok) {
      this.#isChecked = true;
      this.#items = [];
      this.#handle({ kind: 'valid' });
      return;
    }
    this.#options.logger.error(
      { reason: checked.error },
      'the sessions of the earlier speaker cannot be taken over',
    );
    this.#handle({ kind: 'invalid' });
  }

  #giveUp(): void {
    this.#channel?.close();
    if (this.#isChecked) this.#options.discard();
    for (const { descriptor } of this.#items) if (descriptor !== undefined) closeDescriptor(descriptor);
    this.#items = [];
    this.#settle('without');
  }
}
