import { hash32 } from '../../src/hash.ts';
import { HashTree, leafOf } from '../../src/membership/hash-tree.ts';
import type { MergeOrder, PayloadFormat, PayloadRecord, PayloadStore } from '../../src/membership/payload.ts';

/** A payload that holds one text, which is also its key. It is encoded as a length octet and ASCII. */
export function textPayload(text: string): PayloadRecord {
  const octets = Buffer.from(`${String.fromCharCode(text.length)}${text}`, 'latin1');
  return { kind: 'payload', key: text, octets };
}

export const textPayloads: PayloadFormat = {
  read(bytes, offset) {
    const end = offset + 1 + (bytes[offset] ?? 0);
    return end > bytes.length ? undefined : { key: bytes.toString('latin1', offset + 1, end), end };
  },
};

/** A set of texts as payload records: the simplest payload that members can replicate. */
export class TextStore implements PayloadStore {
  readonly #records = new Map<string, PayloadRecord>();
  readonly #leaves = new Map<number, string[]>();
  readonly tree = new HashTree();

  readonly read = textPayloads.read;

  get size(): number {
    return this.#records.size;
  }

  merge(record: PayloadRecord): MergeOrder {
    if (this.#records.has(record.key)) return 'same';
    this.#records.set(record.key, record);
    const leaf = leafOf(record.key);
    const keys = this.#leaves.get(leaf);
    if (keys) keys.push(record.key);
    else this.#leaves.set(leaf, [record.key]);
    this.tree.toggle(leaf, hash32(record.key));
    return 'newer';
  }

  newest(key: string): PayloadRecord | undefined {
    return this.#records.get(key);
  }

  /** Does nothing: the records belong to no member, so all of them are always in the tree. */
  setLive(): void {}

  keysIn(leaf: number): Iterable<string> {
    return this.#leaves.get(leaf) ?? [];
  }

  expire(): void {}
}
