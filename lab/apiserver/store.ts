import type { KubernetesObject } from './resources.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** A change as watchers receive it. */
export interface Change {
  readonly type: ChangeType;
  readonly resourceVersion: number;
  readonly object: KubernetesObject;
  /** The previous state. It tells a watcher with a selector whether an object stopped matching or never matched. */
  readonly before?: KubernetesObject;
}

interface Collection {
  readonly objects: Map<string, KubernetesObject>;
  changes: Change[];
  /** A watch that starts from an earlier version gets `410 Gone`. */
  compactedAt: number;
  readonly listeners: Set<(change: Change) => void>;
}

const keptChanges = 20_000;

/**
 * Stores objects by kind and key. All kinds share one counter of resourceVersions. A history of changes lets watches resume. Objects are
 * immutable: each write stores a new object.
 */
export class Store {
  readonly #collections = new Map<string, Collection>();
  #version = 1;
  /** Version of the last compaction. A collection that is made later also answers `410 Gone` for earlier versions. */
  #compactedAt = 0;

  get version(): number {
    return this.#version;
  }

  get(kind: string, key: string): KubernetesObject | undefined {
    return this.#collection(kind).objects.get(key);
  }

  /** Sorted by key, as in etcd. */
  list(kind: string): [string, KubernetesObject][] {
    return [...this.#collection(kind).objects].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  put(kind: string, key: string, object: KubernetesObject): KubernetesObject {
    const collection = this.#collection(kind);
    const before = collection.objects.get(key);
    const stored = this.#stamp(object);
    collection.objects.set(key, stored);
    this.#publish(collection, {
      type: before ? 'MODIFIED' : 'ADDED',
      object: stored,
      ...(before ? { before } : {}),
    });
    return stored;
  }

  remove(kind: string, key: string): KubernetesObject | undefined {
    const collection = this.#collection(kind);
    const before = collection.objects.get(key);
    if (!before) return undefined;
    collection.objects.delete(key);
    const object = this.#stamp(before);
    this.#publish(collection, { type: 'DELETED', object, before });
    return object;
  }

  /**
   * Whether all changes after a version are known. A version that this server has not reached is from an earlier server process, so the
   * changes after it are unknown.
   */
  remembers(kind: string, version: number): boolean {
    return version >= this.#collection(kind).compactedAt && version <= this.#version;
  }

  /** Changes after a version; `undefined` when they are no longer known. */
  since(kind: string, version: number): readonly Change[] | undefined {
    if (!this.remembers(kind, version)) return undefined;
    const { changes } = this.#collection(kind);
    const first = changes.findIndex(({ resourceVersion }) => resourceVersion > version);
    return first < 0 ? [] : changes.slice(first);
  }

  /** Calls back on each change until the returned function is called. */
  listen(kind: string, listener: (change: Change) => void): () => void {
    const { listeners } = this.#collection(kind);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Forgets all history. Every watch that resumes from an earlier version then gets `410 Gone`. */
  compact(): void {
    this.#version++;
    this.#compactedAt = this.#version;
    for (const collection of this.#collections.values()) {
      collection.changes = [];
      collection.compactedAt = this.#version;
    }
  }

  #stamp(object: KubernetesObject): KubernetesObject {
    this.#version++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #publish(collection: Collection, change: Omit<Change, 'resourceVersion'>): void {
    const full = { ...change, resourceVersion: this.#version };
    collection.changes.push(full);
    if (collection.changes.length > keptChanges * 2) {
      collection.changes = collection.changes.slice(-keptChanges);
      // A watch that has seen the first kept change needs no earlier one.
      collection.compactedAt = collection.changes[0]?.resourceVersion ?? this.#version;
    }
    for (const listener of collection.listeners) listener(full);
  }

  #collection(kind: string): Collection {
    let collection = this.#collections.get(kind);
    if (!collection) {
      collection = { objects: new Map(), changes: [], compactedAt: this.#compactedAt, listeners: new Set() };
      this.#collections.set(kind, collection);
    }
    return collection;
  }
}
