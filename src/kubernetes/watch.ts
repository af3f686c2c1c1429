/**
 * Follows one collection of objects: lists it in pages, then watches from the list's resourceVersion. When the server ends the watch, a new
 * watch begins at the last resourceVersion. After `410 Gone` the collection is listed again, and only the differences are reported. The
 * handler receives the newest state of each key, or `undefined` once the object is gone. It may miss states in between. The handler also
 * receives one call when the first list is complete.
 *
 * A bad object does not affect the others. When an object does not decode, or the handler throws, the guard reports the failure. The object
 * is handled again later, from the newest state that the server sent. A line that cannot be read may hide any change, so the collection is
 * listed again.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { systemRandom } from '../random.ts';
import { Guard } from '../telemetry/guard.ts';
import type { Turns } from '../turns.ts';
import type { Api, RawObject } from './api.ts';
import { ApiError, isExpired, UnusableResponse } from './api-error.ts';
import { listPages } from './list.ts';
import { objectKey } from './model.ts';
import { pause, pauseForRetry } from './retry.ts';
import { readRawObject, readWatchEvent, type WatchEvent } from './watch-event.ts';
import {
  initialWatchRetry,
  nextWatchTry,
  type WatchOutcome,
  type WatchRetryState,
  type WatchRetryStep,
} from './watch-retry.ts';

export interface WatchHandler<T> {
  changed(key: string, object: T | undefined): void;
  /** The first list is complete. Called once. */
  synced(): void;
  /** The changes that follow belong to this resourceVersion. */
  reached?(resourceVersion: string): void;
}

export interface WatchOptions<T> {
  readonly client: Api;
  /** Collection without a query, e.g. `/api/v1/services`. */
  readonly path: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  /** Converts an API object to plain data. `undefined` leaves the object out, as if it did not exist. */
  readonly decode: (object: RawObject) => T | undefined;
  readonly handler: WatchHandler<T>;
  readonly guard?: Guard;
  readonly clock: Clock;
  /** When given, many changes that arrive together are spread over several turns of the event loop. */
  readonly turns?: Turns;
  /** Objects in one page of a list. A page of large objects takes long to parse, and parsing cannot be interrupted. */
  readonly pageSize?: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** In [0, 1). */
  readonly random?: () => number;
}

/**
 * The server ends a watch after this time, less a random part of up to a fifth, so that the watches of many speakers do not end together.
 */
const watchTimeoutSeconds = 300;
const listTimeoutMs = 60_000;
const redo = { firstMs: 1000, maxMs: 300_000 } as const;
const maxLoggedLength = 64;

/** Follows the collection until the signal aborts; never rejects. */
export function watch<T>(options: WatchOptions<T>): Promise<void> {
  return new CollectionWatch(options).run();
}

class CollectionWatch<T> {
  readonly #options: WatchOptions<T>;
  readonly #guard: Guard;
  readonly #random: () => number;
  /** The resourceVersion of each object that the handler knows (see `compact`); `undefined` when the object must be handled again. */
  readonly #known = new Map<string, string | number | undefined>();
  /** The newest state of objects whose handling failed; `undefined` for a deleted one. */
  readonly #failed = new Map<string, RawObject | undefined>();
  #redoTimer: Timer | undefined;
  #redoDelayMs: number = redo.firstMs;
  /** The version that the watch has reached; `undefined` when a list is due. */
  #resourceVersion: string | undefined;
  #isSynced = false;
  #retry: WatchRetryState;

  constructor(options: WatchOptions<T>) {
    this.#options = options;
    this.#guard = options.guard ?? new Guard({ logger: options.logger });
    this.#random = options.random ?? systemRandom;
    this.#retry = { ...initialWatchRetry, pageSize: options.pageSize ?? initialWatchRetry.pageSize };
  }

  async run(): Promise<void> {
    const { client, clock, signal } = this.#options;
    while (!signal.aborted) {
      const outcome = await this.#listAndFollow();
      if (signal.aborted) break;
      const { delayMs, endsOnReturn } = this.#note(outcome);
      if (delayMs <= 0) continue;
      if (endsOnReturn) await pauseForRetry(clock, delayMs, client.reachability, signal);
      else await pause(clock, delayMs, signal);
    }
    this.#redoTimer?.cancel();
  }

