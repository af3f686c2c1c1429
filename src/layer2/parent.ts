/**
 * The speaker process starts the layer-2 process, restarts it with a growing delay when it ends, and exchanges messages with it. After a
 * restart, the new process receives the present speakers, keys and entries.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Registry } from 'prom-client';
import { type Clock, systemClock } from '../clock.ts';
import type { Logger, LogLevel } from '../log.ts';
import type { Result } from '../result.ts';
import type { RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { AddressEntry, AddressRemoval } from './address-entry.ts';
import { KeyFaultLog } from './key-fault-log.ts';
import { splitMessage } from './message-parts.ts';
import type { FromLayer2, KnownSpeakers, Layer2Settings, ToLayer2 } from './messages.ts';
import { Questions } from './questions.ts';
import type { AddressCounts } from './responder/address-state.ts';
import { registerAddressMetrics } from './responder/metrics.ts';

export interface Layer2Options {
  readonly settings: Layer2Settings;
  readonly logLevel: LogLevel;
  readonly logger: Logger;
  /**
   * Receives the metrics of addresses. These metrics are built in the speaker process, because building them in the layer-2 process would
   * delay answers.
   */
  readonly registry: Registry;
  readonly onMessage: (message: FromLayer2) => void;
  /** The present entries, for a new process; `undefined` while they are not known yet. */
  readonly entries: () => readonly AddressEntry[] | undefined;
  readonly clock?: Clock;
}

/** A handle on the layer-2 process. */
export interface Layer2 {
  table(entries: readonly AddressEntry[]): void;
  change(upsert: readonly AddressEntry[], remove: readonly AddressRemoval[]): void;
  /** Speakers that Kubernetes knows. */
  setSpeakers(speakers: KnownSpeakers): void;
  /**
   * Membership keys in base64, or the reason why there are none. If there are none, earlier keys stay in use. Before the first keys arrive,
   * no address is answered.
   */
  setKeys(keys: Result<readonly string[], string>): void;
  /** The process's last metrics except those of addresses, as prom-client's JSON. */
  metrics(): readonly object[];
  /** Reasons why the process is unhealthy; empty while it runs. */
  unhealthy(): readonly string[];
  /** The fault of the membership keys, if there is one. */
  keyFault(): string | undefined;
  /** Of the given addresses, returns those that this node or another live node claims. Rejects when the process does not answer. */
  claimed(addresses: readonly string[]): Promise<ReadonlySet<string>>;
  /** Returns the events of the process's flight recorders. Rejects when the process does not answer. */
  events(): Promise<readonly RecordedEvent[]>;
  /** Hands all addresses over and ends the process. Resolves when it is gone. */
  stop(): Promise<void>;
}

/** The program of the layer-2 process, from source or from a build. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? './process.ts' : './layer2-process.js',
  import.meta.url,
);
const restart = { firstMs: 100, maxMs: 5000, calmMs: 10_000 } as const;
/** The layer-2 process has this long to end after a call of `stop`. Then it is killed. */
const stopMs = 6000;

/** Starts the process, and restarts it whenever it ends, until `stop` is called. */
export function startLayer2(options: Layer2Options): Layer2 {
  return new Layer2Parent(options);
}

class Layer2Parent implements Layer2 {
  readonly #options: Layer2Options;
  #speakers: KnownSpeakers = { known: [], areCertain: false };
  readonly #counts = new Map<string, AddressCounts>();
  readonly #clock: Clock;
  readonly #questions: Questions;
  #keys: readonly string[] = [];
  #keyFault: string | undefined;
  readonly #keyFaultLog: KeyFaultLog;
  #metrics: readonly object[] = [];
  #child: ChildProcess | undefined;
  #startedAtMs = 0;
  #delayMs: number = restart.firstMs;
  #isStopping = false;

  constructor(options: Layer2Options) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#questions = new Questions(this.#clock);
    this.#keyFaultLog = new KeyFaultLog(this.#clock, options.logger);
    registerAddressMetrics(options.registry, () => this.#counts.values());
    this.#start();
  }

