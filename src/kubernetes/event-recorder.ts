import type { Logger } from '../log.ts';
import type { KubernetesClient } from './client.ts';
import type { EventRecord } from './events.ts';
import { paths } from './write.ts';

/** What is not sent while the API server is away, beyond the newest of these, is only in the log. */
const queueLimit = 1000;
const retryMs = 2000;

/**
 * Writes events one after another, in order, without making anybody wait; they are retried while the API server is away. An
 * event is advice: one that the server refuses is logged and let go.
 */
export class EventRecorder {
  readonly #client: KubernetesClient;
  readonly #component: string;
  readonly #host: string;
  readonly #logger: Logger;
  readonly #queue: { readonly record: EventRecord; readonly at: Date }[] = [];
  #sending = false;

  constructor(options: { client: KubernetesClient; component: string; host: string; logger: Logger }) {
    this.#client = options.client;
    this.#component = options.component;
    this.#host = options.host;
    this.#logger = options.logger;
  }

  record(record: EventRecord): void {
    this.#queue.push({ record, at: new Date() });
    if (this.#queue.length > queueLimit) this.#queue.shift();
    if (!this.#sending) void this.#drain();
  }

  /** Resolves when what is queued has been sent or the time is over. */
  async flush(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (this.#sending && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async #drain(): Promise<void> {
    this.#sending = true;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      try {
        await this.#send(next.record, next.at);
      } catch (error) {
        if ((error as { status?: number }).status === 0) {
          await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
          continue;
        }
        this.#logger.warn({ reason: String(error), event: next.record.reason }, 'event not written');
      }
      if (this.#queue[0] === next) this.#queue.shift();
    }
    this.#sending = false;
  }

  #send({ regarding, type, reason, message }: EventRecord, at: Date): Promise<unknown> {
    // Events on objects without a namespace go to `default`, as the API demands.
    const namespace = regarding.namespace || 'default';
    const time = at.toISOString().replace(/\.\d+Z$/, 'Z');
    return this.#client.request({
      method: 'POST',
      path: paths.events(namespace),
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { generateName: `${regarding.name}.`, namespace },
        involvedObject: {
          apiVersion: 'v1',
          kind: regarding.kind,
          name: regarding.name,
          ...(regarding.namespace ? { namespace: regarding.namespace } : {}),
          uid: regarding.uid,
        },
        type,
        reason,
        // The API refuses messages beyond 1 KiB; the log has the whole text.
        message: message.length > 1024 ? `${message.slice(0, 1020)} …` : message,
        source: { component: this.#component, host: this.#host },
        reportingComponent: this.#component,
        reportingInstance: this.#host,
        firstTimestamp: time,
        lastTimestamp: time,
        count: 1,
      },
    });
  }
}
