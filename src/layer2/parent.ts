/**
 * The speaker process keeps the layer-2 process running while any pool is announced in layer 2, or while the configuration has `dead-nodes`. The
 * two processes exchange messages. A new layer-2 process receives the present speakers, keys, entries and watched addresses.
 */
import type { Registry } from 'prom-client';
import { ChildProcess } from '../child-process/child-process.ts';
import { childProgram } from '../child-process/program.ts';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import type { Logger, LogLevel } from '../log.ts';
import type { Result } from '../result.ts';
import type { RecordedEvent } from '../telemetry/flight-recorder.ts';
import { type TurnHandle, Turns } from '../turns.ts';
import { KeyFaultLog } from './key-fault-log.ts';
import { type EntriesMessage, splitMessage } from './message-parts.ts';
import type { EntriesChange, FromLayer2, KnownSpeakers, Layer2Settings, ToLayer2 } from './messages.ts';
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
  /** All present candidate sets and address entries, for a new process; `undefined` while they are not known yet. */
  readonly entries: () => EntriesChange | undefined;
  readonly clock?: Clock;
  /** Shares the turns of the event loop with the other long work of the process. */
  readonly turns?: Turns;
  /** Tests run another program. */
  readonly program?: URL;
  /** With `true`, the process does not start before `letStart` is called. The layer-2 process of an earlier speaker may still run on this node. */
  readonly isHeldBack?: boolean;
}

/** A handle on the layer-2 process. */
export interface Layer2 {
  /**
   * Says whether the process is needed: for a pool that is announced in layer 2, or for the membership alone. The process ends `calmMs`
   * after the need has ended. From then on, entries are discarded, and `claimed` and `events` return nothing.
   */
  use(isUsed: boolean): void;
  /** Lets the process start although it was created with `isHeldBack`. */
  letStart(): void;
  /** Replaces all entries. */
  table(all: EntriesChange): void;
  change(change: EntriesChange): void;
  /** Speakers that Kubernetes knows. */
  setSpeakers(speakers: KnownSpeakers): void;
  /**
   * Membership keys in base64, or the reason why they cannot be used. In that case, earlier keys stay in use. Before the first keys arrive,
   * no address is answered.
   */
  setKeys(keys: Result<readonly string[], string>): void;
  /** The process's last metrics except those of addresses, as prom-client's JSON. */
  metrics(): readonly object[];
  /** Reasons why the process is unhealthy; empty while it runs, and while it is not used. */
  unhealthy(): readonly string[];
  /** The fault of the membership keys, if there is one and the process is needed. */
  keyFault(): string | undefined;
  /** Replaces the addresses whose answers on the wire are to be watched. */
  watch(addresses: readonly string[]): void;
  /** Of the given addresses, returns those that this node or another live node claims. Rejects when the process does not answer. */
  claimed(addresses: readonly string[]): Promise<ReadonlySet<string>>;
  /** Returns the events of the process's flight recorders. Rejects when the process does not answer. */
  events(): Promise<readonly RecordedEvent[]>;
  /** Hands all addresses over and ends the process. Resolves when it is gone. */
  stop(): Promise<void>;
}

const program = childProgram(import.meta.url, { source: './process.ts', bundle: './layer2-process.js' });
/** After a request to stop, the process is killed if it has not ended within this time. A handover takes at most 3 s (docs/design/failover.md). */
const stopMs = 6000;
/**
 * The process keeps running for this long after it is no longer needed, so that an edit that is soon reverted does not stop the process. In this
 * time, `AnnouncingReconciler` can also ask the process about addresses, before the reconciler removes their lines from the announcing record.
 */
const calmMs = 15_000;

/** Creates the handle. The process starts with the first use. */
export function createLayer2(options: Layer2Options): Layer2 {
  return new Layer2Parent(options);
}

class Layer2Parent implements Layer2 {
  readonly #options: Layer2Options;
  #speakers: KnownSpeakers = { known: [], areCertain: false };
  readonly #counts = new Map<string, AddressCounts>();
  readonly #clock: Clock;
  readonly #process: ChildProcess<ToLayer2, FromLayer2>;
  /** Messages that still have parts to send. */
  readonly #unsent: Iterator<EntriesMessage>[] = [];
  readonly #sending: TurnHandle;
  #keys: readonly string[] = [];
  #watched: readonly string[] = [];
  #keyFault: string | undefined;
  readonly #keyFaultLog: KeyFaultLog;
  #metrics: readonly object[] = [];
  #isUsed = false;
  #isHeldBack: boolean;
  #isStopping = false;
  #calm: Timer | undefined;

