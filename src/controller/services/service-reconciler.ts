/**
 * Writes what the allocator decides into each Service's status.
 *
 *   watch ──→ store ──→ decide (in memory, in order) ──→ report ──→ queue ──→ compare, patch status and annotation together
 *
 * A decision about one Service runs to its end before anything else happens, so two Services cannot get the same address. A pass, which is a
 * series of decisions about many Services, is made in slices (`turns.ts`). A Service that changes during a pass gets a decision in the next pass.
 * The number of concurrent writes is bounded. Each write sends only the difference. After a conflict, the write starts again from the new state.
 *
 * The phases:
 *
 *   gathering ──first configuration: learn, decide──→ deciding ⇄ held      any ──→ stopped
 *
 * While gathering, the reconciler makes no decision, because the addresses in use are not known yet. While held, it makes no decision, because a
 * new configuration is being judged, or is accepted but not written yet. An address that is assigned now might be in no pool of the new
 * configuration.
 */
import { formatIp, type IpAddress, parseIp, sameIp } from '../../address/index.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { AssignedAddress, Config, Labels, PoolConfig } from '../../config/index.ts';
import type { Api } from '../../kubernetes/api.ts';
import { ApiError, isConflict, isNotFound } from '../../kubernetes/api-error.ts';
import { decodeService } from '../../kubernetes/decode.ts';
import type { EventRecorder } from '../../kubernetes/event-recorder.ts';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import { type Refusal, refused } from '../../kubernetes/retry.ts';
import { WorkQueue } from '../../kubernetes/work-queue.ts';
import { isOlderVersion, patchServiceStatus } from '../../kubernetes/write.ts';
import type { Logger } from '../../log.ts';
import type { FlightRecorder } from '../../telemetry/flight-recorder.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { TurnHandle, Turns } from '../../turns.ts';
import type { Allocator } from '../allocator/allocator.ts';
import { type Assigned, includesIp } from '../allocator/holding.ts';
import type { ControllerMetrics } from '../metrics.ts';
import { ConditionWriter } from './condition-writer.ts';
import { decisionRecord } from './decision-record.ts';
import { ServiceKeeper } from './kept-service.ts';
import { isMarked, isRecorded, removalChange, serviceChange } from './service-change.ts';
import { announcingProtocols, type JudgedService } from './service-conditions.ts';
import { type Decision, ServiceDecider } from './service-decider.ts';
import { ServiceReporter } from './service-reporter.ts';
import { ServiceStore } from './service-store.ts';
import { WriteOrder } from './write-order.ts';

export interface ServiceReconcilerOptions {
  readonly client: Api;
  readonly allocator: Allocator;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly guard: Guard;
  readonly recorder: FlightRecorder;
  readonly loadBalancerClass: string | undefined;
  /** Whether the controller writes conditions into the status of Services (`--service-conditions`). */
  readonly showsConditions: boolean;
  /** Whether the reconciler only adds the addresses of Services to the books. It then assigns no address and writes to no Service. */
  readonly adoptOnly: boolean;
  /** Called at the end of a pass that assigned an address or took one back. */
  readonly onAddressesChanged: () => void;
}

type Phase = 'gathering' | 'deciding' | 'held' | 'stopped';

/** Decisions about some Services, one after another. */
interface Pass {
  /** Services about which this pass has not decided yet. */
  readonly pending: Set<string>;
  readonly steps: Iterator<Decision | undefined>;
  /** Whether this is the first pass of the term. */
  readonly isFirst: boolean;
  /** Whether a decision assigned an address or took one back. */
  hasMoved: boolean;
}

/** Number of concurrent writes. It is high enough to use the API server fully, and low enough to leave room for its other clients. */
const concurrency = 8;
/** Delay before a failed decision is retried. The delay doubles with each failure. */
const retry = { firstMs: 100, maxMs: 30_000 } as const;

export class ServiceReconciler {
  readonly #options: ServiceReconcilerOptions;
  readonly #services = new ServiceStore();
  readonly #keeper = new ServiceKeeper();
  readonly #decider: ServiceDecider;
  readonly #reporter: ServiceReporter;
  readonly #writeOrder = new WriteOrder();
  readonly #writes: WorkQueue;
  readonly #conditions: ConditionWriter | undefined;
  /** Services to decide about in the next pass. */
  #changed = new Set<string>();
  /** Consecutive failed decisions, by Service. */
  readonly #failures = new Map<string, number>();
  /** Present while the server asks its clients to wait. */
  #throttling: Refusal | undefined;
  #pools: ReadonlyMap<string, PoolConfig> = new Map();
  #phase: Phase = 'gathering';
  #nextPass: Timer | undefined;
  /** The pass that is not finished. */
  #pass: Pass | undefined;
  #isFirstPass = true;
  /** Whether an unfinished pass that was dropped had moved addresses. */
  #hasMoved = false;
  readonly #deciding: TurnHandle;
  /** Present while a caller of `settle` waits. */
  #settling: PromiseWithResolvers<boolean> | undefined;

