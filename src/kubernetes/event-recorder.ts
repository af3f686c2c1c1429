/**
 * Writes events of `events.k8s.io/v1` in the background. Events of one object are written in order, and events of different objects in
 * parallel. Events wait while the API server does not answer or asks its clients to wait. The name of an event is a digest of its content. A
 * repeated event therefore only lengthens the series of the first event, even after a restart of the process. A budget for each object and
 * reason (`event-budget.ts`) limits the events of something that changes all the time. Events are only advice. An event that the server keeps
 * refusing is logged and dropped.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import type { Api } from './api.ts';
import { ApiError, isConflict } from './api-error.ts';
import { EventBudget } from './event-budget.ts';
import { eventReasons } from './event-reasons.ts';
import type { EventRecord } from './events.ts';
import { objectKey } from './model.ts';
import { ObjectReader } from './object-reader.ts';
import { isPassing, pause } from './retry.ts';
import { WorkQueue } from './work-queue.ts';
import { paths } from './write.ts';

/** Maximum number of objects with waiting events. Events of further objects are dropped. An event is a few hundred octets. */
const maxWaitingObjects = 20_000;
/** Maximum number of waiting events of one object. The object may change often while the API server does not answer. */
const maxEventsPerObject = 64;
const concurrency = 4;
/** The API refuses longer notes. */
const maxNoteOctets = 1024;
/** A starting API server refuses valid accounts for some seconds, so a refused event is retried for this long. */
const refusedForMs = 10_000;
const flushPollMs = 10;

interface PendingEvent {
  /** Monotonic time since which events of the object are refused for a reason that may pass. */
  refusedMs?: number | undefined;
  readonly record: EventRecord;
  /** Wall clock. */
  readonly epochMs: number;
}

export interface EventRecorderOptions {
  readonly client: Api;
  /** E.g. `bellman-speaker`. */
  readonly component: string;
  readonly host: string;
  readonly logger: Logger;
  readonly clock: Clock;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #pending = new Map<string, PendingEvent[]>();
  readonly #queue: WorkQueue;
  readonly #budget = new EventBudget();
  #isFull = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency,
      work: (key) => this.#sendAll(key),
      onError: (object, error, retryInMs) =>
        options.logger.debug({ object, reason: String(error), retryInMs }, 'event not written yet'),
      reachability: options.client.reachability,
    });
  }

  record(record: EventRecord): void {
    const { clock } = this.#options;
    const key = `${record.regarding.kind} ${objectKey(record.regarding)}`;
    const permission = this.#budget.spend(`${key} ${record.reason}`, clock.now());
    if (permission !== 'granted') return this.#limited(record, permission);
    const event: PendingEvent = { record, epochMs: clock.epochMs() };
    const waiting = this.#pending.get(key);
    if (waiting && waiting.length < maxEventsPerObject) waiting.push(event);
    else if (!waiting && this.#pending.size < maxWaitingObjects) this.#pending.set(key, [event]);
    else
      return this.#lose(
        waiting ? `${waiting.length} events of ${key}` : `events of ${maxWaitingObjects} objects`,
      );
    this.#queue.add(key);
  }

  /** Resolves once the queued events are sent, or after the deadline. */
  async flush(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    const end = clock.now() + deadlineMs;
    while (this.#pending.size > 0 && clock.now() < end) await pause(clock, flushPollMs, never);
  }

  async #sendAll(key: string): Promise<void> {
    const { clock, logger } = this.#options;
    const events = this.#pending.get(key) ?? [];
    for (let next = events[0]; next !== undefined; next = events[0]) {
      try {
        await this.#send(next);
      } catch (error) {
        const isApiError = error instanceof ApiError;
        if (isApiError && (error.status === 0 || error.retryAfterMs !== undefined)) {
          // A server that returns may refuse valid accounts for some seconds, so the time of the refusals is counted from the start again.
          for (const each of events) each.refusedMs = undefined;
          throw error;
        }
        // An error that is not an ApiError may pass, for instance when a token cannot be read. It may also stay, for instance when the API server
        // holds a malformed event of this name.
        const mayPass = !isApiError || isPassing(error.status);
        if (mayPass) {
          next.refusedMs ??= clock.now();
          if (clock.now() - next.refusedMs < refusedForMs) throw error;
        }
        const { reason, regarding } = next.record;
        logger.warn(
          { event: reason, object: objectKey(regarding), reason: reasonOf(error) },
          'event not written',
        );
        // After ten seconds of refusals, each other event of this object gets one attempt. Otherwise each would be refused for ten seconds in turn.
        for (const other of events) other.refusedMs ??= next.refusedMs;
      }
      events.shift();
    }
    if (this.#pending.delete(key)) this.#isFull = false;
  }

  #limited({ reason, regarding }: EventRecord, permission: 'refused first' | 'refused'): void {
    if (permission === 'refused') return;
    this.#options.logger.info({ event: reason, object: objectKey(regarding) }, 'events are limited');
  }

  /** Logs that events are lost. Logs it only once until events are sent again. */
  #lose(waiting: string): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#options.logger.warn({ reason: `${waiting} are waiting` }, 'events are lost');
  }

  async #send({ record, epochMs }: PendingEvent): Promise<void> {
    const { client, component, host } = this.#options;
    const { regarding, type, reason, message } = record;
    // The API requires that events about objects without a namespace are in `default`.
    const namespace = regarding.namespace || 'default';
    const time = microTime(epochMs);
    const name = eventName(record, component);
    try {
      await client.request({
        method: 'POST',
        path: paths.events(namespace),
        body: {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { name, namespace },
          eventTime: time,
          regarding: {
            apiVersion: 'v1',
            kind: regarding.kind,
            name: regarding.name,
            ...(regarding.namespace ? { namespace: regarding.namespace } : {}),
            ...(regarding.uid ? { uid: regarding.uid } : {}),
          },
          type,
          reason,
          action: eventReasons[reason].action,
          note: cut(message),
          reportingController: component,
          reportingInstance: host,
        },
      });
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (!record.onlyIfNew) await this.#lengthenSeries(`${paths.events(namespace)}/${name}`, time);
    }
  }

  /** The API requires that a series counts at least two events. */
  async #lengthenSeries(path: string, lastObservedTime: string): Promise<void> {
    const { client } = this.#options;
    const event = new ObjectReader(await client.request({ method: 'GET', path }));
    const count = event.object('series').number('count') ?? 1;
    await client.request({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body: { series: { count: count + 1, lastObservedTime } },
    });
  }
}

const never = new AbortController().signal;

/** A name of at most 253 characters, the limit for all objects. */
function eventName({ regarding, type, reason, message }: EventRecord, component: string): string {
  const content = JSON.stringify([component, regarding.kind, regarding.uid, type, reason, message]);
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
  return `${regarding.name.slice(0, 230)}.${digest}`;
}

/** A time with microseconds, the only form that the API takes here. */
function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}

/** Cuts a text to the limit of the API, at the end of a character. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= maxNoteOctets) return text;
  const mark = ' …';
  const octets = Buffer.from(text).subarray(0, maxNoteOctets - Buffer.byteLength(mark));
  return `${octets.toString('utf8').replace(/\uFFFD+$/u, '')}${mark}`;
}
