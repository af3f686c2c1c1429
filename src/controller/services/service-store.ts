import { objectKey, type Service } from '../../kubernetes/model.ts';
import { isOlderVersion } from '../../kubernetes/write.ts';
import { sortedInSteps } from '../../sorted-in-steps.ts';

/** The Services as the API server last showed them, with an index of the addresses in their status. */
export class ServiceStore {
  readonly #services = new Map<string, Service>();
  /** For each address, the keys of the Services whose status shows it. A single key, the usual case, is stored without a Set to save memory. */
  readonly #byAddress = new Map<string, string | Set<string>>();

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
    for (const { ip } of before?.ingress ?? []) this.#hide(ip, key);
    if (!service) {
      this.#leaveNamespace(key, before);
      return this.#services.delete(key);
    }
    this.#services.set(key, service);
    if (!before) this.#joinNamespace(key, service);
    for (const { ip } of service.ingress) this.#show(ip, key);
    return true;
  }

  /** Keys of the Services whose status shows the address. */
  showing(ip: string): readonly string[] {
    const keys = this.#byAddress.get(ip) ?? [];
    return typeof keys === 'string' ? [keys] : [...keys];
  }

  #show(ip: string, key: string): void {
    const keys = this.#byAddress.get(ip) ?? key;
    if (typeof keys !== 'string') keys.add(key);
    else this.#byAddress.set(ip, keys === key ? key : new Set([keys, key]));
  }

  #hide(ip: string, key: string): void {
    const keys = this.#byAddress.get(ip);
    if (keys === key) this.#byAddress.delete(ip);
    if (!(keys instanceof Set) || !keys.delete(key) || keys.size > 1) return;
    for (const only of keys) this.#byAddress.set(ip, only);
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
