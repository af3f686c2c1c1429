import type { ToLayer2 } from './messages.ts';

/** Maximum number of entries in one part. Parsing cannot be interrupted, but takes well under a millisecond for this number. */
const maxEntries = 200;

/** The messages that carry entries. */
export type EntriesMessage = Extract<ToLayer2, { kind: 'table' | 'change' }>;

/** Splits a message into parts that are parsed without a noticeable pause. */
export function splitMessage({ kind, upsert, remove }: EntriesMessage): EntriesMessage[] {
  const parts: EntriesMessage[] = [];
  const length = Math.max(upsert.length, remove.length);
  for (let at = 0; at === 0 || at < length; at += maxEntries) {
    const end = at + maxEntries;
    parts.push({
      kind,
      upsert: upsert.slice(at, end),
      remove: remove.slice(at, end),
      ...(end < length ? { hasMore: true } : {}),
    });
  }
  return parts;
}

/** Joins the parts of a message, so that one message leads to one decision. */
export class MessageAssembler {
  readonly #upsert: EntriesMessage['upsert'][number][] = [];
  readonly #remove: EntriesMessage['remove'][number][] = [];

  /** Takes a part. Returns the whole message after its last part, and `undefined` before that. */
  take({ kind, upsert, remove, hasMore }: EntriesMessage): EntriesMessage | undefined {
    this.#upsert.push(...upsert);
    this.#remove.push(...remove);
    if (hasMore) return undefined;
    return { kind, upsert: this.#upsert.splice(0), remove: this.#remove.splice(0) };
  }
}
