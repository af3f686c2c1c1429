import { formatIp } from '../../address/index.ts';
import { annotations, requestPrefixes } from '../../cluster/names.ts';
import type { IngressAddress, Service } from '../../kubernetes/model.ts';
import type { Assigned } from '../allocator/holding.ts';

/** A change to write to a Service. */
export interface ServiceChange {
  readonly ingress?: readonly IngressAddress[];
  /** `null` removes an annotation. */
  readonly annotations?: Readonly<Record<string, string | null>>;
}

/** Whether the Service has the pool annotation. Only this controller writes that annotation, and it writes the status of such a Service too. */
export function isMarked(service: Service): boolean {
  return service.annotations[annotations.pool] !== undefined;
}

/**
 * Whether an annotation of Bellman or MetalLB records the pool of the Service's address. Until a configuration is in force, only recorded
 * addresses count as in use. An address that is not recorded may belong to another implementation.
 */
export function isRecorded(service: Service): boolean {
  return requestPrefixes.some(
    (prefix) => service.annotations[`${prefix}ip-allocated-from-pool`] !== undefined,
  );
}

/** The change that makes the Service show its assigned addresses and their pools; `undefined` when it already shows them. */
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
 * The change that removes our annotations from a Service that is no longer ours. If the type is no longer LoadBalancer, the change also clears
 * the status. If the type is still LoadBalancer, the class has changed, and another implementation may be writing the status.
 */
export function removalChange(service: Service): ServiceChange | undefined {
  if (!isMarked(service)) return undefined;
  const isCleared = service.type !== 'LoadBalancer' && service.ingress.length > 0;
  return {
    ...(isCleared ? { ingress: [] } : {}),
    annotations: { [annotations.pool]: null, [annotations.announcing]: null },
  };
}

/** Names of the pools that the addresses were allocated from, comma separated, each once. */
export function poolsOf(assigned: readonly Assigned[]): string {
  return [...new Set(assigned.map(({ allocatedFrom }) => allocatedFrom))].join(',');
}

/** The addresses, comma separated. */
export function addressesOf(assigned: readonly Assigned[]): string {
  return assigned.map(({ address }) => formatIp(address)).join(', ');
}

/** An entry without `ipMode` has mode VIP, by the API's default. */
function sameIngress(a: readonly IngressAddress[], b: readonly IngressAddress[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ ip, ipMode }, i) => ip === b[i]?.ip && (ipMode ?? 'VIP') === (b[i].ipMode ?? 'VIP'))
  );
}
