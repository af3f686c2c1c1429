import type { KeptService } from './plan/kept-objects.ts';
import type { ServicePlan } from './plan/service-plan.ts';
import type { WantedRoute } from './route-table.ts';

export const none: readonly never[] = [];

/**
 * A Service with what its latest plan says. One object holds all of it, so a plan searches one large table instead of four. The wait for memory
 * in such a search takes longer than the rest of a plan of one address.
 */
export class ServiceRecord {
  /** `namespace/name`. */
  readonly key: string;
  /** `undefined` once the Service is gone. The record is dropped after its last plan. */
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
