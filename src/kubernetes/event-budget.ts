/**
 * Limits how many events with the same reason are recorded about one object. Each event takes a token from a bucket of 25 tokens, which gains
 * one token every five minutes. client-go sets the same limit, but for all events about one object together. Pure.
 */
const burst = 25;
const msPerToken = 300_000;
/** Maximum number of buckets. The bucket that was used longest ago is dropped first. The next event of its object and reason gets a full bucket. */
const maxBuckets = 4096;

interface Bucket {
  tokens: number;
  /** Time of the last event. */
  atMs: number;
  isRefusing: boolean;
}

export class EventBudget {
  /** The bucket that was used longest ago comes first. */
  readonly #buckets = new Map<string, Bucket>();

  /** Takes a token for an event. `refused first` is the first refusal since an event was granted. */
  spend(key: string, nowMs: number): 'granted' | 'refused first' | 'refused' {
    const bucket = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs, isRefusing: false };
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= maxBuckets) break;
      this.#buckets.delete(oldest);
    }
    bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) / msPerToken);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) {
      const isFirst = !bucket.isRefusing;
      bucket.isRefusing = true;
      return isFirst ? 'refused first' : 'refused';
    }
    bucket.tokens--;
    bucket.isRefusing = false;
    return 'granted';
  }
}
