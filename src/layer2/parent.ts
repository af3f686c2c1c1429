/**
 * The speaker process keeps the layer-2 process running and exchanges messages with it. After a restart, the new process receives the
 * present speakers, keys and entries.
 */
import type { Registry } from 'prom-client';
import { ChildProcess } from '../child-process/child-process.ts';
import { childProgram } from '../child-process/program.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Logger, LogLevel } from '../log.ts';
import type { Result } from '../result.ts';
import type { RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { AddressEntry, AddressRemoval } from './address-entry.ts';
import { KeyFaultLog } from './key-fault-log.ts';
import { splitMessage } from './message-parts.ts';
import type { FromLayer2, KnownSpeakers, Layer2Settings, ToLayer2 } from './messages.ts';
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

const program = childProgram(import.meta.url, { source: './process.ts', bundle: './layer2-process.js' });
/** A handover takes at most 3 s (docs/design/failover.md). */
const stopMs = 6000;

/** Starts the process, and restarts it whenever it ends, until `stop` is called. */
export function startLayer2(options: Layer2Options): Layer2 {
  return new Layer2Parent(options);
}

class Layer2Parent implements Layer2 {
  readonly #options: Layer2Options;
  #speakers: KnownSpeakers = { known: [], areCertain: false };
  readonly #counts = new Map<string, AddressCounts>();
  readonly #process: ChildProcess<ToLayer2, FromLayer2>;
  #keys: readonly string[] = [];
  #keyFault: string | undefined;
  readonly #keyFaultLog: KeyFaultLog;
  #metrics: readonly object[] = [];

  constructor(options: Layer2Options) {
    const { settings, logLevel, logger, registry, clock = systemClock } = options;
    this.#options = options;
    this.#keyFaultLog = new KeyFaultLog(clock, logger);
    registerAddressMetrics(registry, () => this.#counts.values());
    this.#process = new ChildProcess({
      name: 'layer-2 process',
      program,
      arguments: [logLevel, JSON.stringify(settings)],
      ...{ logger, clock, stopMs },
      onStarted: () => this.#started(),
      onMessage: (message) => this.#receive(message),
      onEnded: () => this.#ended(),
      stopMessage: { kind: 'stop' },
    });
    this.#process.start();
  }

  table(entries: readonly AddressEntry[]): void {
    this.#process.send(...splitMessage({ kind: 'table', upsert: entries, remove: [] }));
  }

  change(upsert: readonly AddressEntry[], remove: readonly AddressRemoval[]): void {
    this.#process.send(...splitMessage({ kind: 'change', upsert, remove }));
  }

  setSpeakers(speakers: KnownSpeakers): void {
    if (JSON.stringify(speakers) === JSON.stringify(this.#speakers)) return;
    this.#speakers = speakers;
    this.#process.send({ kind: 'speakers', ...speakers });
  }

  setKeys(keys: Result<readonly string[], string>): void {
    this.#keyFault = keys.ok ? undefined : keys.error;
    this.#keyFaultLog.update(this.#keyFault, this.#keys.length > 0);
    if (!keys.ok) return;
    if (keys.value.join() === this.#keys.join()) return;
    this.#keys = keys.value;
    this.#process.send({ kind: 'keys', keys: keys.value });
  }

  keyFault(): string | undefined {
    return this.#keyFault;
  }

  metrics(): readonly object[] {
    return this.#metrics;
  }

  unhealthy(): readonly string[] {
    return this.#process.unhealthy();
  }

  async claimed(addresses: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(await this.#process.ask<readonly string[]>((id) => ({ kind: 'claimed', id, addresses })));
  }

  events(): Promise<readonly RecordedEvent[]> {
    return this.#process.ask((id) => ({ kind: 'events', id }));
  }

  stop(): Promise<void> {
    this.#keyFaultLog.close();
    return this.#process.stop();
  }

  #started(): void {
    this.#process.send({ kind: 'speakers', ...this.#speakers });
    if (this.#keys.length > 0) this.#process.send({ kind: 'keys', keys: this.#keys });
    // Deferred, because the caller of the constructor may not be able to provide the entries yet.
    setImmediate(() => {
      const entries = this.#options.entries();
      if (entries) this.table(entries);
    });
  }

  #ended(): void {
    this.#metrics = [];
    this.#counts.clear();
    this.#options.onMessage({ kind: 'stopped' });
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
        return this.#process.answered(message.id, message.addresses);
      case 'events':
        return this.#process.answered(message.id, message.events);
      case 'announcing':
        for (const address of message.stopped) this.#counts.delete(address);
    }
    this.#options.onMessage(message);
  }
}
