/** The speaker's handle on the BFD process. After a restart, the new process receives the present sessions. */
import { ChildProcess } from '../child-process/child-process.ts';
import { childProgram } from '../child-process/program.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Logger, LogLevel } from '../log.ts';
import type { RecordedEvent } from '../telemetry/flight-recorder.ts';
import { diagnostic } from './codec/diagnostic.ts';
import type { BfdChange, BfdProcessStatus, BfdSessionStatus, FromBfd, ToBfd } from './messages.ts';
import type { BfdSessionSettings } from './session-settings.ts';

export interface BfdOptions {
  readonly logLevel: LogLevel;
  readonly logger: Logger;
  /**
   * Receives every change of a session. When the process ends, each session that is not yet AdminDown changes to AdminDown without a diagnostic,
   * because nothing is known about the path. A restarted process begins with Down.
   */
  readonly onChange: (change: BfdChange) => void;
  readonly clock?: Clock;
  /**
   * Path of the socket over which the BFD process inherits the sessions of its predecessor, and passes its own on to its successor. When the
   * path is absent, the process does neither.
   */
  readonly successionPath?: string;
  /** Tests run another program. */
  readonly program?: URL;
}

/** The process runs only while a session is configured. */
export interface Bfd {
  /**
   * Replaces the settings of all sessions. A session that stays in the list goes on, unless an edit changes its addresses or its interface, or
   * turns single hop into multihop or the reverse. After `passOn` or `stop`, the call has no effect.
   */
  setSessions(sessions: readonly BfdSessionSettings[]): void;
  /** The sessions as of the last second. A change of state shows at once. */
  status(): readonly BfdSessionStatus[];
  /** The process; `undefined` while it does not run. */
  processStatus(): BfdProcessStatus | undefined;
  /** Returns the events of the process's flight recorder; none while the process does not run. Rejects when the process does not answer. */
  events(): Promise<readonly RecordedEvent[]>;
  /** Reasons why the process is unhealthy; empty while it runs or is not needed. */
  unhealthy(): readonly string[];
  /** Passes the sessions on to the BFD process of the next speaker, if there is one. Call `stop` afterwards. */
  passOn(): Promise<void>;
  /** Sends AdminDown in all sessions and ends the process. Resolves when it is gone. */
  stop(): Promise<void>;
}

const program = childProgram(import.meta.url, { source: './process.ts', bundle: './bfd-process.js' });
/**
 * Flags of the process. Without `--single-threaded-gc`, V8 collects garbage with the help of threads of normal priority, and the main thread
 * waits for them. Beside six busy loops, that delays packets by up to half a second, although the kernel schedules the main thread before all
 * threads of normal priority.
 */
export const bfdNodeFlags = ['--single-threaded-gc'] as const;
/** The process takes a second to send AdminDown to its peers. */
const stopMs = 3000;
/** Longer than the process waits for its successor. */
const passMs = 15_000;

/** The handle starts the process with the first session, and restarts it whenever it ends, until no session is left or `stop` is called. */
export function createBfd(options: BfdOptions): Bfd {
  return new BfdParent(options);
}

class BfdParent implements Bfd {
  readonly #options: BfdOptions;
  readonly #process: ChildProcess<ToBfd, FromBfd>;
  #wanted: readonly BfdSessionSettings[] = [];
  #sent = '[]';
  /** By id of the session. */
  readonly #sessions = new Map<string, BfdSessionStatus>();
  #processStatus: BfdProcessStatus | undefined;
  /** Present once `passOn` has asked the process to pass its sessions on. */
  #passed: PromiseWithResolvers<void> | undefined;
  /**
   * True after `passOn` or `stop`. The speaker still watches the configuration then, but an edit must not begin sessions again: a second session
   * on the same path would take down the session that the next speaker goes on with.
   */
  #isEnding = false;

  constructor(options: BfdOptions) {
    const { logLevel, logger, clock = systemClock } = options;
    this.#options = options;
    this.#process = new ChildProcess({
      name: 'BFD process',
      program: options.program ?? program,
      arguments: [logLevel, ...(options.successionPath === undefined ? [] : [options.successionPath])],
      nodeFlags: bfdNodeFlags,
      ...{ logger, clock, stopMs },
      onStarted: () => this.#process.send({ kind: 'sessions', sessions: this.#wanted }),
      onMessage: (message) => this.#receive(message),
      onEnded: () => this.#ended(),
      stopMessage: { kind: 'stop' },
    });
  }

  setSessions(sessions: readonly BfdSessionSettings[]): void {
    if (this.#isEnding) return;
    const text = JSON.stringify(sessions);
    if (text === this.#sent) return;
    this.#sent = text;
    this.#wanted = sessions;
    const ids = new Set(sessions.map(({ id }) => id));
    for (const id of this.#sessions.keys()) if (!ids.has(id)) this.#sessions.delete(id);
    if (sessions.length === 0) {
      void this.#process.stop();
      return;
    }
    this.#process.send({ kind: 'sessions', sessions });
    this.#process.start();
  }

  status(): readonly BfdSessionStatus[] {
    return [...this.#sessions.values()];
  }

  processStatus(): BfdProcessStatus | undefined {
    return this.#processStatus;
  }

  async events(): Promise<readonly RecordedEvent[]> {
    if (!this.#processStatus) return [];
    return this.#process.ask((id) => ({ kind: 'events', id }));
  }

  unhealthy(): readonly string[] {
    return this.#process.unhealthy();
  }

  async passOn(): Promise<void> {
    this.#isEnding = true;
    if (!this.#processStatus) return;
    const { clock = systemClock } = this.#options;
    const passed = Promise.withResolvers<void>();
    this.#passed = passed;
    const limit = clock.after(passMs, () => passed.resolve());
    this.#process.send({ kind: 'pass-on' });
    await passed.promise;
    limit.cancel();
  }

  stop(): Promise<void> {
    this.#isEnding = true;
    return this.#process.stop();
  }

  #receive(message: FromBfd): void {
    switch (message.kind) {
      case 'status':
        this.#processStatus = message.process;
        for (const session of message.sessions)
          if (this.#isWanted(session.id)) this.#sessions.set(session.id, session);
        return;
      case 'change':
        return this.#changed(message.change);
      case 'passed-on':
        return this.#passed?.resolve();
      case 'events':
        return this.#process.answered(message.id, message.events);
    }
  }

  /** Ignores the changes of a removed session, which it still reports during its farewell. */
  #changed(change: BfdChange): void {
    if (!this.#isWanted(change.id)) return;
    const known = this.#sessions.get(change.id);
    if (known) this.#sessions.set(change.id, { ...known, ...change });
    this.#options.onChange(change);
  }

  #isWanted(id: string): boolean {
    return this.#wanted.some((settings) => settings.id === id);
  }

  #ended(): void {
    this.#passed?.resolve();
    this.#processStatus = undefined;
    const known = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const { id, state, remoteState, remoteDiagnostic, remoteControlPlaneIndependent } of known) {
      if (state === 'AdminDown') continue;
      const sinceEpochMs = (this.#options.clock ?? systemClock).epochMs();
      this.#options.onChange({
        ...{ id, remoteState, remoteDiagnostic, remoteControlPlaneIndependent, sinceEpochMs },
        state: 'AdminDown',
        diagnostic: diagnostic.none,
      });
    }
  }
}
