import { formatIp } from '../address/index.ts';
import { annotations, requestPrefixes } from '../cluster/names.ts';
import { loadBalancerClassMatches } from '../cluster/service-class.ts';
import type { IngressAddress, Service } from '../kubernetes/model.ts';
import type { Assigned } from './allocator/address-book.ts';

/** What has to be written on a Service. */
export interface ServiceChange {
  readonly ingress?: readonly IngressAddress[];
  readonly annotations?: Readonly<Record<string, string | null>>;
}

/** Whether addresses of this Service are our business. */
export function isOurs(service: Service, ownClass: string | undefined): boolean {
  return service.type === 'LoadBalancer' && loadBalancerClassMatches(service, ownClass);
}

/** Whether the Service carries our mark: what its status says was written by us. */
export function isMarked(service: Service): boolean {
  return service.annotations[annotations.pool] !== undefined;
}

/**
 * Whether somebody who means the same by it as we do has recorded that an address comes from a pool. Before any configuration was
 * accepted these are the addresses in use; others may be another implementation's.
 */
export function isRecorded(service: Service): boolean {
  return requestPrefixes.some(
    (prefix) => service.annotations[`${prefix}ip-allocated-from-pool`] !== undefined,
  );
}

/** The difference between what a Service of ours says and what it should say; `undefined` when there is none. */
export function serviceChange(service: Service, assigned: readonly Assigned[]): ServiceChange | undefined {
  const ingress = assigned.map(({ address }) => ({ ip: formatIp(address), ipMode: 'VIP' }));
  const pools = poolsOf(assigned) || null;
  const statusDiffers = !sameIngress(service.ingress, ingress);
  const poolsDiffer = (service.annotations[annotations.pool] ?? null) !== pools;
  if (!statusDiffers && !poolsDiffer) return undefined;
  return {
    ...(statusDiffers ? { ingress } : {}),
    ...(poolsDiffer ? { annotations: { [annotations.pool]: pools } } : {}),
  };
}

/**
 * What to take back from a Service that is not ours any more. Its status is cleared when nobody else can be writing it; a Service
 * that another implementation serves now keeps its status.
 */
export function farewellChange(service: Service): ServiceChange | undefined {
  if (!isMarked(service)) return undefined;
  const cleared = service.type !== 'LoadBalancer' && service.ingress.length > 0;
  return {
    ...(cleared ? { ingress: [] } : {}),
    annotations: { [annotations.pool]: null, [annotations.announcing]: null },
  };
}

/** Names of the pools that the addresses were allocated from, comma separated, each once. */
export function poolsOf(assigned: readonly Assigned[]): string {
  return [...new Set(assigned.map(({ allocatedFrom }) => allocatedFrom))].join(',');
}

/** An entry without `ipMode` is one of mode VIP, by the API's default. */
function sameIngress(a: readonly IngressAddress[], b: readonly IngressAddress[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ ip, ipMode }, i) => ip === b[i]?.ip && (ipMode ?? 'VIP') === (b[i].ipMode ?? 'VIP'))
  );
}
