/**
 * Largest sum of the lengths of all keys in one `SharedValues`, with 64 added for each key. This is enough for the values of tens of thousands
 * of ordinary Kubernetes objects. A limit on the number of values would not bound the memory: a user may change an object with a thousand
 * endpoints or ports again and again, and each change makes a long value.
 */
const maxCharacters = 2 ** 22;

/** Keeps one copy of equal values. This saves memory, because tens of thousands of Kubernetes objects have the same few values. */
export class SharedValues<T> {
  readonly #values = new Map<string, T>();
  #characters = 0;

  /**
   * Equal values have equal keys. A key is about as long as its value. All values are forgotten when the keys together exceed the limit.
   * A value whose key alone exceeds the limit is never kept.
   */
  shared(key: string, make: () => T): T {
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const value = make();
    // Each entry of the map takes memory, however short its key is.
    const characters = key.length + 64;
    if (characters > maxCharacters) return value;
    if (this.#characters + characters > maxCharacters) {
      this.#values.clear();
      this.#characters = 0;
    }
    this.#values.set(key, value);
    this.#characters += characters;
    return value;
  }
}
