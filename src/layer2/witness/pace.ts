/** Bounds the number of questions in a second. After a pause, it allows a tenth of `perSecond` at once, but at least one question. */
export class Pace {
  perSecond: number;
  #tokens = 1;
  #atMs = 0;

  constructor(perSecond: number) {
    this.perSecond = perSecond;
  }

  /** Takes one question. Returns false when the bound is reached. */
  take(nowMs: number): boolean {
    const earned = (Math.max(0, nowMs - this.#atMs) * this.perSecond) / 1000;
    this.#tokens = Math.min(Math.max(1, this.perSecond / 10), this.#tokens + earned);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** When the next question is allowed. */
  readyAtMs(): number {
    const missing = Math.max(0, 1 - this.#tokens);
    return this.#atMs + Math.ceil((missing * 1000) / this.perSecond);
  }
}
