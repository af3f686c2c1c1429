import type { Service } from '../kubernetes/model.ts';

/** Whether Bellman serves a Service: one of type LoadBalancer, with Bellman's own class or, if Bellman has none, without a class. */
export function isServed(
  service: Pick<Service, 'type' | 'loadBalancerClass'>,
  ownClass: string | undefined,
): boolean {
  return service.type === 'LoadBalancer' && loadBalancerClassMatches(service, ownClass);
}

/**
 * Whether Bellman serves the class of a Service (`spec.loadBalancerClass`). If Bellman has a class, it serves only that one. If Bellman has no
 * class, it serves only Services without a class.
 */
export function loadBalancerClassMatches(
  service: Pick<Service, 'loadBalancerClass'>,
  ownClass: string | undefined,
): boolean {
  return service.loadBalancerClass === ownClass;
}
