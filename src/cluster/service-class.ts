import type { Service } from '../kubernetes/model.ts';

/** Whether Bellman serves a Service: its type is LoadBalancer, and its class matches. */
export function isServed(
  service: Pick<Service, 'type' | 'loadBalancerClass'>,
  ownClass: string | undefined,
): boolean {
  return service.type === 'LoadBalancer' && loadBalancerClassMatches(service, ownClass);
}

/**
 * Whether the class of a Service (`spec.loadBalancerClass`) matches. If Bellman has a class, only Services of that class match. If Bellman has no
 * class, only Services without a class match.
 */
export function loadBalancerClassMatches(
  service: Pick<Service, 'loadBalancerClass'>,
  ownClass: string | undefined,
): boolean {
  return service.loadBalancerClass === ownClass;
}
