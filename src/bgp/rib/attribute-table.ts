import type { RouteAttributes } from '../speaker-api.ts';

/** The number that stands for "no route" in place of an attribute set. */
export const noAttributes = 0;

/**
 * Gives attribute sets small numbers, starting with 1. Equal sets have the same number as long as the number has references. To compare two
 * sets, it is therefore enough to compare their numbers, and routes with the same number may share an UPDATE.
 */
export class AttributeTable {
  readonly #ids = new Map<string, number>();
  readonly #sets: (ReferencedSet | undefined)[] = [undefined];
  readonly #free: number[] = [];
  /** Callers pass the same object for many routes, so its key is made only once. */
  readonly #keys = new WeakMap<RouteAttributes, string>();

  /** Returns the number of the set and adds a reference. */
  acquire(attributes: RouteAttributes): number {
    const key = this.#keyOf(attributes);
    const known = this.#ids.get(key);
    const entry = known === undefined ? undefined : this.#sets[known];
    if (known !== undefined && entry) {
      entry.references++;
      return known;
    }
    const id = this.#free.pop() ?? this.#sets.length;
    this.#sets[id] = { attributes, key, references: 1 };
    this.#ids.set(key, id);
    return id;
  }

  /** Adds a reference to a set that has at least one. */
  retain(id: number): void {
    const entry = this.#sets[id];
    if (entry) entry.references++;
  }

  /** Removes a reference. Without references the number may be reused for another set. */
  release(id: number): void {
    const entry = this.#sets[id];
    if (!entry || --entry.references > 0) return;
    this.#ids.delete(entry.key);
    this.#sets[id] = undefined;
    this.#free.push(id);
  }

  get(id: number): RouteAttributes {
    const entry = this.#sets[id];
    if (!entry) throw new RangeError(`no attribute set has the number ${id}`);
    return entry.attributes;
  }

  get size(): number {
    return this.#ids.size;
  }

  #keyOf(attributes: RouteAttributes): string {
    let key = this.#keys.get(attributes);
    if (key === undefined) {
      const { localPref, med, asPathPrepend, communities, largeCommunities } = attributes;
      key = `${localPref} ${med} ${asPathPrepend} ${communities.join()} ${largeCommunities.join()}`;
      this.#keys.set(attributes, key);
    }
    return key;
  }
}

interface ReferencedSet {
  readonly attributes: RouteAttributes;
  readonly key: string;
  references: number;
}
