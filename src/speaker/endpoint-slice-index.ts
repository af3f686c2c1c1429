import { objectKey } from '../kubernetes/model.ts';
import type { KeptSlice } from './plan/kept-objects.ts';

/** EndpointSlices, found by their Service. */
export class EndpointSliceIndex {
  readonly #slices = new Map<string, KeptSlice>();
  /** By `namespace/name` of the Service. Most Services have one slice for each family, and a short array takes less memory than a Set. */
  readonly #ofService = new Map<string, readonly KeptSlice[]>();

  /**
   * Stores or removes a slice. Returns the Services whose slices changed, with the slices that they had before. A slice that moves from one Service
   * to another changes both.
   */
  set(key: string, slice: KeptSlice | undefined): ReadonlyMap<string, readonly KeptSlice[]> {
    const before = this.#slices.get(key);
    const changed = [before, slice].flatMap((each) => (each ? serviceOf(each) : []));
    const slicesBefore = new Map(changed.map((service) => [service, this.slicesOf(service)]));
    if (before) this.#remove(key, before);
    if (slice) this.#add(key, slice);
    return slicesBefore;
  }

  slicesOf(service: string): readonly KeptSlice[] {
    return this.#ofService.get(service) ?? [];
  }

  #add(key: string, slice: KeptSlice): void {
    const service = serviceOf(slice);
    const others = this.slicesOf(service);
    // A single slice is stored without a spread, because V8 reserves room for 16 more slices in an array that a spread creates.
    this.#ofService.set(service, others.length === 0 ? [slice] : [...others, slice]);
    this.#slices.set(key, slice);
  }

  #remove(key: string, slice: KeptSlice): void {
    const service = serviceOf(slice);
    const others = this.slicesOf(service).filter((other) => other !== slice);
    if (others.length > 0) this.#ofService.set(service, others);
    else this.#ofService.delete(service);
    this.#slices.delete(key);
  }
}

function serviceOf({ namespace, serviceName }: KeptSlice): string {
  return objectKey({ namespace, name: serviceName });
}
