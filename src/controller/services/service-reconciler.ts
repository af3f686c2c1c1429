/**
 * Brings each Service's status to what the allocator says.
 *
 *   Service seen ──→ decide (in memory, at once, in order) ──→ queue ──→ compare, patch status and annotation together
 *
 * Deciding is one step of the program, so two Services cannot be given one address. Writing is bounded, compares before it writes so
 * that nothing is written that is already so, and looks again after a conflict. An address that another Service's status still shows,
 * because it has moved away and that is not written yet, is not written a second time before: in the API, too, it never has two
 * owners. Who waits for an address is served before who comes new, in the order they asked. Events tell outcomes, and only when an
 * outcome changes.
 */

import { formatIp, parseIp } from '../address/index.ts';
import type { Clock } from '../clock.ts';
import type { AssignedAddress, Config, Labels } from '../config/index.ts';
import type { Api } from '../kubernetes/api.ts';
import { ApiError, isConflict, isNotFound } from '../kubernetes/api-error.ts';
import { decodeService } from '../kubernetes/decode.ts';
import type { EventReason } from '../kubernetes/event-reasons.ts';
import type { EventRecorder } from '../kubernetes/event-recorder.ts';
import { objectKey, type Service } from '../kubernetes/model.ts';
import { WorkQueue } from '../kubernetes/work-queue.ts';
import { patchServiceStatus } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';
import type { Assigned } from './allocator/address-book.ts';
import type { Allocator } from './allocator/allocator.ts';
import type { Refusal } from './allocator/refusals.ts';
import { meaninglessAnnotations } from './allocator/request.ts';
import type { ControllerMetrics } from './metrics.ts';
import { farewellChange, isMarked, isOurs, isRecorded, poolsOf, serviceChange } from './service-change.ts';
import { ServiceStore } from './service-store.ts';

export interface ServiceReconcilerOptions {
  readonly client: Api;
  readonly allocator: Allocator;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly loadBalancerClass: string | undefined;
  /** Addresses were handed out or given back. */
  readonly changed: () => void;
}

/** Writes under way at once: enough to be limited by the API server, too few to crowd others out. */
const concurrency = 8;

export class ServiceReconciler {
  readonly #options: ServiceReconcilerOptions;
  readonly #services = new ServiceStore();
  readonly #queue: WorkQueue;
  /** The last refusal told, by Service. */
  readonly #refusals = new Map<string, Refusal>();
  /** Said once for as long as it stands. */
  readonly #meaningless = new Map<string, readonly string[]>();
  /** Services to be written once the key's status shows an address no more. */
  readonly #blocked = new Map<string, Set<string>>();
  /** When a Service was first seen to need what it lacks. */
  readonly #seenAtMs = new Map<string, number>();
  /** To be decided about when decisions are allowed again; `undefined` when they are. */
  #held: Set<string> | undefined;
  /** Something became free that those who wait have not been asked about yet. */
  #freed = false;
  #serving = false;
  #state: 'gathering' | 'learning' | 'active' | 'stopped' = 'gathering';

