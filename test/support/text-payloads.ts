import { hash32 } from '../../src/hash.ts';
import {
  digestBuckets,
  type MergeOrder,
  type PayloadFormat,
  type PayloadRecord,
  type PayloadStore,
} from '../../src/membership/payload.ts';

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
  readonly #digest = new Uint32Array(digestBuckets);
  version = 0;

  readonly read = textPayloads.read;

  get size(): number {
    return this.#records.size;
  }

  merge(record: PayloadRecord): MergeOrder {
    if (this.#records.has(record.key)) return 'same';
    const hash = hash32(record.key);
    const bucket = hash % digestBuckets;
    this.#records.set(record.key, record);
    this.#digest[bucket] = (this.#digest[bucket] ?? 0) ^ hash;
    this.version++;
    return 'newer';
  }

  newest(key: string): PayloadRecord | undefined {
    return this.#records.get(key);
  }

  keysIn(buckets: ReadonlySet<number>): Iterable<string> {
    return [...this.#records.keys()].filter((key) => buckets.has(hash32(key) % digestBuckets));
  }

  digest(): Uint32Array {
    return Uint32Array.from(this.#digest);
  }

  expire(): void {}
}
