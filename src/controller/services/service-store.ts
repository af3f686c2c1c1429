import { objectKey, type Service } from '../../kubernetes/model.ts';
import { isOlderVersion } from '../../kubernetes/write.ts';
import { sortedInSteps } from '../../sorted-in-steps.ts';

/** The Services as the API server last showed them, with an index of the addresses in their status. */
export class ServiceStore {
  readonly #services = new Map<string, Service>();
  /** For each address, the Services whose status shows it. A single Service, the usual case, is stored without an array to save memory. */
  readonly #byAddress = new Map<string, Service | readonly Service[]>();

  /** Keys of Services by namespace. */
  readonly #byNamespace = new Map<string, Set<string>>();

  get(key: string): Service | undefined {
    return this.#services.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#services.keys();
  }

  values(): IterableIterator<Service> {
    return this.#services.values();
  }

  get size(): number {
    return this.#services.size;
  }

  /**
   * Stores a state of a Service; `undefined` when the Service is gone. Returns false when the stored state is newer or the same, and when a
   * Service that is gone was not stored.
   */
  set(key: string, service: Service | undefined): boolean {
    const before = this.#services.get(key);
    if (before && service) {
      if (before.uid === service.uid && isOlderVersion(service.resourceVersion, before.resourceVersion))
        return false;
      if (before.resourceVersion !== '' && before.resourceVersion === service.resourceVersion) return false;
    }
    for (const { ip } of before?.ingress ?? []) {
      const others = this.#showing(ip).filter((other) => other !== before);
      const [only] = others;
      if (only) this.#byAddress.set(ip, others.length === 1 ? only : others);
      else this.#byAddress.delete(ip);
    }
    if (!service) {
      this.#leaveNamespace(key, before);
      return this.#services.delete(key);
    }
    this.#services.set(key, service);
    if (!before) this.#joinNamespace(key, service);
    for (const { ip } of service.ingress) {
      const others = this.#showing(ip).filter((other) => other !== service);
      this.#byAddress.set(ip, others.length === 0 ? service : [...others, service]);
    }
    return true;
  }

  /** Keys of the Services whose status shows the address. */
  showing(ip: string): readonly string[] {
    return this.#showing(ip).map(objectKey);
  }

  #showing(ip: string): readonly Service[] {
    const services = this.#byAddress.get(ip) ?? [];
    return 'uid' in services ? [services] : services;
  }

  /** Keys of the Services in the namespace. */
  inNamespace(namespace: string): Iterable<string> {
    return this.#byNamespace.get(namespace) ?? [];
  }

  #joinNamespace(key: string, { namespace }: Service): void {
    this.#byNamespace.set(namespace, (this.#byNamespace.get(namespace) ?? new Set()).add(key));
  }

  #leaveNamespace(key: string, service: Service | undefined): void {
    if (!service) return;
    const keys = this.#byNamespace.get(service.namespace);
    keys?.delete(key);
    if (keys?.size === 0) this.#byNamespace.delete(service.namespace);
  }

  /** All Services, oldest first. */
  byAge(): Service[] {
    return [...this.#services.values()].sort(compareAge);
  }

  /** Sorts in steps. Services that come or change meanwhile are not considered. */
  byAgeSteps(): Generator<undefined, readonly Service[]> {
    return sortedInSteps([...this.#services.values()], compareAge);
  }
}

function compareAge(a: Service, b: Service): number {
  return a.createdAtMs - b.createdAtMs || (objectKey(a) < objectKey(b) ? -1 : 1);
}