  constructor(options: Layer2Options) {
    const { settings, logLevel, logger, registry, clock = systemClock, turns = new Turns(clock) } = options;
    this.#options = options;
    this.#clock = clock;
    this.#isHeldBack = options.isHeldBack ?? false;
    this.#keyFaultLog = new KeyFaultLog(clock, logger);
    registerAddressMetrics(registry, () => this.#counts.values());
    this.#sending = turns.task({
      name: 'entries for the layer-2 process',
      step: () => this.#sendPart(),
      remaining: () => this.#unsent.length,
    });
    this.#process = new ChildProcess({
      name: 'layer-2 process',
      program: options.program ?? program,
      arguments: [logLevel, JSON.stringify(settings)],
      ...{ logger, clock, stopMs },
      onStarted: () => this.#started(),
      onMessage: (message) => this.#receive(message),
      onEnded: () => this.#ended(),
      stopMessage: { kind: 'stop' },
    });
  }

  use(isUsed: boolean): void {
    if (isUsed === this.#isUsed || this.#isStopping) return;
    this.#isUsed = isUsed;
    this.#calm?.cancel();
    this.#calm = undefined;
    this.#logKeyFault();
    if (isUsed) this.#start();
    else
      this.#calm = this.#clock.after(calmMs, () => {
        // A process that is held back has not started, so it need not stop.
        if (!this.#process.isWanted) return;
        this.#options.logger.info(
          'no pool is announced in layer 2, and dead nodes are not reported: the layer-2 process ends',
        );
        void this.#process.stop();
      });
  }

  letStart(): void {
    this.#isHeldBack = false;
    if (this.#isUsed) this.#start();
  }

  #start(): void {
    if (!this.#isHeldBack && !this.#isStopping) this.#process.start();
  }

  table(all: EntriesChange): void {
    this.#unsent.length = 0;
    this.#send({ kind: 'table', ...all });
  }

  change(change: EntriesChange): void {
    this.#send({ kind: 'change', ...change });
  }

  setSpeakers(speakers: KnownSpeakers): void {
    if (JSON.stringify(speakers) === JSON.stringify(this.#speakers)) return;
    this.#speakers = speakers;
    this.#process.send({ kind: 'speakers', ...speakers });
  }

  setKeys(keys: Result<readonly string[], string>): void {
    this.#keyFault = keys.ok ? undefined : keys.error;
    this.#logKeyFault();
    if (!keys.ok) return;
    if (keys.value.join() === this.#keys.join()) return;
    this.#keys = keys.value;
    this.#process.send({ kind: 'keys', keys: keys.value });
  }

  keyFault(): string | undefined {
    return this.#isUsed ? this.#keyFault : undefined;
  }

  metrics(): readonly object[] {
    return this.#metrics;
  }

  unhealthy(): readonly string[] {
    return this.#process.unhealthy();
  }

  watch(addresses: readonly string[]): void {
    this.#watched = addresses;
    if (this.#process.isWanted) this.#process.send({ kind: 'watch', addresses });
  }

  async claimed(addresses: readonly string[]): Promise<ReadonlySet<string>> {
    if (!this.#process.isWanted) return new Set();
    return new Set(await this.#process.ask<readonly string[]>((id) => ({ kind: 'claimed', id, addresses })));
  }

  async events(): Promise<readonly RecordedEvent[]> {
    if (!this.#process.isWanted) return [];
    return this.#process.ask((id) => ({ kind: 'events', id }));
  }

  stop(): Promise<void> {
    this.#isStopping = true;
    this.#calm?.cancel();
    this.#keyFaultLog.close();
    return this.#process.stop();
  }

  #send(message: EntriesMessage): void {
    if (!this.#process.isWanted) return;
    this.#unsent.push(splitMessage(message)[Symbol.iterator]());
    this.#sending.request();
  }

  /** Sends one part of the oldest message, or removes the message when it has no more parts. Returns false when no message is left. */
  #sendPart(): boolean {
    const [message] = this.#unsent;
    const part = message?.next();
    if (part && !part.done) this.#process.send(part.value);
    else this.#unsent.shift();
    return this.#unsent.length > 0;
  }

  #logKeyFault(): void {
    this.#keyFaultLog.update(this.keyFault(), this.#keys.length > 0);
  }

  #started(): void {
    this.#process.send({ kind: 'speakers', ...this.#speakers });
    if (this.#keys.length > 0) this.#process.send({ kind: 'keys', keys: this.#keys });
    const entries = this.#options.entries();
    if (entries) this.table(entries);
    if (this.#watched.length > 0) this.#process.send({ kind: 'watch', addresses: this.#watched });
  }

  #ended(): void {
    this.#metrics = [];
    this.#unsent.length = 0;
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