  constructor(options: ServiceReconcilerOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency,
      reachability: options.client.reachability,
      work: (key) => this.#write(key),
      onError: (service, error, retryInMs) => {
        if (isConflict(error)) return;
        if (error instanceof ApiError && error.status === 0) return;
        options.logger.warn({ service, reason: String(error), retryInMs }, 'status not written');
      },
    });
  }

  /** Takes the newest state of a Service; `undefined` when it is gone. */
  setService(key: string, service: Service | undefined): void {
    const before = this.#services.get(key);
    if (!this.#services.set(key, service)) return;
    if (this.#state !== 'active') return;
    this.#decide(key);
    if (!service && before) this.#forget(key);
    for (const other of this.#blocked.get(key) ?? []) this.#queue.add(other);
    this.#blocked.delete(key);
  }

  /** Puts a configuration in force. The first time, what the Services' status says is learned before anything is decided. */
  setConfig(config: Config): void {
    const { allocator } = this.#options;
    allocator.setConfig(config);
    if (this.#state === 'gathering') {
      this.#state = 'learning';
      const inOrder = this.#services.byAge();
      for (const service of inOrder) if (this.#isOurs(service)) allocator.learn(service);
      for (const service of inOrder) this.#decide(objectKey(service));
      this.#state = 'active';
    } else this.#decideAll();
  }

  setNamespaces(labelsByName: ReadonlyMap<string, Labels>): void {
    this.#options.allocator.setNamespaces(labelsByName);
    if (this.#state === 'active') this.#decideAll();
  }

  /** While held nothing is decided; what changes meanwhile is decided afterwards. */
  hold(held: boolean): void {
    if (held) this.#held ??= new Set();
    else {
      const keys = this.#held ?? [];
      this.#held = undefined;
      for (const key of keys) this.#decide(key);
      if (this.#freed) this.#serveWaiting();
    }
  }

  /** How many Services there are, others' too. */
  get known(): number {
    return this.#services.size;
  }

  /** Services whose status is being written or waits for it. */
  get queued(): number {
    return this.#queue.depth;
  }

  /** The addresses in use: as decided, or, before anything was ever decided, as recorded on Services. */
  *assigned(): Iterable<AssignedAddress> {
    if (this.#state !== 'gathering') return yield* this.#options.allocator.assigned();
    for (const service of this.#services.values())
      if (this.#isOurs(service) && isRecorded(service))
        for (const { ip } of service.ingress) {
          const address = parseIp(ip);
          if (address) yield { service: objectKey(service), address };
        }
  }

  /** What `/status` says of Services that have an address or want one. */
  status(): readonly object[] {
    const { allocator } = this.#options;
    return [...this.#services.values()]
      .filter((service) => this.#isOurs(service))
      .map((service) => {
        const key = objectKey(service);
        const refusal = this.#refusals.get(key);
        const addresses = allocator
          .holdingOf(key)
          .map(({ address, pool }) => ({ ip: formatIp(address), pool }));
        return { service: key, addresses, ...(refusal ? { refusal } : {}) };
      });
  }

  /** Nothing new is decided or begun; resolves when what was under way is over. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#queue.stop();
    await this.#queue.settled();
  }

  #isOurs(service: Service): boolean {
    return isOurs(service, this.#options.loadBalancerClass);
  }

  #decideAll(): void {
    for (const key of this.#options.allocator.waiting()) this.#decide(key);
    for (const key of this.#services.keys()) this.#decide(key);
  }

  /** Decides about a Service and has the outcome written. Not yet while held. */
  #decide(key: string): void {
    if (this.#held) {
      this.#held.add(key);
      return;
    }
    const { allocator } = this.#options;
    const service = this.#services.get(key);
    if (!service || !this.#isOurs(service)) this.#letGo(key, service);
    else if (service.deleting) this.#keepUntilGone(key);
    else {
      // A newcomer takes nothing that somebody waits for.
      if (!this.#serving && !this.#refusals.has(key)) this.#serveWaiting();
      const before = allocator.holdingOf(key);
      const outcome = allocator.reconcile(service);
      if (hasLost(before, outcome.assigned)) this.#released();
      else if (hasLost(outcome.assigned, before)) this.#options.changed();
      this.#tell(key, service, outcome.refusal);
      this.#tellMeaningless(key, service);
      this.#observe(key, service, outcome.assigned);
      if (serviceChange(service, outcome.assigned)) this.#queue.add(key);
    }
  }

  /** Deleted, or not ours any more: its addresses are free, and what we wrote on it is taken back. */
  #letGo(key: string, service: Service | undefined): void {
    const { allocator, logger } = this.#options;
    const freed = allocator.release(key);
    this.#refusals.delete(key);
    this.#meaningless.delete(key);
    this.#seenAtMs.delete(key);
    if (freed.length > 0) {
      logger.info({ service: key, ip: addressList(freed), pool: poolsOf(freed) }, 'address released');
      this.#released();
    }
    if (service && isMarked(service)) this.#queue.add(key);
  }

  /** A Service on its way out keeps what it has and is given nothing. */
  #keepUntilGone(key: string): void {
    const { allocator } = this.#options;
    if (allocator.holdingOf(key).length === 0) allocator.release(key);
    this.#refusals.delete(key);
  }

  #forget(key: string): void {
    for (const [blocker, keys] of this.#blocked) {
      keys.delete(key);
      if (keys.size === 0) this.#blocked.delete(blocker);
    }
  }

  /** Those who wait are served soon, many releases at once together; a newcomer before then has them served first. */
  #released(): void {
    this.#options.changed();
    if (this.#freed) return;
    this.#freed = true;
    this.#options.clock.after(0, () => this.#serveWaiting());
  }

  #serveWaiting(): void {
    if (this.#state === 'stopped' || this.#held) return;
    this.#serving = true;
    while (this.#freed) {
      this.#freed = false;
      for (const key of this.#options.allocator.waiting()) this.#decide(key);
    }
    this.#serving = false;
  }

  async #write(key: string): Promise<void> {
    const { client, allocator, metrics } = this.#options;
    const service = this.#services.get(key);
    if (!service || service.deleting) return;
    const ours = this.#isOurs(service);
    const assigned = allocator.holdingOf(key);
    const change = ours ? serviceChange(service, assigned) : farewellChange(service);
    if (!change || this.#waitsForOthers(key, assigned)) return;
    // The watch may bring our own write before its answer comes.
    const seenAtMs = this.#seenAtMs.get(key);
    try {
      const written = await patchServiceStatus(client, service, service.resourceVersion, change);
      metrics.writes.inc({ object: 'service', result: 'ok' });
      if (change.ingress) this.#tellWritten(key, service, ours ? assigned : [], seenAtMs);
      this.setService(key, decodeService(written));
    } catch (error) {
      metrics.writes.inc({ object: 'service', result: isConflict(error) ? 'conflict' : 'error' });
      // Deleted meanwhile: the watch says so in a moment.
      if (!isNotFound(error)) throw error;
    }
  }

  /** Whether another status still shows one of the addresses without a right to it; then the write follows that one's. */
  #waitsForOthers(key: string, assigned: readonly Assigned[]): boolean {
    const { allocator } = this.#options;
    let waits = false;
    for (const { address } of assigned)
      for (const other of this.#services.showing(formatIp(address))) {
        const service = this.#services.get(other);
        const mine = service && (this.#isOurs(service) || isMarked(service));
        const shares = allocator.holdingOf(other).some((held) => sameAddress(held, address));
        if (other === key || !mine || shares) continue;
        this.#blocked.set(other, (this.#blocked.get(other) ?? new Set()).add(key));
        waits = true;
      }
    return waits;
  }

  #observe(key: string, { ingress }: Service, assigned: readonly Assigned[]): void {
    if (assigned.length > ingress.length) {
      if (!this.#seenAtMs.has(key)) this.#seenAtMs.set(key, this.#options.clock.now());
    } else this.#seenAtMs.delete(key);
  }

  #tellWritten(
    key: string,
    service: Service,
    assigned: readonly Assigned[],
    seenAtMs: number | undefined,
  ): void {
    const { logger, metrics, clock } = this.#options;
    const before = service.ingress.map(({ ip }) => ip).join(', ');
    if (assigned.length === 0) {
      this.#event(service, 'Normal', 'IPReleased', `released ${before}`);
      return;
    }
    if (seenAtMs !== undefined) metrics.allocationSeconds.observe((clock.now() - seenAtMs) / 1000);
    const ip = addressList(assigned);
    const pool = poolsOf(assigned);
    logger.info({ service: key, ip, pool, ...(before ? { before } : {}) }, 'address assigned');
    const was = before ? `, before ${before}` : '';
    this.#event(service, 'Normal', 'IPAllocated', `assigned ${ip} from pool ${pool}${was}`);
  }

  #tell(key: string, service: Service, refusal: Refusal | undefined): void {
    const { logger, metrics } = this.#options;
    if (!refusal) {
      this.#refusals.delete(key);
      return;
    }
    const known = this.#refusals.get(key);
    this.#refusals.set(key, refusal);
    if (known?.message === refusal.message) return;
    if (known?.cause !== refusal.cause) metrics.refusals.inc({ cause: refusal.cause });
    logger.warn({ service: key, cause: refusal.cause, reason: refusal.message }, 'allocation refused');
    this.#event(service, 'Warning', 'AllocationFailed', refusal.message);
  }

  #tellMeaningless(key: string, service: Service): void {
    const found = meaninglessAnnotations(service);
    const known = this.#meaningless.get(key) ?? [];
    if (found.length > 0) this.#meaningless.set(key, found);
    else this.#meaningless.delete(key);
    for (const message of found) {
      if (known.includes(message)) continue;
      this.#options.logger.warn({ service: key, reason: message }, 'annotation without a meaning');
      this.#event(service, 'Warning', 'UnknownAnnotation', message);
    }
  }

  #event(service: Service, type: 'Normal' | 'Warning', reason: EventReason, message: string): void {
    const { namespace, name, uid } = service;
    // What is found at a start has most likely been told before it.
    const onlyIfNew = this.#state === 'learning';
    this.#options.events.record({
      regarding: { kind: 'Service', namespace, name, uid },
      type,
      reason,
      message,
      onlyIfNew,
    });
  }
}

function addressList(assigned: readonly Assigned[]): string {
  return assigned.map(({ address }) => formatIp(address)).join(', ');
}

function sameAddress(held: Assigned, address: Assigned['address']): boolean {
  return held.address.family === address.family && held.address.value === address.value;
}

/** Whether something that was held before is not held after. */
function hasLost(before: readonly Assigned[], after: readonly Assigned[]): boolean {
  return before.some(({ address }) => !after.some((held) => sameAddress(held, address)));
}
