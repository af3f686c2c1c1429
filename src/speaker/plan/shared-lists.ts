/** When there are this many lists, the map is emptied to bound its memory. */
const maxLists = 1000;

/** Returns one list for equal lists. Thousands of Services have the same few lists of peers and of candidates. */
export class SharedLists {
  readonly #lists = new Map<string, readonly string[]>();

  shared(list: readonly string[]): readonly string[] {
    const key = list.join('\n');
    const known = this.#lists.get(key);
    if (known) return known;
    if (this.#lists.size >= maxLists) this.#lists.clear();
    this.#lists.set(key, list);
    return list;
  }
}
