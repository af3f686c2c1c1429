import type { Service } from '../kubernetes/model.ts';

/**
 * Whether Bellman serves a Service. With a class of its own it serves only Services of that class (`spec.loadBalancerClass`). Without
 * one it serves only Services without a class.
 */
export function loadBalancerClassMatches(
  service: Pick<Service, 'loadBalancerClass'>,
  ownClass: string | undefined,
): boolean {
  return service.loadBalancerClass === ownClass;
}
