import { isServed } from '../../cluster/service-class.ts';
import type { Service } from '../../kubernetes/model.ts';
import type { Allocator, Outcome } from '../allocator/allocator.ts';
import type { Assigned } from '../allocator/holding.ts';
import type { ServiceStore } from './service-store.ts';

/** The decision about one Service. */
export type Decision =
  /** The Service is deleted or no longer ours. It has given up its addresses. */
  | {
      readonly kind: 'released';
      readonly key: string;
      readonly service: Service | undefined;
      readonly freed: readonly Assigned[];
    }
  /** The Service is being deleted. It keeps its addresses and gets no new ones. */
  | { readonly kind: 'leaving'; readonly key: string }
  | {
      readonly kind: 'reconciled';
      readonly key: string;
      readonly service: Service;
      readonly before: readonly Assigned[];
      readonly outcome: Outcome;
    }
  /** The allocator threw, which is a bug. The Service keeps its addresses, and the decision must be retried. */
  | { readonly kind: 'failed'; readonly key: string; readonly error: unknown };

/** Number of Services that one step sorts. */
const sortedPerStep = 500;

/**
 * Decides about Services, in memory and in a fixed order: first the departures, which are Services that are gone or no longer ours, then waiting
 * Services in the order in which they began to wait, then all others. A new Service therefore never takes an address for which another Service
 * already waits. A Service that loses a shared address gets its decision right after the Service that displaces it. Waiting Services are
 * reconsidered as soon as a Service gives up an address or changes its `SharingTerms`, for example its sharing key.
 *
 * A machine: no clock, no I/O, and it never throws.
 */
export class ServiceDecider {
  readonly #allocator: Allocator;
  readonly #services: ServiceStore;
  readonly #loadBalancerClass: string | undefined;
  readonly #adoptOnly: boolean;

  /** With `adoptOnly`, a Service has the addresses that its status shows, and gets no others. */
  constructor(
    allocator: Allocator,
    services: ServiceStore,
    {
      loadBalancerClass,
      adoptOnly,
    }: { readonly loadBalancerClass: string | undefined; readonly adoptOnly: boolean },
  ) {
    this.#allocator = allocator;
    this.#services = services;
    this.#loadBalancerClass = loadBalancerClass;
    this.#adoptOnly = adoptOnly;
  }

  isOurs(service: Service): boolean {
    return isServed(service, this.#loadBalancerClass);
  }

  /** Decides about the changed Services, and about the Services that these decisions affect. A Service may get several decisions. */
  decide(changed: Iterable<string>): Decision[] {
    return [...this.steps(new Set(changed))].filter((step) => step !== undefined);
  }

  /**
   * Decides step by step, so that a long pass (one run of this generator) can be interrupted. Each step takes its Service out of `pending`. A
   * Service that changes in the middle of the pass is judged by its newest state. A caller that drops the remaining steps begins a new pass with
   * what is left in `pending` and all other Services, because displaced and waiting Services may be due without being in `pending`. A step without
   * a decision only sorts some Services.
   */
  *steps(pending: Set<string>): Generator<Decision | undefined> {
    /** Whether the waiting Services are to be decided again. */
    const retry = { isDue: false };
    const { departures, waiting, others } = yield* this.#inOrder(pending);
    for (const key of departures) yield* this.#settle(key, pending, retry);
    for (const key of [...waiting, ...others]) {
      yield* this.#serveWaiting(pending, retry);
      yield* this.#settle(key, pending, retry);
    }
    yield* this.#serveWaiting(pending, retry);
  }

  *#serveWaiting(pending: Set<string>, retry: { isDue: boolean }): Generator<Decision> {
    while (retry.isDue) {
      retry.isDue = false;
      for (const key of this.#allocator.waiting()) yield* this.#settle(key, pending, retry);
    }
  }

  /** Decides about a Service, and about those that it displaces. Sets `retry.isDue` when waiting Services may succeed now. */
  *#settle(key: string, pending: Set<string>, retry: { isDue: boolean }): Generator<Decision> {
    pending.delete(key);
    for (const queue = [key]; queue.length > 0; ) {
      const decision = this.#decideOne(queue.shift() ?? '');
      if (decision.kind === 'released' && decision.freed.length > 0) retry.isDue = true;
      if (decision.kind === 'reconciled') {
        if (decision.outcome.opensAddresses) retry.isDue = true;
        queue.push(...decision.outcome.displaced);
      }
      yield decision;
    }
  }

  *#inOrder(
    pending: ReadonlySet<string>,
  ): Generator<undefined, Record<'departures' | 'waiting' | 'others', readonly string[]>> {
    const departures: string[] = [];
    const rest = new Set<string>();
    let sorted = 0;
    for (const key of pending) {
      const service = this.#services.get(key);
      if (!service || !this.isOurs(service)) departures.push(key);
      else rest.add(key);
      sorted++;
      if (sorted % sortedPerStep === 0) yield undefined;
    }
    const waiting: string[] = [];
    for (const key of this.#allocator.waiting()) {
      if (rest.delete(key)) waiting.push(key);
      sorted++;
      if (sorted % sortedPerStep === 0) yield undefined;
    }
    return { departures, waiting, others: [...rest] };
  }

  #decideOne(key: string): Decision {
    try {
      const service = this.#services.get(key);
      if (!service || !this.isOurs(service))
        return { kind: 'released', key, service, freed: this.#allocator.release(key) };
      if (service.deleting) {
        this.#allocator.stopWaiting(key);
        return { kind: 'leaving', key };
      }
      const before = this.#allocator.holdingOf(key);
      const outcome = this.#adoptOnly
        ? this.#allocator.adopt(service)
        : this.#allocator.reconcile(service, key);
      return { kind: 'reconciled', key, service, before, outcome };
    } catch (error) {
      return { kind: 'failed', key, error };
    }
  }
}
