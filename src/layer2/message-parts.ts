import type { ToLayer2 } from './messages.ts';

/** Maximum number of entries in one part. Parsing cannot be interrupted, but takes well under a millisecond for this number. */
const maxEntries = 200;

/** The messages that carry entries. */
export type EntriesMessage = Extract<ToLayer2, { kind: 'table' | 'change' }>;

/** Splits a message into parts that are parsed without a noticeable pause. */
export function* splitMessage({ kind, sets, upsert, remove }: EntriesMessage): Iterable<EntriesMessage> {
  const length = Math.max(upsert.length, remove.length);
  for (let at = 0; at === 0 || at < length; at += maxEntries) {
    const end = at + maxEntries;
    yield {
      kind,
      // The first part carries all sets, so that they come before the entries that name them. There are few sets, and none has more nodes than
      // the cluster.
      sets: at === 0 ? sets : [],
      upsert: upsert.slice(at, end),
      remove: remove.slice(at, end),
      ...(at > 0 ? { isContinued: true } : {}),
      ...(end < length ? { hasMore: true } : {}),
    };
  }
}

/** Joins the parts of a message, so that one message leads to one decision. */
export class MessageAssembler {
  readonly #sets: EntriesMessage['sets'][number][] = [];
  readonly #upsert: EntriesMessage['upsert'][number][] = [];
  readonly #remove: EntriesMessage['remove'][number][] = [];

  /**
   * Takes a part. Returns the whole message after its last part, and `undefined` before that. The first part of a message drops the parts of an
   * unfinished one. The sender leaves a message unfinished only when it begins a table, which replaces everything.
   */
  take({ kind, sets, upsert, remove, isContinued, hasMore }: EntriesMessage): EntriesMessage | undefined {
    if (!isContinued) for (const parts of [this.#sets, this.#upsert, this.#remove]) parts.length = 0;
    this.#sets.push(...sets);
    this.#upsert.push(...upsert);
    this.#remove.push(...remove);
    if (hasMore) return undefined;
    return {
      kind,
      sets: this.#sets.splice(0),
      upsert: this.#upsert.splice(0),
      remove: this.#remove.splice(0),
    };
  }
}
