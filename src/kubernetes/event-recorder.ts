import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { systemClock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Api, ApiError } from './client.ts';
import type { EventRecord } from './events.ts';
import { objectKey } from './model.ts';
import { WorkQueue } from './work-queue.ts';
import { isConflict, paths } from './write.ts';

/** Objects whose events wait to be sent; beyond it events are only in the log. One is a few hundred octets. */
const queueLimit = 20_000;
const concurrency = 4;
/** The API refuses longer messages. */
const messageLimit = 1024;

interface Pending {
  readonly record: EventRecord;
  readonly at: Date;
}

interface RecordedEvent {
  readonly count?: number;
}

/**
 * Writes events without making anybody wait: those of one object in order, those of different objects side by side, again while the
 * API server is away. An event's name is made of what it says, so the same thing said twice, also by the next process, is one event
 * with a count. An event is advice: one that the server refuses is logged and let go.
 */
export class EventRecorder {
  readonly #client: Api;
  readonly #component: string;
  readonly #host: string;
  readonly #logger: Logger;
  readonly #pending = new Map<string, Pending[]>();
  readonly #queue: WorkQueue;
  #full = false;

  constructor(options: { client: Api; component: string; host: string; logger: Logger; clock?: Clock }) {
    this.#client = options.client;
    this.#component = options.component;
    this.#host = options.host;
    this.#logger = options.logger;
    this.#queue = new WorkQueue({
      clock: options.clock ?? systemClock,
      concurrency,
      work: (key) => this.#sendAll(key),
      onError: (_, error) => {
        if (error instanceof ApiError && error.status === 0)
          this.#client.reachability.missed(this.#logger, error.message);
      },
    });
  }

  record(record: EventRecord): void {
    const key = `${record.regarding.kind} ${objectKey(record.regarding)}`;
    const waiting = this.#pending.get(key);
    if (waiting) waiting.push({ record, at: new Date() });
    else if (this.#pending.size < queueLimit) this.#pending.set(key, [{ record, at: new Date() }]);
    else if (!this.#full) {
      this.#full = true;
      this.#logger.warn({ reason: `events of ${queueLimit} objects wait already` }, 'events are lost');
    }
    this.#queue.add(key);
  }

  /** Resolves when what is queued has been sent or the time is over. */
  async flush(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (this.#pending.size > 0 && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async #sendAll(key: string): Promise<void> {
    const events = this.#pending.get(key) ?? [];
    for (let next = events[0]; next !== undefined; next = events[0]) {
      try {
        await this.#send(next);
      } catch (error) {
        if (!(error instanceof ApiError) || error.status === 0) throw error;
        const { reason, regarding } = next.record;
        this.#logger.warn(
          { event: reason, object: objectKey(regarding), reason: error.message },
          'event not written',
        );
      }
      events.shift();
    }
    this.#pending.delete(key);
    this.#full = false;
  }

  async #send({ record, at }: Pending): Promise<void> {
    const { regarding, type, reason, message } = record;
    // Events on objects without a namespace go to `default`, as the API demands.
    const namespace = regarding.namespace || 'default';
    const time = at.toISOString().replace(/\.\d+Z$/, 'Z');
    const name = eventName(record, this.#component);
    try {
      await this.#client.request({
        method: 'POST',
        path: paths.events(namespace),
        body: {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name, namespace },
          involvedObject: {
            apiVersion: 'v1',
            kind: regarding.kind,
            name: regarding.name,
            ...(regarding.namespace ? { namespace: regarding.namespace } : {}),
            ...(regarding.uid ? { uid: regarding.uid } : {}),
          },
          type,
          reason,
          message: message.length > messageLimit ? `${message.slice(0, messageLimit - 2)} …` : message,
          source: { component: this.#component, host: this.#host },
          reportingComponent: this.#component,
          reportingInstance: this.#host,
          firstTimestamp: time,
          lastTimestamp: time,
          count: 1,
        },
      });
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (!record.onlyIfNew) await this.#again(`${paths.events(namespace)}/${name}`, time);
    }
  }

  async #again(path: string, time: string): Promise<void> {
    const { count = 1 } = await this.#client.request<RecordedEvent>({ method: 'GET', path });
    await this.#client.request({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body: { count: count + 1, lastTimestamp: time },
    });
  }
}

/** A name of at most 253 characters, as all objects have. */
function eventName({ regarding, type, reason, message }: EventRecord, component: string): string {
  const said = JSON.stringify([component, regarding.kind, regarding.uid, type, reason, message]);
  const digest = createHash('sha256').update(said).digest('hex').slice(0, 16);
  return `${regarding.name.slice(0, 230)}.${digest}`;
}
