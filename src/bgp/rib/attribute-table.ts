import type { RouteAttributes } from '../speaker-api.ts';

/** Stands for "no route" where the number of an attribute set is expected. */
export const noAttributes = 0;

/**
 * Attribute sets as small integers, from 1: equal sets have one number for as long as anybody refers to it, so that "the same
 * attributes" is a comparison of numbers and the packing of UPDATEs a lookup.
 */
export class AttributeTable {
  readonly #ids = new Map<string, number>();
  readonly #sets: (Entry | undefined)[] = [undefined];
  readonly #free: number[] = [];
  /** Callers hand in the same object for many routes: its text is made once. */
  readonly #keys = new WeakMap<RouteAttributes, string>();

  /** The number of the set with one reference more. */
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

  /** One reference more to a set already held. */
  retain(id: number): void {
    const entry = this.#sets[id];
    if (entry) entry.references++;
  }

  /** Gives a reference back; with the last one the number may soon mean another set. */
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

interface Entry {
  readonly attributes: RouteAttributes;
  readonly key: string;
  references: number;
}
