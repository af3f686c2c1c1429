import type { ToLayer2 } from './table.ts';

/** As many entries as are read in well under a millisecond; a message is parsed in one go. */
const entriesAtOnce = 200;

/** The messages with entries. */
export type Entries = Extract<ToLayer2, { kind: 'table' | 'change' }>;

/** Splits a message with many entries into parts that are read without a pause worth speaking of. */
export function split(message: Entries): Entries[] {
  const { kind, upsert, remove } = message;
  const parts: Entries[] = [];
  const length = Math.max(upsert.length, remove.length);
  for (let at = 0; at === 0 || at < length; at += entriesAtOnce) {
    const end = at + entriesAtOnce;
    const hasMore = end < length;
    parts.push({
      kind,
      upsert: upsert.slice(at, end),
      remove: remove.slice(at, end),
      ...(hasMore ? { hasMore } : {}),
    });
  }
  return parts;
}

/** Puts the parts together again: what was one message is decided on as one. */
export class Assembler {
  readonly #upsert: Entries['upsert'][number][] = [];
  readonly #remove: Entries['remove'][number][] = [];

  /** The whole message, once its last part has come. */
  take({ kind, upsert, remove, hasMore }: Entries): Entries | undefined {
    this.#upsert.push(...upsert);
    this.#remove.push(...remove);
    if (hasMore) return undefined;
    return { kind, upsert: this.#upsert.splice(0), remove: this.#remove.splice(0) };
  }
}
