/**
 * The parts of Services and EndpointSlices that the speaker keeps in memory. There may be tens of thousands of both. The speaker therefore keeps
 * only the fields that plans and the announcing record need, stores equal parts once, and leaves out the Services that need no plan and no record.
 */
import { annotations, takeoverKey } from '../../cluster/names.ts';
import { SharedValues } from '../../cluster/shared-values.ts';
import type { Endpoint, EndpointSlice, Service } from '../../kubernetes/model.ts';

export type KeptService = Pick<
  Service,
  | 'namespace'
  | 'name'
  | 'uid'
  | 'resourceVersion'
  | 'labels'
  | 'annotations'
  | 'deleting'
  | 'type'
  | 'loadBalancerClass'
  | 'externalTrafficPolicy'
  | 'ingress'
>;

/** An endpoint without its addresses. The speaker needs to know only where endpoints are. */
export type KeptEndpoint = Omit<Endpoint, 'addresses'>;

export interface KeptSlice extends Pick<EndpointSlice, 'namespace' | 'name' | 'serviceName' | 'family'> {
  /** Equal endpoints appear once. */
  readonly endpoints: readonly KeptEndpoint[];
}

/** All Services share this string. Without it, each Service would keep the copy that the parser has made for it. */
const loadBalancer = 'LoadBalancer';
const nothing: Readonly<Record<string, string>> = {};

/**
 * Returns `undefined` for a Service that is no load balancer and carries no announcing record. A Service that was a load balancer may still
 * carry a record, which the speaker removes.
 */
export function keptService(service: Service): KeptService | undefined {
  const record = service.annotations[annotations.announcing];
  if (service.type !== loadBalancer && record === undefined) return undefined;
  const { namespace, name, uid, resourceVersion, labels, deleting, type, loadBalancerClass, ingress } =
    service;
  return {
    namespace,
    name,
    uid,
    resourceVersion,
    labels: Object.keys(labels).length === 0 ? nothing : labels,
    annotations: keptAnnotations(service.annotations),
    deleting,
    type: type === loadBalancer ? loadBalancer : type,
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    externalTrafficPolicy: service.externalTrafficPolicy,
    ingress,
  };
}

function keptAnnotations(all: Service['annotations']): Service['annotations'] {
  const kept = [annotations.announcing, takeoverKey].flatMap((key) => {
    const value = all[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return kept.length === 0 ? nothing : Object.fromEntries(kept);
}

/** Makes slices that share equal lists of endpoints. Most slices have the same few lists. */
export class SliceKeeper {
  readonly #lists = new SharedValues<readonly KeptEndpoint[]>();

  kept({ namespace, name, serviceName, family, endpoints }: EndpointSlice): KeptSlice {
    return {
      namespace,
      name,
      serviceName,
      family,
      endpoints: this.#shared(endpoints),
    };
  }

  #shared(endpoints: readonly Endpoint[]): readonly KeptEndpoint[] {
    const different = new Map(endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
    return this.#lists.shared([...different.keys()].sort().join(), () =>
      [...different.values()].map(({ addresses: _, ...kept }) => kept),
    );
  }
}

function keyOf({ nodeName = '', ready, serving, terminating }: Endpoint): string {
  return `${nodeName}/${ready}/${serving}/${terminating}`;
}
