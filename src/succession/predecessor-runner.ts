import type { Clock, Timer } from '../clock.ts';
import { closeDescriptor } from '../linux/libc.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Guard } from '../telemetry/guard.ts';
import { Channel, listenChannel } from './channel.ts';
import {
  initialPredecessorState,
  type PredecessorAction,
  type PredecessorEvent,
  stepPredecessor,
} from './predecessor.ts';
import type { SuccessionRecord } from './record.ts';

/** One item that a process passes on to another. A descriptor may come with it. */
export interface PassedOn {
  readonly octets: Uint8Array;
  readonly descriptor?: number;
}

/** All that a process passes on. */
export interface Passable {
  readonly items: readonly PassedOn[];
  /** Closes this end of all connections, because the other process has everything. */
  letGo(): Promise<void>;
  /** Resumes everything in this process, because the other process does not take it over. */
  keep(): void;
}

export interface PredecessorOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: FlightRecorder;
  readonly guard: Guard;
  /** Prepares the sessions for the successor; `undefined` when they cannot be passed on now. */
  readonly offer: () => Promise<Passable | undefined>;
}

/** Runs the machine of the process that serves: waits for a successor, and passes everything on to it when the process stops. */
export class PredecessorRunner {
  readonly #options: PredecessorOptions;
  #state = initialPredecessorState;
  #channel: Channel | undefined;
  #close: (() => void) | undefined;
  #deadline: Timer | undefined;
  #offered: Passable | undefined;
  #ended: Promise<void> = Promise.resolve();
  #settle: ((outcome: 'passed' | 'kept') => void) | undefined;

  constructor(options: PredecessorOptions) {
    this.#options = options;
  }

  /** From now on a successor can connect. A failure is logged: the next speaker then starts without the sessions of this one. */
  listen(): void {
    const { path, logger } = this.#options;
    try {
      this.#close = listenChannel({
        path,
        onConnected: (fd) => this.#connected(fd),
        onRefused: (reason) =>
          logger.warn({ reason }, 'a process that is not a speaker tried to take the sessions over'),
      });
    } catch (error) {
      const reason = reasonOf(error);
      logger.warn({ path, reason }, 'no other speaker can take the sessions of this one over');
    }
  }

  /** Passes everything on, if there is a successor or one is awaited. Resolves when the successor has everything, or when everything stays here. */
  async stop(awaitsSuccessor = false): Promise<'passed' | 'kept'> {
    const outcome = await new Promise<'passed' | 'kept'>((resolve) => {
      this.#settle = resolve;
      this.#handle({ kind: 'stop', awaitsSuccessor });
    });
    this.#close?.();
    await this.#ended;
    return outcome;
  }

  #connected(fd: number): void {
    if (this.#state.phase === 'offering') {
      new Channel(fd, { onRecord: () => undefined, onClosed: () => undefined }).close();
      return;
    }
    this.#channel?.close();
    const isCurrent = () => this.#channel === channel;
    const channel = new Channel(fd, {
      onRecord: (record, descriptor) => {
        // Only this end passes descriptors on.
        if (descriptor !== undefined) closeDescriptor(descriptor);
        if (isCurrent()) this.#handle({ kind: 'record', record });
      },
      onClosed: () => isCurrent() && this.#handle({ kind: 'closed' }),
    });
    this.#channel = channel;
    this.#options.logger.info('another speaker waits to take the sessions over');
    this.#handle({ kind: 'connected' });
  }

  #handle(event: PredecessorEvent): void {
    const { guard, recorder } = this.#options;
    const isRight = guard.run({ entrance: 'succession', source: 'successor' }, () => {
      const { state, actions } = stepPredecessor(this.#state, event);
      this.#state = state;
      recorder.record('predecessor', state.phase, event, actions);
      for (const action of actions) this.#run(action);
    });
    if (!isRight && event.kind !== 'closed') this.#handle({ kind: 'closed' });
  }

  #run(action: PredecessorAction): void {
    switch (action.kind) {
      case 'send':
        this.#send(action.record);
        return;
      case 'disconnect':
        this.#channel?.close();
        this.#channel = undefined;
        return;
      case 'offer':
        void this.#offer();
        return;
      case 'commit':
        this.#commit();
        return;
      case 'keep':
        this.#offered?.keep();
        this.#offered = undefined;
        this.#settle?.('kept');
        return;
      case 'start-deadline':
        this.#deadline = this.#options.clock.after(action.delayMs, () => this.#handle({ kind: 'deadline' }));
        return;
      case 'stop-deadline':
        this.#deadline?.cancel();
    }
  }

  #send(record: SuccessionRecord): void {
    try {
      this.#channel?.send(record);
    } catch (error) {
      const reason = reasonOf(error);
      this.#options.logger.info({ reason }, 'the connection with the waiting speaker has ended');
      this.#handle({ kind: 'closed' });
    }
  }

  async #offer(): Promise<void> {
    try {
      const offered = await this.#options.offer();
      if (!offered) return this.#handle({ kind: 'offer-failed' });
      if (this.#state.phase !== 'offering') return offered.keep();
      this.#offered = offered;
      for (const { octets, descriptor } of offered.items)
        await this.#sendPatiently({ kind: 'item', octets }, descriptor);
      await this.#sendPatiently({ kind: 'offered', items: offered.items.length });
    } catch (error) {
      const reason = reasonOf(error);
      this.#options.logger.warn({ reason }, 'the sessions could not be passed on');
      this.#handle({ kind: 'offer-failed' });
    }
  }

  /** Sends the record as soon as the socket has room. `acceptDeadlineMs` bounds the wait. */
  async #sendPatiently(record: SuccessionRecord, descriptor?: number): Promise<void> {
    while (this.#state.phase === 'offering' && this.#channel?.trySend(record, descriptor) === false)
      await new Promise<void>((resolve) => void setImmediate(resolve));
  }

  /** Lets the sessions go before it tells the successor, so that the two processes never both speak on one session. */
  #commit(): void {
    const { logger } = this.#options;
    this.#ended = this.#offered?.letGo() ?? Promise.resolve();
    try {
      this.#channel?.send({ kind: 'committed' });
    } catch (error) {
      const reason = reasonOf(error);
      logger.warn({ reason }, 'the other speaker ended while it took the sessions over');
    }
    this.#settle?.('passed');
  }
}
