import type { Service } from '../kubernetes/model.ts';

/**
 * Whether a Service is for us to serve: with a class of our own only Services of that class, without one only Services that name
 * none (`spec.loadBalancerClass`). Other people's Services are never touched.
 */
export function loadBalancerClassMatches(
  service: Pick<Service, 'loadBalancerClass'>,
  ownClass: string | undefined,
): boolean {
  return service.loadBalancerClass === ownClass;
}
