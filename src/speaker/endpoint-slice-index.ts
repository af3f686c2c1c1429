import type { EndpointSlice } from '../kubernetes/model.ts';

/** EndpointSlices, found by their Service. */
export class EndpointSliceIndex {
  readonly #slices = new Map<string, EndpointSlice>();
  /** Keys of slices, by `namespace/name` of the Service. */
  readonly #keysOfService = new Map<string, Set<string>>();

  /** Stores or removes a slice. Returns the Services whose slices changed. A slice that moves from one Service to another changes both. */
  set(key: string, slice: EndpointSlice | undefined): ReadonlySet<string> {
    const services = new Set<string>();
    const before = this.#slices.get(key);
    if (before) services.add(this.#remove(key, before));
    if (slice) services.add(this.#add(key, slice));
    return services;
  }

  *slicesOf(service: string): Iterable<EndpointSlice> {
    for (const key of this.#keysOfService.get(service) ?? []) {
      const slice = this.#slices.get(key);
      if (slice) yield slice;
    }
  }

  #add(key: string, slice: EndpointSlice): string {
    const service = serviceOf(slice);
    const keys = this.#keysOfService.get(service) ?? new Set();
    this.#keysOfService.set(service, keys.add(key));
    this.#slices.set(key, slice);
    return service;
  }

  #remove(key: string, slice: EndpointSlice): string {
    const service = serviceOf(slice);
    const keys = this.#keysOfService.get(service);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysOfService.delete(service);
    this.#slices.delete(key);
    return service;
  }
}

function serviceOf({ namespace, serviceName }: EndpointSlice): string {
  return `${namespace}/${serviceName}`;
}
