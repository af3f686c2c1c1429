import type { Service } from '../kubernetes/model.ts';

/**
 * Whether Bellman serves a Service. If Bellman has a class, it serves only Services of that class (`spec.loadBalancerClass`). If Bellman
 * has no class, it serves only Services without a class.
 */
export function loadBalancerClassMatches(
  service: Pick<Service, 'loadBalancerClass'>,
  ownClass: string | undefined,
): boolean {
  return service.loadBalancerClass === ownClass;
}
