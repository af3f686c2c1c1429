import { type ChildProcess, fork } from 'node:child_process';
import type { Registry } from 'prom-client';
import { systemClock } from '../clock.ts';
import type { Logger, LogLevel } from '../log.ts';
import type { Result } from '../result.ts';
import type { RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { AddressEntry, AddressRemoval } from './address-entry.ts';
import { splitMessage } from './message-parts.ts';
import type { FromLayer2, KnownSpeakers, Layer2Settings, ToLayer2 } from './messages.ts';
import { Questions } from './questions.ts';
import type { AddressCounts } from './responder/address-state.ts';
import { registerAddressMetrics } from './responder/metrics.ts';

export interface Layer2Options {
  readonly settings: Layer2Settings;
  readonly logLevel: LogLevel;
  readonly logger: Logger;
  /** Takes the counters of addresses: making them into metrics is not for the process that answers. */
  readonly registry: Registry;
  readonly onMessage: (message: FromLayer2) => void;
  /** The whole table as it stands, for a process that starts anew; `undefined` while it is not known yet. */
  readonly entries: () => readonly AddressEntry[] | undefined;
}

/** The layer-2 process as the speaker holds it. */
export interface Layer2 {
  table(entries: readonly AddressEntry[]): void;
  change(upsert: readonly AddressEntry[], remove: readonly AddressRemoval[]): void;
  /** Where speakers should be. */
  setSpeakers(speakers: KnownSpeakers): void;
  /** Membership keys in base64, or why there are none. Without any nothing is answered; those that were known stay in use. */
  setKeys(keys: Result<readonly string[], string>): void;
  /** The last metrics that the process told, but for those of addresses: prom-client's JSON. */
  metrics(): readonly object[];
  /** Empty when the process runs, else the reasons. */
  unhealthy(): readonly string[];
  /** What is wrong with the membership keys. */
  keyFault(): string | undefined;
  /** Which of the addresses a live node claims, this node included. Rejects when the process is not there to answer. */
  claimed(addresses: readonly string[]): Promise<ReadonlySet<string>>;
  /** Events of the process' flight recorder. Rejects when the process is not there to answer. */
  events(): Promise<readonly RecordedEvent[]>;
  /** Hands over and ends the process; resolves when it is gone. */
  stop(): Promise<void>;
}

const restart = { firstMs: 100, maxMs: 5000, calmMs: 10_000 } as const;
/** A process that has not handed over by then is ended. */
const stopMs = 6000;

/** Starts the process and keeps it running until it is stopped. */
export function startLayer2(options: Layer2Options): Layer2 {
  return new Layer2Parent(options);
}

class Layer2Parent implements Layer2 {
  readonly #options: Layer2Options;
  #speakers: KnownSpeakers = { known: [], areCertain: false };
  readonly #counts = new Map<string, AddressCounts>();
  readonly #questions = new Questions(systemClock);
  #keys: readonly string[] = [];
  #keyFault: string | undefined;
  #metrics: readonly object[] = [];
  #child: ChildProcess | undefined;
  #startedAtMs = 0;
  #delayMs: number = restart.firstMs;
  #isStopping = false;

  constructor(options: Layer2Options) {
    this.#options = options;
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
    const before = this.#keyFault;
    this.#keyFault = keys.ok ? undefined : keys.error;
    if (!keys.ok) {
      const text =
        this.#keys.length > 0
          ? 'membership keys not usable, those known stay in use'
          : 'no membership keys: nothing is answered in layer 2';
      if (keys.error !== before) this.#options.logger.error({ reason: keys.error }, text);
      return;
    }
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
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#send({ kind: 'stop' });
    const limit = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await gone;
    clearTimeout(limit);
  }

  #start(): void {
    const { settings, logLevel, logger } = this.#options;
    const program = new URL(import.meta.url.replace(/parent\.(ts|js)$/, 'process.$1'));
    const child = fork(program, [logLevel, JSON.stringify(settings)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    this.#startedAtMs = performance.now();
    child.on('message', (message) => this.#heard(message as FromLayer2));
    child.on('error', (error) => logger.error({ reason: error.message }, 'layer-2 process'));
    child.on('exit', (code, signal) => this.#ended(code, signal));
    this.#send({ kind: 'speakers', ...this.#speakers });
    if (this.#keys.length > 0) this.#send({ kind: 'keys', keys: this.#keys });
    // In the next turn: whoever starts us may not be able to answer yet.
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
    if (performance.now() - this.#startedAtMs > restart.calmMs) this.#delayMs = restart.firstMs;
    this.#options.logger.error(
      { reason: signal ?? `exit code ${code}`, retryInMs: this.#delayMs },
      'the layer-2 process ended',
    );
    setTimeout(() => {
      if (!this.#isStopping) this.#start();
    }, this.#delayMs);
    this.#delayMs = Math.min(restart.maxMs, this.#delayMs * 2);
  }

  #heard(message: FromLayer2): void {
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
