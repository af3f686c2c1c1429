/**
 * Brings each Service's status to what the allocator says, one key at a time. It compares before it writes, so nothing is written that
 * is already so; a conflict means looking again. Events tell outcomes, and only when an outcome changes.
 */
import { formatIp } from '../address/index.ts';
import { systemClock } from '../clock.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { EventRecorder } from '../kubernetes/event-recorder.ts';
import { type IngressAddress, objectKey, type Service } from '../kubernetes/model.ts';
import { annotations } from '../kubernetes/names.ts';
import { WorkQueue } from '../kubernetes/work-queue.ts';
import { isConflict, isNotFound, patchServiceAnnotations, patchServiceStatus } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';
import type { Allocator, Assigned, Outcome } from './allocator/allocator.ts';
import type { ControllerMetrics } from './metrics.ts';
import { loadBalancerClassMatches } from './service-class.ts';

export interface ServiceReconcilerOptions {
  readonly client: KubernetesClient;
  readonly allocator: Allocator;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly loadBalancerClass: string | undefined;
  /** Asked before every write. */
  readonly mayWrite: () => boolean;
}

export class ServiceReconciler {
  readonly #options: ServiceReconcilerOptions;
  readonly #services = new Map<string, Service>();
  readonly #queue: WorkQueue;
  /** The last refusal told, by Service. */
  readonly #told = new Map<string, string>();
  readonly #seenAtMs = new Map<string, number>();
  #active = false;