  table(entries: readonly AddressEntry[]): void {
    this.#send(...splitMessage({ kind: 'table', upsert: entries, remove: [] }));
  }

  change(upsert: readonly AddressEntry[], remove: readonly AddressRemoval[]): void {
    this.#send(...splitMessage({ kind: 'change', upsert, remove }));
  }

  setSpeakers(speakers: KnownSpeakers): void {
    if (JSON.stringify(speakers) === JSON.stringify(this.#speakers)) return;
    this.#speakers = speakers;
    this.#send({ kind: 'speakers', ...speakers });
  }

  setKeys(keys: Result<readonly string[], string>): void {
    this.#keyFault = keys.ok ? undefined : keys.error;
    this.#keyFaultLog.update(this.#keyFault, this.#keys.length > 0);
    if (!keys.ok) return;
    if (keys.value.join() === this.#keys.join()) return;
    this.#keys = keys.value;
    this.#send({ kind: 'keys', keys: keys.value });
  }

  keyFault(): string | undefined {
    return this.#keyFault;
  }

  metrics(): readonly object[] {
    return this.#metrics;
  }

  unhealthy(): readonly string[] {
    return this.#child ? [] : ['the layer-2 process is not running'];
  }

  async claimed(addresses: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(
      await this.#questions.ask<readonly string[]>((id) => this.#send({ kind: 'claimed', id, addresses })),
    );
  }

  events(): Promise<readonly RecordedEvent[]> {
    return this.#questions.ask((id) => this.#send({ kind: 'events', id }));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#keyFaultLog.close();
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#send({ kind: 'stop' });
    const limit = this.#clock.after(stopMs, () => child.kill('SIGKILL'));
    await gone;
    limit.cancel();
  }

  #start(): void {
    const { settings, logLevel, logger } = this.#options;
    const child = fork(program, [logLevel, JSON.stringify(settings)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    this.#startedAtMs = this.#clock.now();
    child.on('message', (message) => this.#receive(message as FromLayer2));
    child.on('error', (error) => logger.error({ reason: error.message }, 'layer-2 process failed'));
    child.on('exit', (code, signal) => this.#ended(code, signal));
    this.#send({ kind: 'speakers', ...this.#speakers });
    if (this.#keys.length > 0) this.#send({ kind: 'keys', keys: this.#keys });
    // Deferred, because the caller of the constructor may not be able to provide the entries yet.
    setImmediate(() => {
      const entries = this.#options.entries();
      if (entries && this.#child === child) this.table(entries);
    });
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = undefined;
    this.#metrics = [];
    this.#counts.clear();
    this.#questions.failAll();
    this.#options.onMessage({ kind: 'stopped' });
    if (this.#isStopping) return;
    if (this.#clock.now() - this.#startedAtMs > restart.calmMs) this.#delayMs = restart.firstMs;
    this.#options.logger.error(
      { reason: signal ?? `exit code ${code}`, retryInMs: this.#delayMs },
      'layer-2 process ended; restarting it',
    );
    this.#clock.after(this.#delayMs, () => {
      if (!this.#isStopping) this.#start();
    });
    this.#delayMs = Math.min(restart.maxMs, this.#delayMs * 2);
  }

  #receive(message: FromLayer2): void {
    switch (message.kind) {
      case 'metrics':
        this.#metrics = message.metrics as readonly object[];
        return;
      case 'counts':
        for (const each of message.counts) this.#counts.set(each.text, each);
        return;
      case 'claimed':
        return this.#questions.answered(message.id, message.addresses);
      case 'events':
        return this.#questions.answered(message.id, message.events);
      case 'announcing':
        for (const address of message.stopped) this.#counts.delete(address);
    }
    this.#options.onMessage(message);
  }

  #send(...messages: readonly ToLayer2[]): void {
    for (const message of messages) if (this.#child?.connected) this.#child.send(message);
  }
}
