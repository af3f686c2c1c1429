/**
 * Writes the conditions of Services. Conditions only inform people, so only one write of conditions runs at a time, and writes of addresses do
 * not wait for it. A Service is written only when a condition changes.
 */
import type { Clock } from '../../clock.ts';
import type { Api } from '../../kubernetes/api.ts';
import { ApiError, isConflict, isNotFound } from '../../kubernetes/api-error.ts';
import type { Service, ServiceCondition } from '../../kubernetes/model.ts';
import { WorkQueue } from '../../kubernetes/work-queue.ts';
import { applyServiceConditions } from '../../kubernetes/write.ts';
import type { Logger } from '../../log.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { ControllerMetrics } from '../metrics.ts';
import { changedConditions, type JudgedService } from './service-conditions.ts';

export interface ConditionWriterOptions {
  readonly client: Api;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guard: Guard;
  readonly metrics: ControllerMetrics;
  /** The newest state of a Service; `undefined` when it is gone. */
  readonly service: (key: string) => Service | undefined;
  /** The facts for the conditions; `undefined` for a Service that is not ours, which shows no conditions. */
  readonly judge: (service: Service) => JudgedService | undefined;
}

const fieldManager = 'bellman-controller';

export class ConditionWriter {
  readonly #options: ConditionWriterOptions;
  readonly #writes: WorkQueue;

  constructor(options: ConditionWriterOptions) {
    this.#options = options;
    this.#writes = new WorkQueue({
      clock: options.clock,
      concurrency: 1,
      reachability: options.client.reachability,
      work: (key) => this.#write(key),
      onError: (key, error, retryInMs) => this.#failed(key, error, retryInMs),
    });
  }

  /** Queues a write if the conditions of the Service should change. */
  consider(key: string): void {
    if (this.#change(key)) this.#writes.add(key);
  }

  /** Starts no new write. Resolves when the write under way is done. */
  async stop(): Promise<void> {
    this.#writes.stop();
    await this.#writes.settled();
  }

  #change(key: string): { service: Service; conditions: readonly ServiceCondition[] } | undefined {
    const { service: find, judge, clock } = this.#options;
    const service = find(key);
    if (!service || service.deleting) return undefined;
    const now = new Date(clock.epochMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    const conditions = changedConditions(service.conditions ?? [], judge(service), now);
    return conditions && { service, conditions };
  }

  async #write(key: string): Promise<void> {
    const { client, metrics } = this.#options;
    const change = this.#change(key);
    if (!change) return;
    try {
      await applyServiceConditions(client, change.service, fieldManager, change.conditions);
      metrics.writes.inc({ object: 'conditions', result: 'ok' });
    } catch (error) {
      metrics.writes.inc({ object: 'conditions', result: isConflict(error) ? 'conflict' : 'error' });
      // Not found and a conflict both mean that the Service is gone (see `applyServiceConditions`). `consider` is called again if a new Service
      // gets its name.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  #failed(service: string, error: unknown, retryInMs: number): void {
    const { logger, guard } = this.#options;
    if (!(error instanceof ApiError))
      guard.failed({ entrance: 'watch', source: `Service ${service}` }, error);
    else if (error.status !== 0 && error.retryAfterMs === undefined)
      logger.warn({ service, reason: error.message, retryInMs }, 'conditions not written');
  }
}