  /** Lists if a list is due, then follows the watch to its end. */
  async #listAndFollow(): Promise<WatchOutcome> {
    const { clock } = this.#options;
    try {
      if (this.#resourceVersion === undefined) {
        await this.#list();
        this.#note({ kind: 'accepted' });
      }
      const lines = await this.#open();
      const openedMs = clock.now();
      this.#note({ kind: 'accepted' });
      for await (const line of lines) {
        this.#handleLine(line);
        await this.#yieldTurn();
      }
      return { kind: 'ended', openForMs: clock.now() - openedMs };
    } catch (error) {
      return this.#outcomeOf(error);
    }
  }

  #outcomeOf(error: unknown): WatchOutcome {
    if (error instanceof ApiError && !(error instanceof UnusableResponse)) {
      if (isExpired(error)) return { kind: 'expired' };
      if (error.status === 0) return { kind: 'unanswered' };
      return { kind: 'refused', reason: error.message, retryAfterMs: error.retryAfterMs };
    }
    this.#report(error);
    return { kind: 'unusable', isTooLarge: error instanceof UnusableResponse && error.isTooLarge };
  }

  /** Notes an outcome. Returns the next step, which holds the pause before the next request. */
  #note(outcome: WatchOutcome): WatchRetryStep {
    const { path, clock, logger } = this.#options;
    const step = nextWatchTry(this.#retry, outcome, clock.now(), this.#random());
    const { state, relist, report } = step;
    this.#retry = state;
    if (relist) this.#resourceVersion = undefined;
    if (report === 'granted') logger.info({ resource: path }, 'API server accepts requests again');
    if (report === 'refused')
      logger.warn({ resource: path, reason: state.refusal?.logged }, 'API server rejects requests, retrying');
    return step;
  }

  async #list(): Promise<void> {
    const { client, path, handler, signal } = this.#options;
    const listed = new Set<string>();
    const pages = listPages(client, path, {
      ...{ query: this.#query({}), pageSize: this.#retry.pageSize, timeoutMs: listTimeoutMs, signal },
    });
    let resourceVersion: string | undefined;
    for await (const page of pages) {
      client.reachability.receivedEvent();
      this.#guarded(() => handler.reached?.(page.resourceVersion));
      for (const item of page.items) {
        this.#guarded(() => {
          const object = readRawObject(item);
          listed.add(keyOf(object));
          this.#apply(keyOf(object), object);
        });
        await this.#yieldTurn();
      }
      resourceVersion = page.resourceVersion;
    }
    for (const key of [...this.#known.keys()]) if (!listed.has(key)) this.#apply(key, undefined);
    for (const key of [...this.#failed.keys()]) if (!listed.has(key)) this.#apply(key, undefined);
    this.#resourceVersion = resourceVersion;
    this.#isSynced ||= this.#guarded(() => handler.synced());
  }

  /** Waits for the next turn of the event loop when this one has no time left. */
  async #yieldTurn(): Promise<void> {
    const { turns } = this.#options;
    while (turns && !turns.hasTime) await turns.next();
  }

  #open(): Promise<AsyncIterable<string>> {
    const { client, path, signal } = this.#options;
    const seconds = Math.round(watchTimeoutSeconds * (1 - this.#random() / 5));
    const query = this.#query({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#resourceVersion,
      timeoutSeconds: String(seconds),
    });
    return client.openStream(`${path}?${new URLSearchParams(query)}`, signal);
  }

  #handleLine(line: string): void {
    const { client, handler, signal } = this.#options;
    if (signal.aborted) return;
    let event: WatchEvent;
    try {
      event = readWatchEvent(line);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new UnreadableLine(line, error);
    }
    client.reachability.receivedEvent();
    this.#note({ kind: 'delivered' });
    const version = event.kind === 'bookmark' ? event.resourceVersion : event.object.metadata.resourceVersion;
    if (version !== undefined) {
      this.#resourceVersion = version;
      this.#guarded(() => handler.reached?.(version));
    }
    if (event.kind === 'bookmark') return;
    this.#apply(keyOf(event.object), event.kind === 'deleted' ? undefined : event.object);
  }

  /** Hands the newest state of an object to the handler, unless the handler already knows that state. Never throws. */
  #apply(key: string, raw: RawObject | undefined): void {
    const version = compact(raw?.metadata.resourceVersion);
    if (raw && version !== undefined && this.#known.get(key) === version) return;
    this.#failed.delete(key);
    const isHandled = this.#guarded(() => {
      const object = raw && this.#options.decode(raw);
      if (object === undefined) {
        if (!this.#known.has(key)) return;
        this.#options.handler.changed(key, undefined);
        this.#known.delete(key);
      } else {
        // The key is set before the call. A handler that throws may have applied the object in part, so a later deletion must still be reported.
        this.#known.set(key, undefined);
        this.#options.handler.changed(key, object);
        this.#known.set(key, version);
      }
    });
    if (isHandled) return;
    this.#failed.set(key, raw);
    this.#scheduleRedo();
  }

  #scheduleRedo(): void {
    this.#redoTimer ??= this.#options.clock.after(this.#redoDelayMs, () => {
      this.#redoTimer = undefined;
      if (this.#options.signal.aborted) return;
      this.#redoDelayMs = Math.min(redo.maxMs, this.#redoDelayMs * 2);
      for (const [key, raw] of [...this.#failed]) this.#apply(key, raw);
      if (this.#failed.size === 0) this.#redoDelayMs = redo.firstMs;
    });
  }

  #guarded(handle: () => void): boolean {
    return this.#guard.run({ entrance: 'watch', source: this.#options.path }, handle);
  }

  #report(error: unknown): void {
    const { path } = this.#options;
    const input = { entrance: 'watch', source: path } as const;
    if (error instanceof UnreadableLine)
      this.#guard.failed(
        { ...input, octets: Buffer.from(error.line.slice(0, maxLoggedLength)) },
        error.cause,
      );
    else this.#guard.failed(input, error);
  }

  #query(more: Readonly<Record<string, string | undefined>>): Record<string, string> {
    const { fieldSelector, labelSelector } = this.#options;
    const all = Object.entries({ fieldSelector, labelSelector, ...more });
    return Object.fromEntries(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
  }
}

/** A line of a watch that is not an event. */
class UnreadableLine extends Error {
  readonly line: string;

  constructor(line: string, cause: unknown) {
    super('a line of the watch is not an event', { cause });
    this.line = line;
  }
}

function keyOf({ metadata: { namespace, name } }: RawObject): string {
  return namespace === undefined ? name : objectKey({ namespace, name });
}

/**
 * A resourceVersion that can be compared with another one. A decimal number that a number holds exactly becomes a number, because a small integer
 * takes no memory in addition to its place in the map, and a text takes 24 octets or more.
 */
function compact(version: string | undefined): string | number | undefined {
  const number = Number(version);
  return Number.isSafeInteger(number) && String(number) === version ? number : version;
}