  constructor(options: ServiceReconcilerOptions) {
    this.#options = options;
    this.#decider = new ServiceDecider(options.allocator, this.#services, options);
    this.#reporter = new ServiceReporter(options);
    this.#deciding = options.turns.task({
      name: 'decisions about Services',
      step: () => this.#step(),
      remaining: () => this.#changed.size + (this.#pass?.pending.size ?? 0),
    });
    this.#writes = new WorkQueue({
      clock: options.clock,
      concurrency,
      reachability: options.client.reachability,
      work: (key) => this.#write(key),
      onError: (key, error, retryInMs) => this.#writeFailed(key, error, retryInMs),
    });
    this.#conditions = options.showsConditions
      ? new ConditionWriter({
          ...options,
          service: (key) => this.#services.get(key),
          judge: (service) => this.#judged(service),
        })
      : undefined;
  }

  /** The part of a Service to pass to `setService`; `undefined` for a Service that no decision needs. */
  kept(service: Service): Service | undefined {
    return this.#keeper.kept(service);
  }

  /** Takes the newest state of a Service; `undefined` when it is gone. */
  setService(key: string, service: Service | undefined): void {
    if (!this.#services.set(key, service)) return;
    if (!service) this.#writeOrder.forget(key);
    for (const delayed of this.#writeOrder.changed(key)) this.#writes.add(delayed);
    this.#changed.add(key);
    this.#passSoon();
  }

  /**
   * Puts a configuration in force. With the first one, the allocator learns the addresses in use, and then the decisions start. With a later
   * one, the decisions wait for `release`.
   */
  async setConfig(config: Config): Promise<void> {
    if (!(await this.settle())) return;
    await this.#options.turns.finish(this.#configSteps(config));
    this.#deciding.request();
  }

  *#configSteps(config: Config): Generator<undefined, void> {
    yield* this.#options.allocator.configSteps(config);
    this.#pools = new Map(config.pools.map((pool) => [pool.name, pool]));
    if (this.#phase === 'gathering') yield* this.#learnAll();
    else yield* this.#allChanged();
  }

  *#learnAll(): Generator<undefined, void> {
    const { allocator } = this.#options;
    // `#changed` holds these keys already, in the order in which the API server listed the Services. Only a new Set puts the oldest Service first,
    // because adding a key to a Set again does not move the key.
    const inOrder = new Set<string>();
    for (const each of yield* this.#services.byAgeSteps()) {
      const key = objectKey(each);
      const service = this.#services.get(key);
      if (service && this.#decider.isOurs(service)) allocator.learn(service);
      inOrder.add(key);
      yield undefined;
    }
    for (const key of this.#changed) {
      inOrder.add(key);
      yield undefined;
    }
    this.#changed = inOrder;
    if (this.#phase === 'gathering') this.#phase = 'deciding';
  }

  /** Sets the map of all namespaces. Call `namespaceChanged` after each change of the map. */
  setNamespaces(labelsByName: ReadonlyMap<string, Labels>): void {
    this.#options.allocator.setNamespaces(labelsByName);
    if (this.#phase === 'gathering') return;
    for (const _ of this.#allChanged());
    this.#deciding.request();
  }

  /** The labels of the namespace have changed, so its Services may be allowed to use other pools. */
  namespaceChanged(name: string): void {
    for (const key of this.#services.inNamespace(name)) this.#changed.add(key);
    this.#passSoon();
  }

  /**
   * Makes the decisions that are due, then suspends decisions. Changes that arrive later wait for `release`. Resolves to false when the reconciler
   * stops before it has made the due decisions. While gathering, there are no decisions to wait for.
   */
  async settle(): Promise<boolean> {
    if (this.#phase !== 'deciding') return this.#phase !== 'stopped';
    this.#settling ??= Promise.withResolvers();
    const { promise } = this.#settling;
    this.#deciding.request();
    return await promise;
  }

  /** Resumes decisions. A caller of `settle` that did not wait for the result calls this too. */
  release(): void {
    this.#settling = undefined;
    if (this.#phase !== 'held') return;
    this.#phase = 'deciding';
    this.#deciding.request();
  }

  /** Number of known Services, including those that are not ours. */
  get known(): number {
    return this.#services.size;
  }

  /** The labels of each Service of type LoadBalancer, of whatever class. */
  *loadBalancerLabels(): Generator<Labels> {
    for (const { type, labels } of this.#services.values()) if (type === 'LoadBalancer') yield labels;
  }

  /** Number of Services whose status is being written or waits to be written, also those that wait for a retry. */
  get queued(): number {
    return this.#writes.depth;
  }

  /**
   * The addresses in use. They change with each decision, so a caller that reads them in slices calls `settle` first. Before the first
   * configuration, these are the addresses that are recorded on Services.
   */
  assigned(): Iterable<AssignedAddress> {
    return this.#phase === 'gathering' ? this.#recordedAddresses() : this.#options.allocator.assigned();
  }

  /** The `/status` entries of all Services that are ours. */
  status(): readonly object[] {
    const { allocator } = this.#options;
    return [...this.#services.values()]
      .filter((service) => this.#decider.isOurs(service))
      .map((service) => {
        const key = objectKey(service);
        const refusal = allocator.refusalOf(key);
        const addresses = allocator
          .holdingOf(key)
          .map(({ address, pool }) => ({ ip: formatIp(address), pool }));
        return { service: key, addresses, ...(refusal ? { refusal } : {}) };
      });
  }

  /** Makes no more decisions and starts no new write. Resolves when the writes under way are done. */
  async stop(): Promise<void> {
    this.#phase = 'stopped';
    this.#deciding.end();
    this.#settling?.resolve(false);
    this.#writes.stop();
    await Promise.all([this.#writes.settled(), this.#conditions?.stop()]);
  }

  /** The facts for the conditions of a Service; `undefined` for a Service that is not ours. */
  #judged(service: Service): JudgedService | undefined {
    const { allocator } = this.#options;
    if (!this.#decider.isOurs(service)) return undefined;
    const key = objectKey(service);
    return {
      service,
      assigned: allocator.holdingOf(key),
      refusal: allocator.refusalOf(key),
      protocolsOf: ({ pool: name }) => {
        const pool = this.#pools.get(name);
        return pool ? announcingProtocols(pool, service.labels) : [];
      },
    };
  }

  *#recordedAddresses(): Iterable<AssignedAddress> {
    for (const service of this.#services.values())
      if (this.#decider.isOurs(service) && isRecorded(service))
        for (const { ip } of service.ingress) {
          const address = parseIp(ip);
          if (address) yield { service: objectKey(service), address };
        }
  }

  /**
   * Notes that a decision about each Service is due. This includes the Services that an unfinished pass has not reached, also those that are gone
   * and must be released.
   */
  *#allChanged(): Generator<undefined, void> {
    for (const key of this.#pass?.pending ?? []) this.#changed.add(key);
    if (this.#pass?.isFirst) this.#isFirstPass = true;
    if (this.#pass?.hasMoved) this.#hasMoved = true;
    this.#pass = undefined;
    for (const key of this.#services.keys()) {
      this.#changed.add(key);
      yield undefined;
    }
  }

  /** Schedules a pass. Changes that arrive together share one pass. */
  #passSoon(): void {
    if (this.#phase !== 'deciding' || this.#nextPass) return;
    this.#nextPass = this.#options.clock.after(0, () => this.#deciding.request());
  }

  /** Makes the next step of the present pass, or of a new one. Returns false when no decision is due. */
  #step(): boolean {
    if (this.#phase !== 'deciding') return false;
    const pass = this.#pass ?? this.#beginPass();
    if (!pass) return this.#settled();
    const step = pass.steps.next();
    if (step.done) {
      this.#pass = undefined;
      if (pass.hasMoved) this.#options.onAddressesChanged();
      return true;
    }
    const decision = step.value;
    if (!decision) return true;
    const isNews = this.#reporter.decided(decision, pass.isFirst);
    const hasMoved = movesAddresses(decision);
    if (hasMoved) pass.hasMoved = true;
    if (isNews || hasMoved) this.#record(decision);
    this.#follow(decision);
    return true;
  }

  #beginPass(): Pass | undefined {
    this.#nextPass?.cancel();
    this.#nextPass = undefined;
    if (this.#changed.size === 0) return undefined;
    const pending = this.#changed;
    this.#changed = new Set();
    const steps = this.#decider.steps(pending);
    this.#pass = { pending, steps, isFirst: this.#isFirstPass, hasMoved: this.#hasMoved };
    this.#isFirstPass = false;
    this.#hasMoved = false;
    return this.#pass;
  }

  /** No decision is due. Returns false. */
  #settled(): false {
    if (!this.#settling) return false;
    this.#phase = 'held';
    this.#settling.resolve(true);
    this.#settling = undefined;
    return false;
  }

  #record(decision: Decision): void {
    const { recorder, allocator } = this.#options;
    const { event, actions } = decisionRecord(decision);
    recorder.record('allocator', `${allocator.waitingCount} waiting`, event, actions);
  }

  /** Queues the write that a decision needs. */
  #follow(decision: Decision): void {
    const { key } = decision;
    if (decision.kind === 'failed') return this.#decisionFailed(key, decision.error);
    this.#failures.delete(key);
    if (this.#options.adoptOnly) return;
    if (decision.kind === 'released' && decision.service && isMarked(decision.service)) this.#writes.add(key);
    if (decision.kind === 'reconciled' && serviceChange(decision.service, decision.outcome.assigned))
      this.#writes.add(key);
    // The conditions wait while addresses are to be written. The write of the addresses changes the Service, so a new decision about the Service
    // follows, and then the conditions are considered.
    else this.#conditions?.consider(key);
  }

  #decisionFailed(key: string, error: unknown): void {
    const { guard, clock } = this.#options;
    guard.failed({ entrance: 'watch', source: `Service ${key}` }, error);
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const delayMs = Math.min(retry.maxMs, retry.firstMs * 2 ** Math.min(failures - 1, 20));
    clock.after(delayMs, () => {
      this.#changed.add(key);
      this.#passSoon();
    });
  }

  async #write(key: string): Promise<void> {
    const { client, allocator, metrics } = this.#options;
    const service = this.#services.get(key);
    if (!service) return;
    const isOurs = this.#decider.isOurs(service);
    let assigned = isOurs ? allocator.holdingOf(key) : [];
    let change = isOurs ? serviceChange(service, assigned) : removalChange(service);
    if (change && this.#mustWait(key, assigned)) {
      if (!this.#writeOrder.isCircular(key)) return;
      assigned = assigned.filter(({ address }) => isShown(service, address));
      change = serviceChange(service, assigned);
    }
    if (!change) return;
    // This must be read before the request, because the watch may deliver our own write before the response arrives.
    const lackingSinceMs = this.#reporter.lackingSinceMs(key);
    try {
      const written = await patchServiceStatus(client, service, service.resourceVersion, change);
      metrics.writes.inc({ object: 'service', result: 'ok' });
      this.#throttling = undefined;
      if (change.ingress) this.#reporter.written(key, service, assigned, lackingSinceMs);
      this.#takeWritten(key, decodeService(written));
    } catch (error) {
      metrics.writes.inc({ object: 'service', result: isConflict(error) ? 'conflict' : 'error' });
      // The Service was deleted meanwhile. The watch will report the deletion.
      if (!isNotFound(error)) throw error;
    }
  }

  /** Takes the response to a write. The watch may be ahead of the response: the Service may be gone, or another Service may have its name. */
  #takeWritten(key: string, written: Service): void {
    const known = this.#services.get(key);
    if (known?.uid !== written.uid || isOlderVersion(written.resourceVersion, known.resourceVersion)) return;
    this.setService(key, this.kept(written));
  }

  #writeFailed(service: string, error: unknown, retryInMs: number): void {
    const { logger, guard } = this.#options;
    if (isConflict(error)) return;
    if (!(error instanceof ApiError))
      guard.failed({ entrance: 'watch', source: `Service ${service}` }, error);
    else if (error.retryAfterMs !== undefined) this.#throttled(error);
    else if (error.status !== 0)
      logger.warn({ service, reason: error.message, retryInMs }, 'status not written');
  }

  /** Logs one line for all Services, because thousands of Services may wait while the server asks its clients to wait. */
  #throttled(error: ApiError): void {
    const { logger, clock } = this.#options;
    const { refusal, isWorthLogging } = refused(
      this.#throttling,
      `${error.status} ${error.reason}`,
      clock.now(),
    );
    this.#throttling = refusal;
    if (isWorthLogging)
      logger.warn(
        { reason: error.message, waiting: this.queued },
        'API server asks to wait, Services get their addresses later',
      );
  }

  /** Whether one of the addresses is still in the status of a Service that no longer holds it. That status must be written first. */
  #mustWait(key: string, assigned: readonly Assigned[]): boolean {
    const { allocator } = this.#options;
    let mustWait = false;
    for (const { address } of assigned)
      for (const other of this.#services.showing(formatIp(address))) {
        const service = this.#services.get(other);
        const isWrittenByUs = service && (this.#decider.isOurs(service) || isMarked(service));
        const isSharer = allocator.holdingOf(other).some((held) => sameIp(held.address, address));
        if (other === key || !isWrittenByUs || isSharer) continue;
        this.#writeOrder.delay(key, other);
        mustWait = true;
      }
    return mustWait;
  }
}

function isShown({ ingress }: Service, address: IpAddress): boolean {
  return ingress.some(({ ip }) => ip === formatIp(address));
}

/** Whether the decision assigned an address or took one back. */
function movesAddresses(decision: Decision): boolean {
  if (decision.kind === 'released') return decision.freed.length > 0;
  if (decision.kind !== 'reconciled') return false;
  const { before, outcome } = decision;
  return (
    before.length !== outcome.assigned.length ||
    before.some(({ address }) => !includesIp(outcome.assigned, address))
  );
}
