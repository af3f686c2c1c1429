import { requestPrefixes } from '../../cluster/names.ts';
import type { Service } from '../../kubernetes/model.ts';

/** One string for all Services. The parser makes one for each. */
const loadBalancer = 'LoadBalancer';

/**
 * What the controller keeps in memory of a Service: no annotations of others, which may be large. Returns `undefined` for a Service that is
 * no load balancer and shows nothing of Bellman or MetalLB.
 */
export function keptService(service: Service): Service | undefined {
  const annotations = Object.fromEntries(
    Object.entries(service.annotations).filter(([name]) =>
      requestPrefixes.some((prefix) => name.startsWith(prefix)),
    ),
  );
  const isPlain = service.type !== loadBalancer && service.ingress.length === 0;
  if (isPlain && Object.keys(annotations).length === 0) return undefined;
  return { ...service, type: service.type === loadBalancer ? loadBalancer : service.type, annotations };
}
