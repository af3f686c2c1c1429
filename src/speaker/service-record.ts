import type { KeptService } from './plan/kept-objects.ts';
import type { ServicePlan } from './plan/service-plan.ts';
import type { WantedRoute } from './route-table.ts';

export const none: readonly never[] = [];

/**
 * A Service with the results of its latest plan. One object holds them all. Otherwise a plan would search a large table for each of them, and with
 * 100,000 Services, each search waits for memory.
 */
export class ServiceRecord {
  /** `namespace/name`. */
  readonly key: string;
  /** `undefined` when the Service is gone. Its last plan is then empty. */
  service: KeptService | undefined;
  routes: readonly WantedRoute[] = none;
  advertised: ServicePlan['advertised'] = none;
  refusals: ServicePlan['refusals'] = none;
  notToAnnounce: ServicePlan['notToAnnounce'] = none;

  constructor(key: string, service: KeptService) {
    this.key = key;
    this.service = service;
  }
}