  constructor(options: ServiceReconcilerOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: systemClock,
      concurrency: 16,
      work: (key) => this.#reconcile(key),
      onError: (service, error, retryInMs) => {
        if (!isConflict(error))
          options.logger.warn({ service, reason: String(error), retryInMs }, 'status not written');
      },
    });
  }

  /** Takes the newest state of a Service. */
  setService(key: string, service: Service | undefined): void {
    if (service) this.#services.set(key, service);
    else this.#services.delete(key);
    if (this.#active) this.#queue.add(key);
  }

  /** Learns what is assigned and starts to write. Configuration, namespaces and Services are complete. */
  start(): void {
    const { allocator } = this.#options;
    const inOrder = [...this.#services.values()].filter((service) => this.#isOurs(service)).sort(byAge);
    for (const service of inOrder) allocator.learn(service);
    this.#active = true;
    for (const service of inOrder) this.#queue.add(objectKey(service));
    for (const key of this.#services.keys()) this.#queue.add(key);
  }

  /** Configuration or namespaces changed: everything is looked at again, those who wait first and in their order. */
  reconcileAll(): void {
    if (!this.#active) return;
    for (const key of this.#options.allocator.waiting()) this.#queue.add(key);
    for (const key of this.#services.keys()) this.#queue.add(key);
  }

  stop(): void {
    this.#active = false;
    this.#queue.stop();
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  get depth(): number {
    return this.#queue.depth;
  }

  #isOurs(service: Service): boolean {
    return (
      service.type === 'LoadBalancer' &&
      !service.deleting &&
      loadBalancerClassMatches(service, this.#options.loadBalancerClass)
    );
  }

  async #reconcile(key: string): Promise<void> {
    if (!this.#active || !this.#options.mayWrite()) return;
    const service = this.#services.get(key);
    if (!service || !this.#isOurs(service)) return this.#letGo(key, service);
    const before = this.#options.allocator.holdingOf(key);
    const outcome = this.#options.allocator.reconcile(service);
    this.#freed(before, outcome.assigned);
    this.#tell(key, service, outcome);
    if (outcome.assigned.length < (service.ingress.length || 1) && !this.#seenAtMs.has(key))
      this.#seenAtMs.set(key, systemClock.now());
    await this.#write(key, service, outcome.assigned);
  }

  /** What the Service held and holds no more is for those who wait. */
  #freed(before: readonly Assigned[], after: readonly Assigned[]): void {
    const kept = new Set(after.map(({ address }) => formatIp(address)));
    if (before.some(({ address }) => !kept.has(formatIp(address))))
      for (const waiting of this.#options.allocator.waiting()) this.#queue.add(waiting);
  }

  /** A Service that is deleted, or no longer ours: its addresses are free, and what we wrote on it is taken back. */
  async #letGo(key: string, service: Service | undefined): Promise<void> {
    const { allocator, events, logger, client, metrics } = this.#options;
    const freed = allocator.release(key);
    this.#told.delete(key);
    this.#seenAtMs.delete(key);
    this.#freed(freed, []);
    if (freed.length > 0) {
      const ip = freed.map(({ address }) => formatIp(address)).join(', ');
      logger.info({ service: key, ip }, 'address released');
      if (service) events.record(eventOn(service, 'Normal', 'IPReleased', `released ${ip}`));
    }
    // Ours by the annotation that only we write: a class or type that changed hands leaves nothing of us behind.
    if (!service || service.deleting || service.annotations[annotations.pool] === undefined) return;
    try {
      if (service.type !== 'LoadBalancer' && service.ingress.length > 0) {
        await patchServiceStatus(client, service, service.resourceVersion, []);
        metrics.writes.inc({ object: 'service-status', result: 'ok' });
      }
      await patchServiceAnnotations(client, service, {
        [annotations.pool]: null,
        [annotations.announcing]: null,
      });
      metrics.writes.inc({ object: 'service', result: 'ok' });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #write(key: string, service: Service, assigned: readonly Assigned[]): Promise<void> {
    const { client, metrics } = this.#options;
    const ingress: IngressAddress[] = assigned.map(({ address }) => ({
      ip: formatIp(address),
      ipMode: 'VIP',
    }));
    const pools = [...new Set(assigned.map(({ pool }) => pool))].join(',');
    const hadPools = service.annotations[annotations.pool];
    const statusIsRight = sameIngress(service.ingress, ingress);
    try {
      // The annotation first: an address in the status is then always explained.
      let { resourceVersion } = service;
      if ((hadPools ?? '') !== pools) {
        const written = await patchServiceAnnotations(
          client,
          service,
          { [annotations.pool]: pools || null },
          resourceVersion,
        );
        resourceVersion = written.metadata.resourceVersion ?? resourceVersion;
        metrics.writes.inc({ object: 'service', result: 'ok' });
      }
      if (!statusIsRight) {
        await patchServiceStatus(client, service, resourceVersion, ingress);
        metrics.writes.inc({ object: 'service-status', result: 'ok' });
        this.#written(key, service, assigned);
      }
    } catch (error) {
      if (isNotFound(error)) return;
      metrics.writes.inc({ object: 'service', result: isConflict(error) ? 'conflict' : 'error' });
      throw error;
    }
  }

  #written(key: string, service: Service, assigned: readonly Assigned[]): void {
    const { events, logger, metrics } = this.#options;
    const seenAtMs = this.#seenAtMs.get(key);
    this.#seenAtMs.delete(key);
    if (assigned.length === 0) {
      events.record(
        eventOn(
          service,
          'Normal',
          'IPReleased',
          `released ${service.ingress.map(({ ip }) => ip).join(', ')}`,
        ),
      );
      return;
    }
    if (seenAtMs !== undefined) metrics.allocationSeconds.observe((systemClock.now() - seenAtMs) / 1000);
    const ip = assigned.map(({ address }) => formatIp(address));
    const pool = [...new Set(assigned.map((each) => each.pool))].join(', ');
    logger.info({ service: key, ip: ip.join(', '), pool }, 'address assigned');
    events.record(eventOn(service, 'Normal', 'IPAllocated', `assigned ${ip.join(', ')} from pool ${pool}`));
  }

  #tell(key: string, service: Service, { refusal }: Outcome): void {
    const { events, logger, metrics } = this.#options;
    if (this.#told.get(key) === refusal?.message) return;
    if (!refusal) {
      this.#told.delete(key);
      return;
    }
    this.#told.set(key, refusal.message);
    metrics.refusals.inc({ cause: refusal.cause });
    logger.warn({ service: key, cause: refusal.cause, reason: refusal.message }, 'allocation refused');
    events.record(eventOn(service, 'Warning', 'AllocationFailed', refusal.message));
  }
}

function byAge(a: Service, b: Service): number {
  return a.createdAtMs - b.createdAtMs || (objectKey(a) < objectKey(b) ? -1 : 1);
}

function sameIngress(a: readonly IngressAddress[], b: readonly IngressAddress[]): boolean {
  return a.length === b.length && a.every(({ ip }, i) => ip === b[i]?.ip);
}

function eventOn(service: Service, type: 'Normal' | 'Warning', reason: string, message: string) {
  const { namespace, name, uid } = service;
  return { regarding: { kind: 'Service' as const, namespace, name, uid }, type, reason, message };
}
