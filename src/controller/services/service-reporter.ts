import type { Clock } from '../../clock.ts';
import type { EventReason } from '../../kubernetes/event-reasons.ts';
import type { EventRecorder } from '../../kubernetes/event-recorder.ts';
import type { Service } from '../../kubernetes/model.ts';
import type { Logger } from '../../log.ts';
import type { Assigned } from '../allocator/holding.ts';
import type { Refusal } from '../allocator/refusals.ts';
import { unknownAnnotations } from '../allocator/request.ts';
import type { ControllerMetrics } from '../metrics.ts';
import { addressesOf, poolsOf } from './service-change.ts';
import type { Decision } from './service-decider.ts';

export interface ServiceReporterOptions {
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Whether another program assigns the addresses. Then the reporter writes no events, because they would contradict that program's events. */
  readonly adoptOnly: boolean;
}

interface Reported<T> {
  readonly uid: string;
  readonly about: T;
}

/** Tells operators about outcomes, in events, logs and metrics, and only when an outcome changes. */
export class ServiceReporter {
  readonly #options: ServiceReporterOptions;
  /** Last reported refusal, by Service. A later Service of the same name has another uid, so its refusal is reported too. */
  readonly #refusals = new Map<string, Reported<Refusal>>();
  /** Current warnings, by Service. Each was reported once. */
  readonly #warnings = new Map<string, Reported<ReadonlySet<string>>>();
  /** For each Service, the time at which its status was first seen to lack an assigned address. */
  readonly #lackingSinceMs = new Map<string, number>();

  constructor(options: ServiceReporterOptions) {
    this.#options = options;
  }

  /**
   * Reports a decision. Returns true when the decision failed or brought a refusal that was not reported before. With `onlyIfNew` an
   * event that exists already is not counted again, because a previous process may have reported the same outcome.
   */
  decided(decision: Decision, onlyIfNew: boolean): boolean {
    switch (decision.kind) {
      case 'released':
        this.#released(decision);
        return false;
      case 'leaving':
        this.#refusals.delete(decision.key);
        return false;
      case 'reconciled': {
        const { key, service, outcome } = decision;
        const isNews = this.#reportRefusal(key, service, outcome.refusal, onlyIfNew);
        this.#reportWarnings(key, service, outcome.warning, onlyIfNew);
        if (outcome.assigned.length <= service.ingress.length) this.#lackingSinceMs.delete(key);
        else if (!this.#lackingSinceMs.has(key)) this.#lackingSinceMs.set(key, this.#options.clock.now());
        return isNews;
      }
      case 'failed':
        return true;
    }
  }

  /** When the status of the Service was first seen to lack an assigned address. The caller passes the result to `written`. */
  lackingSinceMs(key: string): number | undefined {
    return this.#lackingSinceMs.get(key);
  }

  /** Reports that the status of a Service was written. `service` is its state before the write. */
  written(
    key: string,
    service: Service,
    assigned: readonly Assigned[],
    lackingSinceMs: number | undefined,
  ): void {
    const { logger, metrics, clock } = this.#options;
    const before = service.ingress.map(({ ip }) => ip).join(', ');
    if (assigned.length === 0) {
      this.#event(service, 'Normal', 'IPReleased', `released ${before}`);
      return;
    }
    if (lackingSinceMs !== undefined)
      metrics.allocationSeconds.observe((clock.now() - lackingSinceMs) / 1000);
    const ip = addressesOf(assigned);
    const pool = poolsOf(assigned);
    logger.info({ service: key, ip, pool, ...(before ? { before } : {}) }, 'address assigned');
    const was = before ? `, previously ${before}` : '';
    this.#event(service, 'Normal', 'IPAllocated', `assigned ${ip} from pool ${pool}${was}`);
  }

  #released({ key, freed, service }: Extract<Decision, { kind: 'released' }>): void {
    this.#refusals.delete(key);
    this.#warnings.delete(key);
    this.#lackingSinceMs.delete(key);
    if (freed.length === 0) return;
    const ip = addressesOf(freed);
    this.#options.logger.info({ service: key, ip, pool: poolsOf(freed) }, 'address released');
    // The API server itself clears the status of a Service that gets another type. The controller then writes no status, so `written` does
    // not report the release.
    if (service?.ingress.length === 0) this.#event(service, 'Normal', 'IPReleased', `released ${ip}`);
  }

  #reportRefusal(key: string, service: Service, refusal: Refusal | undefined, onlyIfNew: boolean): boolean {
    const known = reportedOn(service, this.#refusals.get(key));
    if (!refusal) {
      this.#refusals.delete(key);
      return false;
    }
    this.#refusals.set(key, { uid: service.uid, about: refusal });
    if (known?.message === refusal.message) return false;
    const { logger, metrics } = this.#options;
    if (known?.cause !== refusal.cause) metrics.refusals.inc({ cause: refusal.cause });
    const { adoptOnly } = this.#options;
    logger.warn(
      { service: key, cause: refusal.cause, reason: refusal.message },
      adoptOnly ? 'address not adopted' : 'allocation refused',
    );
    this.#event(service, 'Warning', 'AllocationFailed', refusal.message, onlyIfNew);
    return true;
  }

  #reportWarnings(key: string, service: Service, sharing: string | undefined, onlyIfNew: boolean): void {
    const { logger } = this.#options;
    const known = reportedOn(service, this.#warnings.get(key)) ?? new Set();
    const unknown = unknownAnnotations(service);
    const standing = new Set(sharing === undefined ? unknown : [...unknown, sharing]);
    if (standing.size > 0) this.#warnings.set(key, { uid: service.uid, about: standing });
    else this.#warnings.delete(key);
    for (const message of unknown) {
      if (known.has(message)) continue;
      logger.warn({ service: key, reason: message }, 'unknown annotation');
      this.#event(service, 'Warning', 'UnknownAnnotation', message, onlyIfNew);
    }
    if (sharing === undefined || known.has(sharing)) return;
    logger.warn({ service: key, reason: sharing }, 'address shared across namespaces');
    this.#event(service, 'Warning', 'SharedAcrossNamespaces', sharing, onlyIfNew);
  }

  #event(
    { namespace, name, uid }: Service,
    type: 'Normal' | 'Warning',
    reason: EventReason,
    message: string,
    onlyIfNew = false,
  ): void {
    if (this.#options.adoptOnly) return;
    const regarding = { kind: 'Service', namespace, name, uid } as const;
    this.#options.events.record({ regarding, type, reason, message, onlyIfNew });
  }
}

function reportedOn<T>({ uid }: Service, reported: Reported<T> | undefined): T | undefined {
  return reported?.uid === uid ? reported.about : undefined;
}
